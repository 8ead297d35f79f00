"""SeldonDeployments against the embedded API server: what is made, what their status says, what goes again."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sampan.components.serving.api.kinds import SELDON_DEPLOYMENTS
from sampan.components.serving.controller.seldon.reconciler import SeldonReconciler
from sampan.kube import meta
from sampan.kube.kinds import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    HORIZONTAL_POD_AUTOSCALERS,
    NAMESPACES,
    POD_DISRUPTION_BUDGETS,
    SERVICES,
)
from sampan.kube.meta import Object
from sampan.reconcile.manager import Manager

from .conftest import Serving

Scenario = Callable[[Serving], Awaitable[None]]


def predictor(name: str = "p", container: str = "classifier", **more: Any) -> dict[str, Any]:
    pod = {"spec": {"containers": [{"name": container, "image": "seldonio/mock_classifier:1"}]}}
    return {"name": name, "graph": {"name": container}, "componentSpecs": [pod]} | more


async def make(serving: Serving, *predictors: Any, name: str = "m", **spec: Any) -> None:
    body = {
        "apiVersion": SELDON_DEPLOYMENTS.api_version,
        "kind": SELDON_DEPLOYMENTS.kind,
        "metadata": {"name": name, "namespace": "team"},
        "spec": {**spec, "predictors": list(predictors)},
    }
    await serving.client.create(SELDON_DEPLOYMENTS, body)


async def change(serving: Serving, *predictors: Any) -> None:
    patch = {"spec": {"predictors": list(predictors)}}
    await serving.client.patch(SELDON_DEPLOYMENTS, "m", patch, "team")


async def becomes(serving: Serving, state: str, name: str = "m", part: str = "") -> Object:
    async def look() -> Object | None:
        found = await serving.get(SELDON_DEPLOYMENTS, name) or {}
        status = meta.status(found)
        return found if status.get("state") == state and part in str(status.get("description", "")) else None

    found: Object = await serving.until(look)
    return found


async def told_of(serving: Serving, reason: str, count: int) -> bool:
    """Whether there are as many events of the reason, each about another object."""
    return len(set(await serving.events(reason, "m"))) == count


async def names_are(serving: Serving, kind: Any, *names: str) -> None:
    async def look() -> bool:
        return await serving.names(kind) == sorted(names)

    await serving.until(look)


@pytest.fixture
def seldon(run: Callable[[Scenario], None]) -> Callable[[Scenario], None]:
    def runner(scenario: Scenario) -> None:
        async def with_controller(serving: Serving) -> None:
            manager = Manager([SeldonReconciler(serving.around()).controller()])
            await manager.start()
            try:
                await scenario(serving)
            finally:
                await manager.stop()

        run(with_controller)

    return runner


def test_it_becomes_available_and_what_it_no_longer_wants_goes(seldon: Callable[[Scenario], None]) -> None:
    async def scenario(serving: Serving) -> None:
        await make(serving, predictor("a", traffic=50), predictor("b", traffic=50))
        found = await becomes(serving, "Available")
        status = meta.status(found)
        assert sorted(status["deploymentStatus"]) == ["m-a-0-classifier", "m-b-0-classifier"]
        assert status["serviceStatus"]["m-a"]["httpEndpoint"] == "m-a.team:8000"
        assert all(each["status"] == "True" for each in status["conditions"])
        for reason, count in (("CreateService", 4), ("CreateDeployment", 2)):
            await serving.until(lambda reason=reason, count=count: told_of(serving, reason, count))
        await change(serving, predictor("a", "other"))
        await names_are(serving, DEPLOYMENTS, "m-a-0-other")
        await names_are(serving, SERVICES, "m-a", "m-a-other")

    seldon(scenario)


def test_an_autoscaler_and_a_budget_come_and_go(seldon: Callable[[Scenario], None]) -> None:
    async def scenario(serving: Serving) -> None:
        scaled = predictor()
        scaled["componentSpecs"][0] |= {"hpaSpec": {"maxReplicas": 3}, "pdbSpec": {"minAvailable": 1}}
        await make(serving, scaled)
        await becomes(serving, "Available")
        await names_are(serving, HORIZONTAL_POD_AUTOSCALERS, "m-p-0-classifier")
        await names_are(serving, POD_DISRUPTION_BUDGETS, "m-p-0-classifier")
        await change(serving, predictor())
        await names_are(serving, HORIZONTAL_POD_AUTOSCALERS)
        await names_are(serving, POD_DISRUPTION_BUDGETS)

    seldon(scenario)


def test_what_pods_say_is_told_at_once_and_forgotten(seldon: Callable[[Scenario], None]) -> None:
    async def scenario(serving: Serving) -> None:
        serving.does["m-p"] = "crashes"
        await make(serving, predictor())
        await becomes(serving, "Failed", part="ValueError: not a model")
        assert "ValueError" in (await serving.events("InternalError", "m"))[0]
        await serving.act_again("m-p", "ready")
        found = await becomes(serving, "Available")
        assert "description" not in meta.status(found)

    seldon(scenario)


@pytest.mark.parametrize(
    ("told", "part"),
    [
        ({"graph": {"name": "s", "implementation": "SKLEARN_SERVER", "modelUri": "no-scheme"}}, "no-scheme"),
        ({"annotations": {"seldon.io/executor-logger-queue-size": "many"}}, ""),
    ],
)
def test_what_cannot_be_done_is_said(
    seldon: Callable[[Scenario], None], told: dict[str, Any], part: str
) -> None:
    async def scenario(serving: Serving) -> None:
        graph = told.get("graph")
        annotations = told.get("annotations", {})
        await make(serving, predictor(graph=graph) if graph else predictor(), annotations=annotations)
        await becomes(serving, "Failed", part=part)

    seldon(scenario)


def test_a_model_is_fetched_with_the_secrets_variables(seldon: Callable[[Scenario], None]) -> None:
    async def scenario(serving: Serving) -> None:
        said = {"image": "seldonio/rclone-storage-initializer:1.18.2", "memoryRequest": "7Mi"}
        config = {
            "metadata": {"name": "seldon-config", "namespace": "seldon-system"},
            "data": {"storageInitializer": json.dumps(said)},
        }
        await serving.client.create(NAMESPACES, {"metadata": {"name": "seldon-system"}})
        await serving.client.create(CONFIG_MAPS, config)
        unit = {
            "implementation": "SKLEARN_SERVER",
            "modelUri": "mys3:models/iris",
            "envSecretRefName": "keys",
        }
        await make(serving, {"name": "p", "graph": {"name": "classifier", **unit}})
        deployment = await serving.one(DEPLOYMENTS, "m-p-0-classifier")
        (fetching,) = meta.spec(meta.spec(deployment)["template"])["initContainers"]
        assert (fetching["name"], fetching["image"]) == ("classifier-model-initializer", said["image"])
        assert fetching["args"] == ["s3://models/iris", "/mnt/models"]
        assert fetching["resources"]["requests"]["memory"] == "7Mi"
        assert fetching["envFrom"] == [{"secretRef": {"name": "keys", "optional": True}}]
        keys = {each["name"]: (each.get("valueFrom") or {}).get("secretKeyRef") for each in fetching["env"]}
        told = {"name": "keys", "key": "RCLONE_CONFIG_MYS3_ENDPOINT", "optional": True}
        assert keys["AWS_ENDPOINT_URL"] == told

    seldon(scenario)


def test_a_long_name_has_its_children_and_their_pods(seldon: Callable[[Scenario], None]) -> None:
    async def scenario(serving: Serving) -> None:
        name = "a" * 70
        await make(serving, predictor(), name=name)
        found = await becomes(serving, "Available", name)
        assert all(len(each) <= 63 for each in meta.status(found)["serviceStatus"])

    seldon(scenario)
