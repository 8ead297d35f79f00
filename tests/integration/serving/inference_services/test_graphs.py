"""InferenceGraphs: their routers, and what their status says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sampan.components.serving.api.kinds import INFERENCE_GRAPHS, INFERENCE_SERVICES
from sampan.components.serving.engine.inference_services.addresses import Domain
from sampan.components.serving.engine.routing.inference_graphs import routes
from sampan.kube import meta
from sampan.kube.kinds import CONFIG_MAPS, DEPLOYMENTS, HORIZONTAL_POD_AUTOSCALERS, SERVICE_ACCOUNTS, SERVICES

from .conftest import Serving, condition, sklearn

STANDARD = {"annotations": {"serving.kserve.io/deploymentMode": "Standard"}}
DOMAIN = Domain(port=8080)


def graph(
    *steps: dict[str, Any], kind: str = "Sequence", metadata: dict[str, Any] | None = None, **spec: Any
) -> Any:
    nodes = {"root": {"routerType": kind, "steps": list(steps)}}
    return {
        "apiVersion": INFERENCE_GRAPHS.api_version,
        "kind": INFERENCE_GRAPHS.kind,
        "metadata": {"name": "chain", "namespace": "team", **(metadata or {})},
        "spec": {"nodes": nodes, **spec},
    }


async def becomes(
    serving: Serving, status: str = "True", type_: str = "Ready", reason: str | None = None
) -> Any:
    async def look() -> Any:
        found = await serving.get(INFERENCE_GRAPHS, "chain") or {}
        said = condition(found, type_)
        is_newest = meta.status(found).get("observedGeneration") == meta.generation(found)
        return (
            found
            if is_newest and said.get("status") == status and reason in (None, said.get("reason"))
            else None
        )

    return await serving.until(look)


def told(deployment: Any) -> Any:
    """What its router is told."""
    args = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    assert args[0] == "--graph-json"
    return json.loads(args[1])


def backends(obj: Any) -> Any:
    (route,) = routes(obj, DOMAIN)
    return [(each.service, each.port, each.weight) for each in route.rules[0].backends]


def test_a_graph_waits_for_its_services_and_becomes_ready(run):
    async def scenario(serving):
        made = graph({"serviceName": "iris"}, {"serviceName": "other", "data": "$response"})
        await serving.client.create(INFERENCE_GRAPHS, made)
        found = await becomes(serving, "False", reason="ServiceNotFound")
        message = condition(found, "ServicesReady")["message"]
        assert "Failed to find graph service iris" in message
        assert "Failed to find graph service other" in message
        assert await serving.names(DEPLOYMENTS) == []
        await serving.make("iris")
        await serving.make("other", predictor={"model": {
            "modelFormat": {"name": "sklearn"}, "storageUri": "file:///m", "protocolVersion": "v2",
            "args": ["--model_name=mine"],
        }})  # fmt: skip
        found = await becomes(serving)
        assert meta.status(found)["url"] == "http://chain-team.localhost:8080"
        assert {each["type"]: each["status"] for each in meta.status(found)["conditions"]} == {
            "ConfigurationsReady": "True",
            "Ready": "True",
            "RoutesReady": "True",
            "ServicesReady": "True",
            "Stopped": "False",
        }
        deployment = await serving.one(DEPLOYMENTS, "chain-00001-deployment")
        assert [each["serviceUrl"] for each in told(deployment)["nodes"]["root"]["steps"]] == [
            "http://iris.team.svc.cluster.local/v1/models/iris:predict",
            "http://other.team.svc.cluster.local/v2/models/mine/infer",
        ]
        annotations = meta.annotations(deployment)
        assert annotations["autoscaling.knative.dev/class"] == "kpa.autoscaling.knative.dev"
        assert annotations["autoscaling.knative.dev/min-scale"] == "1"
        assert {"chain", "chain-00001"} <= set(await serving.names(SERVICES))
        (route,) = routes(found, DOMAIN)
        assert route.hosts[:2] == ("chain-team.localhost", "chain.team")
        assert route.prefixes == ("/serving/team/chain",)
        assert backends(found) == [("chain-00001", 80, 100)]
        assert route.rules[0].backends[0].target.name == "chain-00001-deployment"
        assert await serving.events("InferenceGraphReady", "chain") == ["InferenceGraph [chain] is Ready"]

    run(scenario)


def test_a_changed_graph_is_a_new_revision_and_takes_over_when_it_is_ready(run):
    async def scenario(serving):
        await serving.client.create(INFERENCE_GRAPHS, graph({"serviceUrl": "http://a"}))
        await becomes(serving)
        serving.does["00002"] = "waits"
        changed = {"spec": {"nodes": {"root": {"steps": [{"serviceUrl": "http://b"}]}}, "minReplicas": 2}}
        await serving.client.patch(INFERENCE_GRAPHS, "chain", changed, "team")
        found = await becomes(serving, "Unknown")
        assert backends(found) == [("chain-00001", 80, 100)]
        await serving.act_again("00002", "ready")
        found = await becomes(serving)
        assert backends(found) == [("chain-00002", 80, 100)]
        assert told(await serving.one(DEPLOYMENTS, "chain-00002-deployment"))["nodes"]["root"]["steps"] == [
            {"serviceUrl": "http://b"}
        ]

    run(scenario)


def test_mode_standard_is_plain_kubernetes(run):
    async def scenario(serving):
        spec = {
            "minReplicas": 2,
            "maxReplicas": 4,
            "resources": {"limits": {"cpu": "2"}, "requests": {"memory": "1Gi"}},
            "tolerations": [{"key": "a", "operator": "Exists"}],
            "nodeSelector": {"disk": "fast"},
            "serviceAccountName": "router",
            "routerTimeouts": {"serviceClient": 5},
        }
        metadata = {**STANDARD, "labels": {"team": "a"}}
        await serving.client.create(SERVICE_ACCOUNTS, {"metadata": {"name": "router", "namespace": "team"}})
        await serving.client.create(
            INFERENCE_GRAPHS, graph({"serviceUrl": "http://a"}, metadata=metadata, **spec)
        )
        found = await becomes(serving)
        assert {each["type"] for each in meta.status(found)["conditions"]} == {
            "Ready",
            "ServicesReady",
            "Stopped",
        }
        assert meta.status(found)["url"] == "http://chain-team.localhost:8080"
        deployment = await serving.one(DEPLOYMENTS, "chain")
        template = deployment["spec"]["template"]
        (container,) = template["spec"]["containers"]
        assert container["name"] == "chain"
        assert container["resources"] == spec["resources"]
        assert template["spec"]["tolerations"] == spec["tolerations"]
        assert template["spec"]["nodeSelector"] == spec["nodeSelector"]
        assert template["spec"]["serviceAccountName"] == "router"
        assert template["spec"]["automountServiceAccountToken"] is False
        assert template["metadata"]["labels"]["team"] == "a"
        assert told(deployment)["routerTimeouts"] == {"serviceClient": 5}
        service = await serving.one(SERVICES, "chain")
        (port,) = service["spec"]["ports"]
        assert (port["port"], port["targetPort"]) == (80, 8080)
        scaler = await serving.one(HORIZONTAL_POD_AUTOSCALERS, "chain")
        assert (scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]) == (2, 4)
        assert backends(found) == [("chain", 80, 100)]

    run(scenario)


@pytest.mark.parametrize("metadata", [{}, STANDARD], ids=["Knative", "Standard"])
def test_stop_takes_all_of_it_away_and_it_comes_back(run, metadata):
    async def scenario(serving):
        await serving.client.create(INFERENCE_GRAPHS, graph({"serviceUrl": "http://a"}, metadata=metadata))
        await becomes(serving)
        await becomes(serving, "False", "Stopped")
        stop = {"metadata": {"annotations": {"serving.kserve.io/stop": "true"}}}
        await serving.client.patch(INFERENCE_GRAPHS, "chain", stop, "team")
        found = await becomes(serving, "True", "Stopped")
        assert condition(found, "Ready")["reason"] == "Stopped"
        assert "url" not in meta.status(found)
        assert "it is stopped" in routes(found, DOMAIN)[0].refusal
        for kind in (DEPLOYMENTS, SERVICES, HORIZONTAL_POD_AUTOSCALERS):
            await serving.until(lambda kind=kind: _none(serving, kind))
        stop["metadata"]["annotations"]["serving.kserve.io/stop"] = "false"
        await serving.client.patch(INFERENCE_GRAPHS, "chain", stop, "team")
        found = await becomes(serving)
        assert routes(found, DOMAIN)[0].refusal == ""

    run(scenario)


async def _none(serving: Serving, kind: Any) -> bool:
    return not await serving.names(kind)


def test_the_config_map_says_how_routers_are(run):
    async def scenario(serving):
        router = {
            "image": "mine/router:1",
            "cpuRequest": "5m",
            "headers": {"propagate": ["Authorization", "X-.*"]},
        }
        data = {"router": json.dumps(router)}
        body = {"metadata": {"name": "inferenceservice-config", "namespace": "kserve"}, "data": data}
        await serving.client.create(CONFIG_MAPS, body)
        await serving.client.create(INFERENCE_GRAPHS, graph({"serviceUrl": "http://a"}))
        await becomes(serving)
        (container,) = (await serving.one(DEPLOYMENTS, "chain-00001-deployment"))["spec"]["template"]["spec"][
            "containers"
        ]
        assert container["image"] == "mine/router:1"
        assert container["env"] == [{"name": "PROPAGATE_HEADERS", "value": "Authorization,X-.*"}]
        assert container["resources"]["requests"] == {"cpu": "5m", "memory": "100Mi"}

    run(scenario)


def test_a_running_graph_says_what_it_has_lost_and_goes_on(run):
    async def scenario(serving):
        await serving.make("iris")
        await serving.client.create(INFERENCE_GRAPHS, graph({"serviceName": "iris"}))
        await becomes(serving)
        await serving.client.delete(INFERENCE_SERVICES, "iris", "team")
        found = await becomes(serving, "False", reason="ServiceNotFound")
        assert meta.status(found)["url"] == "http://chain-team.localhost:8080"
        assert backends(found) == [("chain-00001", 80, 100)]
        assert routes(found, DOMAIN)[0].refusal == ""
        await serving.make("iris", predictor=sklearn("file:///m", name="x"))
        await becomes(serving)
        assert len(await serving.names(DEPLOYMENTS)) >= 1

    run(scenario)


def test_a_graph_that_cannot_be_served_says_why(run):
    async def scenario(serving):
        made = graph({"nodeName": "root"})
        await serving.client.create(INFERENCE_GRAPHS, made)
        found = await becomes(serving, "False", reason="InvalidGraph")
        assert "root -> root" in condition(found, "Ready")["message"]
        assert "root -> root" in routes(found, DOMAIN)[0].refusal
        assert await serving.names(DEPLOYMENTS) == []
        long = [{"serviceUrl": "http://a", "condition": "a" * 2000}] * 60
        await serving.client.patch(
            INFERENCE_GRAPHS, "chain", {"spec": {"nodes": {"root": {"steps": long}}}}, "team"
        )
        found = await becomes(serving, "False", reason="InvalidGraph")
        assert "longer than" in condition(found, "Ready")["message"]

    run(scenario)


def test_another_mode_takes_the_place_of_the_first(run):
    async def scenario(serving):
        await serving.client.create(INFERENCE_GRAPHS, graph({"serviceUrl": "http://a"}))
        await becomes(serving)
        await serving.client.patch(INFERENCE_GRAPHS, "chain", {"metadata": STANDARD}, "team")
        await serving.until(lambda: _only(serving, ["chain"]))
        await serving.until(lambda: _is_routed(serving, [("chain", 80, 100)]))
        service = await serving.one(SERVICES, "chain")
        assert service["spec"]["selector"] == {"app": "isvc.chain"}

    run(scenario)


async def _only(serving: Serving, names: list[str]) -> bool:
    return await serving.names(DEPLOYMENTS) == names


async def _is_routed(serving: Serving, to: Any) -> bool:
    return backends(await serving.get(INFERENCE_GRAPHS, "chain")) == to
