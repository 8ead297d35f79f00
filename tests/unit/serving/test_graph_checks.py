"""Which graphs cannot be served, and how those that can name their services."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sampan.components.serving.engine.graphs.checks import problem_of
from sampan.components.serving.engine.graphs.resolving import named_services, resolve


def graph(nodes: Any) -> dict[str, Any]:
    return {"metadata": {"name": "chain", "namespace": "team"}, "spec": {"nodes": nodes}}


def chain(length: int) -> dict[str, Any]:
    nodes = {f"n{n}": {"routerType": "Sequence", "steps": [{"nodeName": f"n{n + 1}"}]} for n in range(length)}
    last = {"routerType": "Sequence", "steps": []}
    return {"root": {"routerType": "Sequence", "steps": [{"nodeName": "n0"}]}, **nodes, f"n{length}": last}


@pytest.mark.parametrize(
    ("nodes", "word"),
    [
        ({"root": {"routerType": "Sequence", "steps": [{"nodeName": "a"}]}}, "there is no node 'a'"),
        (
            {
                "root": {"routerType": "Sequence", "steps": [{"nodeName": "a"}]},
                "a": {"routerType": "Switch", "steps": [{"nodeName": "root"}]},
            },
            "root -> a -> root",
        ),
        ({"other": {"routerType": "Sequence", "steps": []}}, "root node not found"),
        (
            {"root": {"routerType": "Splitter", "steps": [{"serviceUrl": "http://a", "weight": 99}]}},
            "add up to 100",
        ),
        (
            {"root": {"routerType": "Sequence", "steps": [{"serviceUrl": "http://a", "serviceName": "b"}]}},
            "exactly one",
        ),
        (
            {
                "root": {"routerType": "Sequence", "steps": [{"nodeName": "n0"}]},
                **{
                    f"n{n}": {"routerType": "Sequence", "steps": [{"nodeName": f"n{n + 1}"}]}
                    for n in range(900)
                },
                "n900": {"routerType": "Sequence", "steps": []},
            },
            "more than 64 deep",
        ),
        (
            {"root": {"routerType": "Sequence"}, **{f"n{n}": {"routerType": "Switch"} for n in range(2000)}},
            "at most",
        ),
    ],
)
def test_a_graph_that_cannot_be_served_says_why(nodes: Any, word: str) -> None:
    assert word in problem_of(graph(nodes))


@pytest.mark.parametrize("nodes", [chain(3), chain(60)])
def test_what_can_be_served_has_no_problem(nodes: Any) -> None:
    assert problem_of(graph(nodes)) == ""


def service(predictor: Any, transformer: Any = None, address: str = "http://a") -> dict[str, Any]:
    spec = {"predictor": predictor, **({"transformer": transformer} if transformer else {})}
    return {
        "metadata": {"name": "iris", "namespace": "team"},
        "spec": spec,
        "status": {"address": {"url": address}},
    }


def url_of(found: Any, runtimes: Any = None) -> str:
    made = graph({"root": {"routerType": "Sequence", "steps": [{"serviceName": "iris"}]}})
    resolved = resolve(made, lambda _: found, lambda name: (runtimes or {}).get(name, ()))
    if not resolved.graph_json:
        return resolved.message
    return str(json.loads(resolved.graph_json)["nodes"]["root"]["steps"][0]["serviceUrl"])


def model(**more: Any) -> dict[str, Any]:
    return {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": "gs://a", **more}}


@pytest.mark.parametrize(
    ("found", "url"),
    [
        (service(model()), "http://a/v1/models/iris:predict"),
        (service({"sklearn": {"storageUri": "gs://a"}}), "http://a/v1/models/iris:predict"),
        (service({"huggingface": {"storageUri": "gs://a"}}), "http://a/v2/models/iris/infer"),
        (service(model(protocolVersion="v2")), "http://a/v2/models/iris/infer"),
        (service(model(protocolVersion="grpc-v2")), "http://a"),
        (service(model(args=["--model_name=mine"])), "http://a/v1/models/mine:predict"),
        (service(model(args=["--model_name", "mine"])), "http://a/v1/models/mine:predict"),
        (service(model(args=["--model_name", "--x"])), "http://a/v1/models/iris:predict"),
        (service(model(env=[{"name": "MLSERVER_MODEL_NAME", "value": "m"}])), "http://a/v1/models/m:predict"),
        (service(model(runtime="two")), "http://a/v2/models/iris/infer"),
        (
            service(model(runtime="grpc")),
            "service iris: its runtime speaks neither V1 nor V2, so no graph can ask it",
        ),
        (service({"model": {"modelFormat": {"name": "sklearn"}}}), "http://a"),
        (service({"containers": [{"args": ["--model_name", "c"]}]}), "http://a/v1/models/c:predict"),
        (
            service({"containers": [{"env": [{"name": "PROTOCOL", "value": "v2"}]}]}),
            "http://a/v2/models/iris/infer",
        ),
        (service(model(), {"containers": [{"args": ["--model_name", "t"]}]}), "http://a/v1/models/t:predict"),
        (service(model(), address=""), "service iris is not ready: it has no address yet"),
        (None, "Failed to find graph service iris: there is no InferenceService of that name"),
    ],
)
def test_a_service_is_asked_by_its_protocol(found: Any, url: str) -> None:
    assert url_of(found, {"two": ["grpc-v2", "v2"], "grpc": ["grpc-v2"]}) == url


def test_the_same_graph_is_the_same_text() -> None:
    step = {"serviceUrl": "http://a", "name": "b"}
    one = graph({"root": {"steps": [step], "routerType": "Sequence"}, "a": {"routerType": "Switch"}})
    other = graph(
        {
            "a": {"routerType": "Switch"},
            "root": {"routerType": "Sequence", "steps": [dict(reversed(step.items()))]},
        }
    )
    assert resolve(one, lambda _: None, lambda _: ()) == resolve(other, lambda _: None, lambda _: ())


def test_nonsense_is_read_as_nothing() -> None:
    for nodes in (
        None,
        5,
        {"root": 7},
        {"root": {"steps": "x"}},
        {"root": {"steps": [5, {"serviceName": 3}]}},
    ):
        assert named_services(graph(nodes)) == frozenset()
        assert problem_of(graph(nodes))


@pytest.mark.parametrize(("kind", "is_too_much"), [("Ensemble", True), ("Sequence", True), ("Switch", False)])
def test_one_request_becomes_no_flood(kind: str, is_too_much: bool) -> None:
    def node(number: int) -> dict[str, Any]:
        target = {"nodeName": f"n{number + 1}"} if number < 20 else {"serviceUrl": "http://a"}
        return {"routerType": kind, "steps": [target, target]}

    nodes = {f"n{number}" if number else "root": node(number) for number in range(21)}
    assert ("more than 10000 calls" in problem_of(graph(nodes))) == is_too_much
