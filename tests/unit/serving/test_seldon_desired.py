"""What a SeldonDeployment wants there to be: names, ports and variables are those of seldon-core 1.18.2's operator."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from sampan.components.serving.engine.seldon import desired, spec
from sampan.components.serving.engine.seldon.config import SeldonConfig
from sampan.components.serving.engine.seldon.desired import Desired

CONFIG = SeldonConfig(is_embedded=False)


def wanted(
    *predictors: dict[str, Any], name: str = "m", config: SeldonConfig = CONFIG, **told: Any
) -> Desired:
    sdep = {"metadata": {"name": name, "namespace": "n"}, "spec": {**told, "predictors": list(predictors)}}
    return desired.desired(spec.with_defaults(sdep, config), config)


def predictor(*names: str, graph: dict[str, Any], **more: Any) -> dict[str, Any]:
    pods = [{"spec": {"containers": [{"name": name, "image": f"{name}:1"}]}} for name in names]
    return {"name": "p", "graph": graph, "componentSpecs": pods, **more}


def container(found: Desired, deployment: str, name: str) -> dict[str, Any]:
    containers = found.deployments[deployment]["spec"]["template"]["spec"]["containers"]
    return next(each for each in containers if each["name"] == name)


def variables(of: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each.get("value", "") for each in of["env"]}


def graph_of(found: Desired, deployment: str) -> dict[str, Any]:
    text = variables(container(found, deployment, "seldon-container-engine"))["ENGINE_PREDICTOR"]
    predictor_: dict[str, Any] = json.loads(base64.b64decode(text))
    return predictor_["graph"]


def test_a_model_shares_its_pod_with_the_executor() -> None:
    found = wanted(predictor("classifier", graph={"name": "classifier"}, replicas=2))
    assert list(found.deployments) == ["m-p-0-classifier"]
    assert sorted(found.services) == ["m-p", "m-p-classifier"]
    assert found.deployments["m-p-0-classifier"]["spec"]["replicas"] == 2
    env = variables(container(found, "m-p-0-classifier", "classifier"))
    assert env["PREDICTIVE_UNIT_ID"] == "classifier"
    assert env["PREDICTIVE_UNIT_HTTP_SERVICE_PORT"] == env["PREDICTIVE_UNIT_SERVICE_PORT"] == "9000"
    assert env["PREDICTIVE_UNIT_GRPC_SERVICE_PORT"] == "9500"
    assert env["PREDICTIVE_UNIT_METRICS_SERVICE_PORT"] == "6000"
    assert (env["PREDICTOR_ID"], env["SELDON_DEPLOYMENT_ID"]) == ("p", "m")
    assert json.loads(env["PREDICTOR_LABELS"]) == {"version": "p"}
    assert graph_of(found, "m-p-0-classifier")["type"] == "MODEL"
    assert graph_of(found, "m-p-0-classifier")["endpoint"]["service_host"] == "localhost"
    assert found.address == "http://m-p.n.svc.cluster.local:8000/api/v1.0/predictions"


def test_units_of_other_pods_are_asked_by_their_services() -> None:
    graph = {"name": "a", "children": [{"name": "b", "type": "MODEL"}], "type": "TRANSFORMER"}
    found = wanted(predictor("a", "b", graph=graph))
    assert list(found.deployments) == ["m-p-0-a", "m-p-1-b"]
    child = graph_of(found, "m-p-0-a")["children"][0]["endpoint"]
    assert child["service_host"] == "m-p-b.n.svc.cluster.local"
    assert (child["httpPort"], child["grpcPort"]) == (9001, 9501)
    selector = found.deployments["m-p-1-b"]["spec"]["selector"]["matchLabels"]
    assert selector == {"seldon-deployment-id": "m", "seldon-app-svc-b": "m-p-b"}


@pytest.mark.parametrize(
    ("told", "names"),
    [
        ({"annotations": {"seldon.io/engine-separate-pod": "true"}}, ["m-p-0-classifier", "m-p-svc-orch"]),
        ({}, ["m-p-0-classifier"]),
    ],
)
def test_the_executor_may_have_a_pod_of_its_own(told: dict[str, Any], names: list[str]) -> None:
    found = wanted(predictor("classifier", graph={"name": "classifier"}), **told)
    assert sorted(found.deployments) == names


def test_a_graph_of_built_in_units_has_an_executor_too() -> None:
    found = wanted(predictor(graph={"name": "s", "implementation": "SIMPLE_MODEL"}))
    assert list(found.deployments) == ["m-p-svc-orch"]
    assert list(found.services) == ["m-p"]


def test_without_an_executor_the_model_itself_is_asked() -> None:
    alone = predictor("c", graph={"name": "c"}, annotations={"seldon.io/no-engine": "true"})
    found = wanted(alone)
    containers = found.deployments["m-p-0-c"]["spec"]["template"]["spec"]["containers"]
    assert [each["name"] for each in containers] == ["c"]
    assert [each["port"] for each in found.services["m-p"]["spec"]["ports"]] == [9000, 9500]


def test_long_names_become_digests() -> None:
    found = wanted(predictor("classifier", graph={"name": "classifier"}), name="a" * 60)
    assert all(len(each) <= 63 and each.startswith("seldon-") for each in found.deployments)


@pytest.mark.parametrize(
    ("implementation", "protocol", "image"),
    [
        ("SKLEARN_SERVER", "seldon", "seldonio/sklearnserver:1.18.2"),
        ("SKLEARN_SERVER", "v2", "seldonio/mlserver:1.3.5-sklearn"),
        ("SKLEARN_SERVER", "kfserving", "seldonio/mlserver:1.3.5-sklearn"),
        ("TRITON_SERVER", "v2", "nvcr.io/nvidia/tritonserver:21.08-py3"),
        ("TENSORFLOW_SERVER", "tensorflow", "tensorflow/serving:2.1.0"),
        ("TENSORFLOW_SERVER", "seldon", "seldonio/tfserving-proxy:1.18.2"),
    ],
)
def test_prepackaged_servers_have_their_protocols_image(
    implementation: str, protocol: str, image: str
) -> None:
    graph = {"name": "c", "implementation": implementation, "modelUri": "s3://models/x"}
    found = wanted({"name": "p", "graph": graph}, protocol=protocol)
    assert container(found, "m-p-0-c", "c")["image"] == image
    assert [(each.uri, each.deployment) for each in found.fetches] == [("s3://models/x", "m-p-0-c")]


def test_a_server_is_told_where_its_model_is() -> None:
    parameters = [{"name": "method", "type": "STRING", "value": "predict"}]
    graph = {"name": "c", "implementation": "SKLEARN_SERVER", "modelUri": "s3://x", "parameters": parameters}
    found = wanted({"name": "p", "graph": graph})
    told = json.loads(variables(container(found, "m-p-0-c", "c"))["PREDICTIVE_UNIT_PARAMETERS"])
    assert told == [*parameters, {"name": "model_uri", "type": "STRING", "value": "/mnt/models"}]


def test_tensorflow_serving_stands_beside_its_proxy() -> None:
    graph = {"name": "c", "implementation": "TENSORFLOW_SERVER", "modelUri": "gs://x"}
    found = wanted({"name": "p", "graph": graph})
    server = container(found, "m-p-0-c", "tfserving")
    assert server["args"] == [
        "--port=2000",
        "--rest_api_port=2001",
        "--model_name=c",
        "--model_base_path=/mnt/models",
    ]
    assert found.fetches[0].container == "tfserving"


def test_an_explainer_is_a_deployment_of_its_own() -> None:
    graph = {"name": "c", "implementation": "SKLEARN_SERVER", "modelUri": "s3://x"}
    explainer = {"type": "AnchorTabular", "modelUri": "s3://e", "config": {"a": "s3://e/b"}}
    found = wanted({"name": "p", "graph": graph, "explainer": explainer})
    made = container(found, "m-p-explainer", "m-p-explainer")
    assert made["args"] == [
        "--model_name=c",
        "--predictor_host=m-p.n:8000",
        "--protocol=seldon.http",
        "--http_port=9000",
        "--storage_uri=/mnt/models",
        "AnchorTabular",
        "--a=/mnt/models/b",
    ]
    assert found.endpoints["m-p-explainer"].explains == "m-p"


def test_pods_that_name_no_user_run_as_the_one_that_is_set() -> None:
    """As seldon-core 1.18.2 does by DEFAULT_USER_ID (operator/controllers/security.go and who asks it)."""
    graph = {"name": "a", "children": [{"name": "b"}]}
    told = predictor("a", "b", graph=graph, explainer={"type": "AnchorTabular"})
    told["componentSpecs"][1]["spec"]["securityContext"] = {"fsGroup": 5}
    separate = {"annotations": {"seldon.io/engine-separate-pod": "true"}}

    def contexts(config: SeldonConfig) -> dict[str, Any]:
        made = wanted(told, config=config, **separate).deployments
        return {name: each["spec"]["template"]["spec"].get("securityContext") for name, each in made.items()}

    theirs = {"m-p-1-b": {"fsGroup": 5}}
    others = ("m-p-0-a", "m-p-svc-orch", "m-p-explainer")
    assert contexts(SeldonConfig.of({}, is_embedded=False, user=8888)) == {
        **{name: {"runAsUser": 8888} for name in others},
        **theirs,
    }
    assert contexts(CONFIG) == {**dict.fromkeys(others), **theirs}
    assert told["componentSpecs"][0]["spec"].get("securityContext") is None


def test_an_autoscaler_has_the_replicas() -> None:
    metric = {"type": "Resource", "resource": {"name": "cpu", "targetAverageUtilization": 10}}
    pod = {
        "spec": {"containers": [{"name": "c", "image": "x"}]},
        "hpaSpec": {"minReplicas": 1, "maxReplicas": 3, "metrics": [metric]},
        "pdbSpec": {"minAvailable": 1},
    }
    found = wanted({"name": "p", "graph": {"name": "c"}, "componentSpecs": [pod], "replicas": 2})
    assert "replicas" not in found.deployments["m-p-0-c"]["spec"]
    scaled = found.autoscalers["m-p-0-c"]["spec"]
    assert scaled["metrics"] == [
        {
            "type": "Resource",
            "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 10}},
        }
    ]
    assert found.budgets["m-p-0-c"]["spec"]["minAvailable"] == 1


def test_traffic_and_replicas_change_no_pod() -> None:
    first, second = (
        wanted(predictor("c", graph={"name": "c"}, traffic=traffic, replicas=replicas))
        for traffic, replicas in ((100, 1), (0, 3))
    )
    name = "m-p-0-c"
    assert first.deployments[name]["spec"]["template"] == second.deployments[name]["spec"]["template"]


def test_in_the_embedded_cluster_readiness_is_asked_at_once() -> None:
    found = wanted(predictor("c", graph={"name": "c"}), config=SeldonConfig())
    for name in ("c", "seldon-container-engine"):
        assert container(found, "m-p-0-c", name)["readinessProbe"]["initialDelaySeconds"] == 0
    assert "lifecycle" not in container(found, "m-p-0-c", "c")
