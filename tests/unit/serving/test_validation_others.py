"""What of runtimes, graphs, trained models and storage containers is refused. Cases of kserve 0.20's tests."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.components.serving.api.runtimes import runtimes as shipped
from sampan.components.serving.api.runtimes import storage_container
from sampan.components.serving.engine.validation import graphs, others, runtimes, trained_models
from sampan.components.serving.engine.validation.surroundings import Surroundings
from sampan.kube.fielderrors import FieldErrors


def problems(check: Any, obj: Any, old: Any = None, *existing: Any) -> dict[str, str]:
    errors = FieldErrors()
    check(obj, old, Surroundings(all=lambda _resource, _namespace: existing), errors)
    return {cause.field: cause.message for cause in errors.causes}


def runtime(name: str, *formats: Any, **spec: Any) -> dict[str, Any]:
    containers = [{"name": "kserve-container"}]
    said = {
        "containers": containers,
        "protocolVersions": ["v1", "v2"],
        "supportedModelFormats": list(formats),
    }
    return {
        "kind": "ServingRuntime",
        "metadata": {"name": name, "namespace": "team"},
        "spec": {**said, **spec},
    }


def serves(
    name: str = "sklearn", version: str | None = "1", priority: int | None = 1, auto: bool = True
) -> Any:
    found: dict[str, Any] = {"name": name, "autoSelect": auto}
    found |= {"version": version} if version else {}
    return found | ({"priority": priority} if priority else {})


SAME = (
    "same priority assigned for the model format sklearn in the servingruntimes old and new in namespace team"
)


@pytest.mark.parametrize(
    ("new", "old", "is_taken"),
    [
        (runtime("new", serves()), runtime("old", serves()), False),
        (runtime("new", serves("SKLearn")), runtime("old", serves()), False),
        (runtime("new", serves(priority=2)), runtime("old", serves()), True),
        (runtime("new", serves(priority=None)), runtime("old", serves(priority=None)), True),
        (runtime("new", serves(auto=False)), runtime("old", serves()), True),
        (runtime("new", serves(version="2")), runtime("old", serves()), True),
        (runtime("new", serves(version=None)), runtime("old", serves(version=None)), False),
        (runtime("new", serves(), protocolVersions=["grpc-v2"]), runtime("old", serves()), True),
        (runtime("new", serves(), multiModel=True), runtime("old", serves()), True),
        (runtime("new", serves()), runtime("old", serves(), disabled=True), True),
        (runtime("new", serves(), disabled=True), runtime("old", serves()), True),
        (runtime("old", serves()), runtime("old", serves()), True),
    ],
)
def test_two_runtimes_of_one_format_have_different_priorities(new: Any, old: Any, is_taken: bool) -> None:
    found = problems(runtimes.check, new, None, old)
    assert (found == {}) is is_taken, found
    if not is_taken:
        assert SAME.lower() in str(found).lower()


def test_a_runtime_has_one_priority_for_a_format() -> None:
    found = problems(runtimes.check, runtime("new", serves(version="1"), serves(version="2", priority=2)))
    assert "different priorities assigned for the model format sklearn under the servingruntime new" in str(
        found
    )
    assert (
        problems(runtimes.check, runtime("new", serves(), serves(version="2", priority=2, auto=False))) == {}
    )


def test_the_runtimes_that_come_along_are_right() -> None:
    known = [*shipped(is_embedded=True)]
    for each in known:
        assert problems(runtimes.check, each, None, *known) == {}
    assert problems(others.check_storage_container, storage_container(is_embedded=True)) == {}


def test_runtimes_with_workers() -> None:
    worker = {"name": "worker-container"}
    assert problems(runtimes.check, runtime("new", workerSpec={"containers": [worker]})) == {}
    refused = {
        "removing workerSpec where it already exists is not allowed": {},
        "Required value": {"workerSpec": {}},
        "setting multiple containers in workerSpec": {"workerSpec": {"containers": [worker, worker]}},
        "PipelineParallelSize cannot be less than 1": {
            "workerSpec": {"containers": [worker], "pipelineParallelSize": 0}
        },
        "Unknown GPU resource type": {
            "workerSpec": {"containers": [{**worker, "resources": {"limits": {"x.com/gpu": 1}}}]}
        },
    }
    old = runtime("new", workerSpec={"containers": [worker]})
    for words, spec in refused.items():
        assert words in str(problems(runtimes.check, runtime("new", **spec), old))
    variables = [{"name": "kserve-container", "env": [{"name": "PIPELINE_PARALLEL_SIZE", "value": "1"}]}]
    found = problems(
        runtimes.check, runtime("new", containers=variables, workerSpec={"containers": [worker]})
    )
    assert "setting PIPELINE_PARALLEL_SIZE in environment variables is not allowed" in str(found)


def test_a_runtime_may_not_change_where_python_looks() -> None:
    hostile = [{"name": "kserve-container", "env": [{"name": "PYTHONPATH", "value": "/mnt/models"}]}]
    found = problems(runtimes.check, runtime("new", containers=hostile))
    assert 'setting PYTHONPATH in container "kserve-container" is not allowed' in str(found)


def graph(nodes: Any, name: str = "graph", **spec: Any) -> dict[str, str]:
    return problems(graphs.check, {"metadata": {"name": name}, "spec": {"nodes": nodes, **spec}})


def node(*steps: Any, router: str = "Sequence") -> dict[str, Any]:
    return {"routerType": router, "steps": list(steps)}


A, B = {"serviceName": "a"}, {"serviceName": "b"}


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ({}, "root node not found"),
        ({"other": node(A)}, "InferenceGraph needs a node with name 'root'"),
        ({"root": node({**A, "name": "x"}, {**B, "name": "x"})}, 'contains more than one step with name "x"'),
        (
            {"root": node({"name": "x"})},
            'Step 0 ("x") in node "root" of InferenceGraph "graph" does not specify',
        ),
        (
            {"root": node({**A, "serviceUrl": "http://a"})},
            "specifies more than one of nodeName, serviceName, serviceUrl",
        ),
        (
            {"root": node(A, router="Splitter")},
            "InferenceGraph[graph] Node[root] Route[a] missing the 'Weight'",
        ),
        (
            {"root": node({**A, "weight": 40}, {**B, "weight": 40}, router="Splitter")},
            "the sum of traffic weights for all routing targets should be 100",
        ),
        (
            {"root": node({**A, "weight": -1}, {**B, "weight": 101}, router="Splitter")},
            "greater than or equal to 0",
        ),
        ({"root": node({"nodeName": "gone"})}, 'Not found: "gone"'),
        ({"root": node({"nodeName": "root"})}, "nodes lead back to themselves: root -> root"),
        (
            {
                "root": node(A, {"nodeName": "one"}),
                "one": node({"nodeName": "two"}),
                "two": node({"nodeName": "one"}),
            },
            "nodes lead back to themselves: one -> two -> one",
        ),
    ],
)
def test_graphs_that_lead_nowhere(nodes: Any, words: str) -> None:
    assert words in str(graph(nodes).values())


def test_graphs_that_lead_somewhere() -> None:
    assert graph({"root": node({**A, "weight": 40}, {**B, "weight": 60}, router="Splitter")}) == {}
    diamond = {
        "root": node({"nodeName": "left"}, {"nodeName": "right"}, router="Ensemble"),
        "left": node({"nodeName": "end"}),
        "right": node({"nodeName": "end"}),
        "end": node(A),
    }
    assert graph(diamond) == {}
    deep = {f"n{count}": node({"nodeName": f"n{count + 1}"}) for count in range(5000)}
    assert graph({"root": node({"nodeName": "n0"}), **deep, "n5000": node(A)}) == {}
    assert "metadata.name" in graph({"root": node(A)}, name="1st")
    assert "spec.minReplicas" in graph({"root": node(A)}, minReplicas=2, maxReplicas=1)


def trained(uri: str = "s3://a", memory: Any = "1Gi", name: str = "my_Model-1") -> dict[str, Any]:
    model = {"storageUri": uri, "framework": "sklearn", "memory": memory}
    return {"metadata": {"name": name}, "spec": {"inferenceService": "a", "model": model}}


def test_trained_models() -> None:
    for uri in ("s3://a", "gs://a", "https://a/b", "http://a/b", "pvc://a/b"):
        assert problems(trained_models.check, trained(uri)) == {}
    found = problems(trained_models.check, trained("/a"))
    assert "The storage uri must start with one of the prefixes: s3://, gs://" in str(found)
    assert "metadata.name" in problems(trained_models.check, trained(name="a.b"))
    assert problems(trained_models.check, trained(memory="1024Mi"), trained(memory="1Gi")) == {}
    assert "memory field is immutable" in str(
        problems(trained_models.check, trained(memory="2Gi"), trained())
    )


def test_storage_containers_and_caches() -> None:
    def container(*formats: Any, workload: str = "initContainer") -> dict[str, str]:
        spec = {"container": {}, "supportedUriFormats": list(formats), "workloadType": workload}
        return problems(others.check_storage_container, {"metadata": {"name": "c"}, "spec": spec})

    assert container({"prefix": "a://"}, {"regex": "a(b)"}) == {}
    assert "cannot be read" in str(container({"regex": "("}))
    assert "a prefix or a regex" in str(container({}))
    assert "spec.workloadType" in container({"prefix": "a"}, workload="job")
    cache = {"metadata": {"name": "one"}, "spec": {"sourceModelUri": "s3://a"}}
    other = {"metadata": {"name": "two"}, "spec": {"sourceModelUri": "s3://a"}}
    assert problems(others.check_cache, cache, None, cache) == {}
    assert "LocalModelCache two has the same StorageURI s3://a" in str(
        problems(others.check_cache, cache, None, other)
    )
