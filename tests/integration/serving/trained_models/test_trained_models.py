"""TrainedModels against the embedded API server: conditions, addresses, the list that their service's agent reads."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from typing import Any

from sampan.app.definitions import install
from sampan.cluster.apiserver.server import ApiServer
from sampan.components import Services
from sampan.components.serving.api.definitions import DEFINITIONS
from sampan.components.serving.api.kinds import INFERENCE_SERVICES, TRAINED_MODELS
from sampan.components.serving.api.settings import ServingSettings
from sampan.components.serving.controller import parts
from sampan.components.serving.controller.trained_models import reconciler
from sampan.components.serving.controller.trained_models.parts import trained_models
from sampan.kube import meta
from sampan.kube.errors import NotFoundError
from sampan.kube.kinds import CONFIG_MAPS, NAMESPACES
from sampan.lib.clock import SystemClock
from sampan.reconcile.manager import Manager
from sampan.store.database import Database
from sampan.testing.quiet import until_quiet


class World:
    def __init__(self, client: Any) -> None:
        self.client = client

    async def service(self, name="many", *, memory="1Gi", ready=True, **model):
        resources = {"limits": {"memory": memory}} if memory else {}
        predictor = {"model": {"modelFormat": {"name": "sklearn"}, "resources": resources, **model}}
        body = {"metadata": {"name": name, "namespace": "team"}, "spec": {"predictor": predictor}}
        await self.client.create(INFERENCE_SERVICES, body)
        await self.tell(name, ready=ready)

    async def tell(self, name, *, ready):
        status = {
            "conditions": [{"type": "Ready", "status": "True" if ready else "False", "message": "no room"}],
            "url": f"http://{name}-team.localhost:8080",
            "address": {"url": f"http://{name}.team.svc.cluster.local"},
        }
        await self.client.patch(INFERENCE_SERVICES, name, {"status": status}, "team", subresource="status")

    async def model(self, name, service="many", **more):
        told = {"storageUri": f"s3://models/{name}", "framework": "sklearn", "memory": "256Mi", **more}
        body = {
            "metadata": {"name": name, "namespace": "team"},
            "spec": {"inferenceService": service, "model": told},
        }
        return await self.client.create(TRAINED_MODELS, body)

    async def says(self, name, *conditions):
        """The model, as soon as those conditions are said of it: (type, status, reason)."""
        found: Any = {}
        async with asyncio.timeout(60):
            while True:
                found = await self.client.get(TRAINED_MODELS, name, "team")
                told = {
                    (each["type"], each["status"], each.get("reason", ""))
                    for each in meta.status(found).get("conditions") or ()
                }
                if set(conditions) <= told:
                    return found
                await asyncio.sleep(0.01)

    async def listed(self, *names, service="many"):
        """The service's list, as soon as these are on it."""
        async with asyncio.timeout(60):
            while True:
                with suppress(NotFoundError):
                    found = await self.client.get(CONFIG_MAPS, f"modelconfig-{service}-0", "team")
                    told = json.loads(found["data"]["models.json"])
                    if [each["modelName"] for each in told] == list(names):
                        return found, told
                await asyncio.sleep(0.01)

    async def gone(self, resource, name):
        async with asyncio.timeout(60):
            while True:
                try:
                    await self.client.get(resource, name, "team")
                except NotFoundError:
                    return
                await asyncio.sleep(0.01)


@asynccontextmanager
async def world(tmp_path):
    database = Database.sqlite(tmp_path / "sampan.db")
    api = ApiServer(database, SystemClock())
    database.create(api.tables)
    await api.start()
    client = api.client
    await install(client, DEFINITIONS)
    await client.create(NAMESPACES, {"metadata": {"name": "team"}})
    around = parts.around(Services(client, database, SystemClock(), tmp_path), ServingSettings())
    manager = Manager(trained_models(around))
    await manager.start()
    try:
        yield World(client)
    finally:
        await manager.stop()
        await api.stop()
        await database.close()


def scenario(tmp_path, play):
    async def main():
        async with world(tmp_path) as found:
            await play(found)

    asyncio.run(main())


READY = ("Ready", "True", "")


def test_models_of_a_service(tmp_path):
    async def play(it):
        await it.service()
        await it.listed()
        await it.model("b")
        await it.model("a")
        found = await it.says(
            "a", READY, ("InferenceServiceReady", "True", ""), ("IsMMSPredictor", "True", "")
        )
        assert meta.status(found)["url"] == "http://many-team.localhost:8080/v1/models/a:predict"
        assert (
            meta.status(found)["address"]["url"] == "http://many.team.svc.cluster.local/v1/models/a:predict"
        )
        assert meta.labels(found)["inferenceservice"] == "many"
        assert meta.labels(found)["serving.kserve.io/trainedmodel-allocated"] == "many"
        config_map, told = await it.listed("a", "b")
        assert told[0] == {
            "modelName": "a",
            "modelSpec": {"storageUri": "s3://models/a", "framework": "sklearn", "memory": "256Mi"},
        }
        assert config_map["metadata"]["ownerReferences"][0]["kind"] == "InferenceService"
        await it.client.delete(TRAINED_MODELS, "b", "team")
        await it.listed("a")
        change = {"spec": {"model": {"storageUri": "s3://models/a2"}}}
        await it.client.patch(TRAINED_MODELS, "a", change, "team")
        async with asyncio.timeout(60):
            while (await it.listed("a"))[1][0]["modelSpec"]["storageUri"] != "s3://models/a2":
                await asyncio.sleep(0.01)

    scenario(tmp_path, play)


def test_v2_and_a_service_that_is_not_ready(tmp_path):
    async def play(it):
        await it.service(protocolVersion="v2", ready=False)
        await it.model("a")
        found = await it.says("a", ("Ready", "False", "InferenceServiceNotReady"))
        said = next(each for each in meta.status(found)["conditions"] if each["type"] == "Ready")
        assert said["message"].endswith("can be ready: no room")
        assert meta.status(found)["url"].endswith("/v2/models/a/infer")
        await it.tell("many", ready=True)
        await it.says("a", READY)

    scenario(tmp_path, play)


def test_memory_is_for_the_older_ones_and_free_again(tmp_path):
    async def play(it):
        await it.service(memory="600Mi")
        await it.model("first", memory="300Mi")
        await it.says("first", READY)
        await it.model("second", memory="300Mi")
        await it.says("second", READY)
        await it.model("a-third", memory="100Mi")
        found = await it.says("a-third", ("MemoryResourceAvailable", "False", "MemoryResourceNotAvailable"))
        assert "serving.kserve.io/trainedmodel-allocated" not in meta.labels(found)
        await it.listed("first", "second")
        await it.client.delete(TRAINED_MODELS, "first", "team")
        await it.says("a-third", READY)
        await it.listed("a-third", "second")

    scenario(tmp_path, play)


def test_a_service_with_a_model_of_its_own_serves_no_others(tmp_path):
    async def play(it):
        await it.service(storageUri="s3://models/own")
        await it.model("a")
        await it.says("a", ("Ready", "False", "IsNotMMSPredictor"), ("MemoryResourceAvailable", "True", ""))
        await it.gone(CONFIG_MAPS, "modelconfig-many-0")

    scenario(tmp_path, play)


def test_a_framework_that_is_not_served_is_said(tmp_path):
    async def play(it):
        await it.service()
        await it.model("a", framework="xgboost")
        found = await it.says("a", READY, ("FrameworkSupported", "False", "FrameworkNotSupported"))
        said = next(each for each in meta.status(found)["conditions"] if each["type"] == "FrameworkSupported")
        assert (said["severity"], "it serves sklearn" in said["message"]) == ("Info", True)

    scenario(tmp_path, play)


def test_it_waits_a_moment_for_its_service_and_goes_with_it(tmp_path, monkeypatch):
    async def play(it):
        await it.model("early")
        await it.says("early", ("Ready", "False", "InferenceServiceNotFound"))
        await it.service()
        await it.says("early", READY)
        await it.client.delete(INFERENCE_SERVICES, "many", "team")
        await it.gone(TRAINED_MODELS, "early")

    scenario(tmp_path, play)


def test_one_whose_service_never_comes_goes(tmp_path, monkeypatch):
    from datetime import timedelta

    monkeypatch.setattr(reconciler, "GRACE", timedelta(seconds=1))

    async def play(it):
        await it.model("alone")
        await it.gone(TRAINED_MODELS, "alone")

    scenario(tmp_path, play)


def test_what_no_webhook_has_refused(tmp_path):
    """As on a cluster without hooks: no bad model keeps the others from being listed."""

    async def play(it):
        await it.service()
        await it.model("a")
        await it.model("odd", storageUri="what")
        found = await it.says("odd", ("Ready", "False", "InvalidTrainedModel"))
        said = meta.status(found)["conditions"][0]["message"]
        assert "must start with one of the prefixes" in said
        await it.says("a", READY)
        await it.listed("a")

    scenario(tmp_path, play)


def test_what_is_settled_is_not_written_again(tmp_path):
    async def play(it):
        await it.service()
        for number in range(20):
            await it.model(f"m{number:02}", memory="1Mi")
        for number in range(20):
            await it.says(f"m{number:02}", READY)
        await until_quiet(it.client)
        before = {
            meta.name(each): meta.resource_version(each)
            for each in (await it.client.list(TRAINED_MODELS, "team")).items
        }
        await asyncio.sleep(0.3)
        after = {
            meta.name(each): meta.resource_version(each)
            for each in (await it.client.list(TRAINED_MODELS, "team")).items
        }
        assert after == before

    scenario(tmp_path, play)
