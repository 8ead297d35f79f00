"""KFServing's InferenceServices on our API server, in both versions, and the ones of KServe's that follow them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sampan.app.definitions import install
from sampan.client.protocol import Client, Object, PatchType, WriteOptions
from sampan.components.serving.api.definitions import DEFINITIONS
from sampan.components.serving.api.kinds import (
    INFERENCE_SERVICES,
    KFSERVING_INFERENCE_SERVICES,
    KFSERVING_TRAINED_MODELS,
    TRAINED_MODELS,
)
from sampan.components.serving.api.settings import ServingSettings
from sampan.components.serving.component import ServingComponent
from sampan.components.serving.controller.around import Around
from sampan.components.serving.controller.configuration import ConfigReconciler
from sampan.components.serving.controller.kfserving import KFServingReconciler
from sampan.components.serving.controller.kfserving_models import KFServingModelReconciler
from sampan.kube import meta, owners
from sampan.kube.errors import InvalidError, NotFoundError
from sampan.kube.kinds import CONFIG_MAPS, EVENTS, NAMESPACES
from sampan.lib.clock import SystemClock
from sampan.reconcile.cache import Cache, Caches
from sampan.reconcile.manager import Manager
from sampan.testing.apiserver import embedded

NEW = KFSERVING_INFERENCE_SERVICES
OLD = replace(NEW, version="v1alpha2")
STRICT = WriteOptions(field_validation="Strict")


class Scene:
    def __init__(self, client: Client) -> None:
        self.client = client

    async def mirror(self, until: Callable[[Object], bool] = lambda _obj: True) -> Object:
        """KServe's, as soon as it is as wanted."""
        return await self._seen(INFERENCE_SERVICES, until)

    async def service(self, until: Callable[[Object], bool]) -> Object:
        return await self._seen(NEW, until)

    async def _seen(self, resource: Any, until: Callable[[Object], bool]) -> Object:
        async with asyncio.timeout(60):
            while True:
                found = (await self.client.list(resource, "default")).items
                if found and until(found[0]):
                    return found[0]
                await asyncio.sleep(0.02)

    async def becomes(self, **status: Any) -> None:
        """KServe's controller has this to say."""
        running = await self.mirror()
        said = {"observedGeneration": meta.generation(running), **status}
        patch = {"status": said}
        await self.client.patch(INFERENCE_SERVICES, "flowers", patch, "default", subresource="status")


def run(folder: Path, scenario: Callable[[Scene], Awaitable[None]]) -> None:
    async def main() -> None:
        component, settings = ServingComponent(), ServingSettings()
        async with embedded(folder, converters=component.converters) as server:
            server.admission.add(component.admission)
            await install(server.client, DEFINITIONS)
            clock, caches = SystemClock(), Caches(server.client)
            around = Around(server.client, clock, caches, settings, folder, "http://127.0.0.1:1", None)
            configs = Cache(server.client, CONFIG_MAPS, namespace="kserve")
            await server.client.create(NAMESPACES, {"metadata": {"name": "kserve"}})
            controllers = (
                KFServingReconciler(around, configs),
                KFServingModelReconciler(around),
                ConfigReconciler(around, configs),
            )
            manager = Manager([each.controller() for each in controllers])
            await manager.start()
            try:
                await scenario(Scene(server.client))
            finally:
                await manager.stop()

    asyncio.run(main())


def service(spec: Any, resource: Any = OLD) -> dict[str, Any]:
    metadata = {"name": "flowers", "namespace": "default"}
    return {
        "apiVersion": resource.api_version,
        "kind": "InferenceService",
        "metadata": metadata,
        "spec": spec,
    }


FLOWERS = {"predictor": {"tensorflow": {"storageUri": "gs://flowers"}}}
READY = [{"type": "Ready", "status": "True"}]


def uri(obj: Object) -> str:
    return str(obj["spec"]["predictor"]["model"]["storageUri"])


def test_an_old_service_is_read_in_both_versions_and_followed(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        spec = {"default": {**FLOWERS, "transformer": {"custom": {"container": {"image": "before"}}}}}
        made = await scene.client.create(OLD, service(spec), options=STRICT)
        assert made["spec"] == spec
        new = await scene.client.get(NEW, "flowers", "default")
        assert new["spec"] == {**FLOWERS, "transformer": {"containers": [{"image": "before"}]}}
        mirror = await scene.mirror()
        assert owners.is_controlled_by(mirror, new)
        assert uri(mirror) == "gs://flowers"
        assert mirror["spec"]["transformer"]["containers"][0]["name"] == "kserve-container"
        await scene.becomes(
            url="http://flowers-default.localhost",
            conditions=READY,
            components={"predictor": {"url": "http://p", "latestCreatedRevision": "flowers-predictor-00001"}},
        )
        await scene.service(lambda obj: bool(meta.status(obj).get("conditions")))
        status = (await scene.client.get(OLD, "flowers", "default"))["status"]
        assert status["default"] == {"predictor": {"name": "flowers-predictor-00001", "host": "p"}}
        assert (status["url"], status["traffic"]) == ("http://flowers-default.localhost", 100)
        applied = service({"default": {"predictor": {"tensorflow": {"storageUri": "gs://flowers-2"}}}})
        options = WriteOptions(field_manager="me", force=True)
        await scene.client.patch(
            OLD, "flowers", applied, "default", patch_type=PatchType.APPLY, options=options
        )
        await scene.mirror(lambda obj: uri(obj) == "gs://flowers-2")

    run(tmp_path, scenario)


def test_a_canary_comes_after_the_default_and_is_promoted(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        canary = {"predictor": {"tensorflow": {"storageUri": "gs://flowers-2"}}}
        spec = {"default": FLOWERS, "canary": canary, "canaryTrafficPercent": 10}
        await scene.client.create(OLD, service(spec))
        assert (await scene.client.get(OLD, "flowers", "default"))["spec"] == spec
        first = await scene.mirror()
        assert uri(first) == "gs://flowers"
        await scene.becomes(conditions=READY)
        second = await scene.mirror(lambda obj: uri(obj) == "gs://flowers-2")
        assert second["spec"]["predictor"]["canaryTrafficPercent"] == 10
        await scene.becomes(conditions=READY)
        more = {"spec": {"canaryTrafficPercent": 50}}
        await scene.client.patch(OLD, "flowers", more, "default")
        await scene.mirror(lambda obj: obj["spec"]["predictor"].get("canaryTrafficPercent") == 50)
        await scene.client.patch(
            OLD,
            "flowers",
            {"spec": {"default": canary, "canary": None, "canaryTrafficPercent": None}},
            "default",
        )
        promoted = await scene.mirror(lambda obj: "canaryTrafficPercent" not in obj["spec"]["predictor"])
        assert uri(promoted) == "gs://flowers-2"

    run(tmp_path, scenario)


def test_a_name_that_is_taken_is_said_and_freed_by_deletion(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        other = service({"predictor": {"sklearn": {"storageUri": "s3://m"}}}, INFERENCE_SERVICES)
        await scene.client.create(INFERENCE_SERVICES, other)
        await scene.client.create(NEW, service(FLOWERS, NEW))
        told = await scene.service(lambda obj: bool(meta.status(obj).get("conditions")))
        (ready,) = told["status"]["conditions"]
        assert (ready["type"], ready["status"], ready["reason"]) == ("Ready", "False", "NameTaken")
        assert "somebody else's" in ready["message"]
        assert uri(await scene.mirror()) == "s3://m"
        await scene.client.delete(INFERENCE_SERVICES, "flowers", "default")
        mirror = await scene.mirror(lambda obj: uri(obj) == "gs://flowers")
        assert owners.controller_of(mirror) is not None

    run(tmp_path, scenario)


def test_what_could_not_run_is_refused_in_either_version(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        wrong = {"predictor": {"sklearn": {"storageUri": "/m"}}}
        with pytest.raises(InvalidError, match=r"spec\.(default\.)?predictor.*names no scheme"):
            await scene.client.create(OLD, service({"default": wrong}))
        with pytest.raises(InvalidError, match=r"spec\.predictor.*names no scheme"):
            await scene.client.create(NEW, service(wrong, NEW))
        with pytest.raises(InvalidError, match="exactly one of"):
            await scene.client.create(OLD, service({"default": {"predictor": {}}}))

    run(tmp_path, scenario)


def test_a_section_of_the_config_map_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        metadata = {"name": "inferenceservice-config", "namespace": "kserve"}
        data = {"deploy": "{", "ingress": "{}"}
        await scene.client.create(CONFIG_MAPS, {"metadata": metadata, "data": data})
        async with asyncio.timeout(60):
            while not (found := (await scene.client.list(EVENTS, "kserve")).items):
                await asyncio.sleep(0.02)
        (event,) = found
        assert (event["type"], event["reason"]) == ("Warning", "SectionUnreadable")
        assert event["message"].startswith("deploy: it must be JSON")
        await scene.client.create(NEW, service(FLOWERS, NEW))
        await scene.mirror()

    run(tmp_path, scenario)


def test_trained_models_are_followed_told_of_and_go_with_their_service(tmp_path: Path) -> None:
    told = {"storageUri": "s3://models/one", "framework": "sklearn", "memory": "1Gi"}

    def model(name: str, service: str = "many") -> Object:
        metadata = {"name": name, "namespace": "default", "annotations": {"serving.kubeflow.org/x": "1"}}
        return {"metadata": metadata, "spec": {"inferenceService": service, "model": told}}

    async def until(look: Callable[[], Awaitable[Any]]) -> Any:
        async with asyncio.timeout(60):
            while not (found := await look()):
                await asyncio.sleep(0.02)
        return found

    async def scenario(scene: Scene) -> None:
        client = scene.client

        async def find(resource: Any, name: str) -> Object | None:
            try:
                return await client.get(resource, name, "default")
            except NotFoundError:
                return None

        with pytest.raises(InvalidError, match="must start with alphabetical character"):
            await client.create(KFSERVING_TRAINED_MODELS, model("1st"))
        wrong = model("wrong")
        wrong["spec"]["model"] = {**told, "storageUri": "ftp://models/one"}
        with pytest.raises(InvalidError, match="storageUri field is invalid"):
            await client.create(KFSERVING_TRAINED_MODELS, wrong)
        predictor = {"sklearn": {"resources": {"limits": {"memory": "2Gi"}}}}
        await client.create(NEW, {"metadata": {"name": "many", "namespace": "default"},
                                  "spec": {"predictor": predictor}})  # fmt: skip
        taken = await client.create(TRAINED_MODELS, model("taken"))
        for name in ("one", "taken"):
            await client.create(KFSERVING_TRAINED_MODELS, model(name))
        running = await until(lambda: find(TRAINED_MODELS, "one"))
        assert running["spec"] == {"inferenceService": "many", "model": told}
        assert meta.annotations(running) == {"serving.kserve.io/x": "1"}
        said = {
            "conditions": [{"type": "Ready", "status": "True"}],
            "url": "http://many/v1/models/one:predict",
        }
        await client.patch(TRAINED_MODELS, "one", {"status": said}, "default", subresource="status")

        async def is_told() -> bool:
            found = await client.get(KFSERVING_TRAINED_MODELS, "one", "default")
            return said.items() <= meta.status(found).items()

        await until(is_told)

        async def is_refused() -> bool:
            found = await client.get(KFSERVING_TRAINED_MODELS, "taken", "default")
            return any(each.get("reason") == "NameTaken" for each in meta.status(found).get("conditions", ()))

        await until(is_refused)
        assert meta.uid(await client.get(TRAINED_MODELS, "taken", "default")) == meta.uid(taken)
        # What somebody else changes is changed back, and what is deleted comes back.
        await client.delete(TRAINED_MODELS, "one", "default")
        again = await until(lambda: find(TRAINED_MODELS, "one"))
        assert meta.uid(again) != meta.uid(running)
        await client.delete(NEW, "many", "default")

        async def has_gone() -> bool:
            # There is no garbage collector here, and who has not heard of the deletion yet makes it again.
            with suppress(NotFoundError):
                await client.delete(INFERENCE_SERVICES, "many", "default")
            return await find(KFSERVING_TRAINED_MODELS, "one") is None

        await until(has_gone)

    run(tmp_path, scenario)
