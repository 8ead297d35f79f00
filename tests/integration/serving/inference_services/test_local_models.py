"""Models kept on nodes, against the embedded API server: who is told what, and what goes again.

Expectations follow kserve v0.20.0 pkg/controller/v1alpha1/{localmodel,localmodelnode}/controller_test.go.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from sampan.client.protocol import ListOptions
from sampan.components.serving.api.kinds import (
    INFERENCE_SERVICES,
    LLM_INFERENCE_SERVICE_CONFIGS,
    LLM_INFERENCE_SERVICES,
    LOCAL_MODEL_CACHES,
    LOCAL_MODEL_NAMESPACE_CACHES,
    LOCAL_MODEL_NODE_GROUPS,
    LOCAL_MODEL_NODES,
)
from sampan.components.serving.api.language_presets import presets
from sampan.components.serving.controller.language_models.reconciler import LanguageModelReconciler
from sampan.components.serving.controller.local_models import parts
from sampan.components.serving.engine.local_models import models
from sampan.kube import meta, owners
from sampan.kube.errors import NotFoundError
from sampan.kube.kinds import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    EVENTS,
    JOBS,
    NAMESPACES,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    PODS,
    Resource,
)
from sampan.kube.meta import Object
from sampan.reconcile.cache import Cache
from sampan.reconcile.manager import Manager

from .conftest import Serving, sklearn

SOURCE = "s3://mybucket/mymodel"
KEY = models.storage_key(SOURCE)
JOBS_NAMESPACE = "kserve-localmodel-jobs"
FINALIZER = "localmodel.kserve.io/finalizer"
CONFIG = {"enabled": True, "jobNamespace": JOBS_NAMESPACE, "reconcilationFrequencyInSecs": 1}
PREFIX = "internal.serving.kserve.io/localmodel"


class Local:
    """What a scenario works with: the nodes `worker` and `other`, of which the first is in the group `gpu`."""

    def __init__(self, serving: Serving, root: Path) -> None:
        self.serving = serving
        self.client = serving.client
        self.root = root

    async def node(self, name: str, kind: str, *, ready: bool = True) -> None:
        await self.client.create(NODES, {"metadata": {"name": name, "labels": {"kind": kind}}})
        told = {"type": "Ready", "status": "True" if ready else "False"}
        await self.client.patch(NODES, name, {"status": {"conditions": [told]}}, subresource="status")

    async def group(self, name: str = "gpu", path: str = "", kind: str = "gpu") -> None:
        terms = [{"matchExpressions": [{"key": "kind", "operator": "In", "values": [kind]}]}]
        volume = {
            "local": {"path": path or str(self.root)},
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": "1Gi"},
            "storageClassName": "standard",
            "nodeAffinity": {"required": {"nodeSelectorTerms": terms}},
        }
        claim = {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "standard",
            "resources": {"requests": {"storage": "1Gi"}},
        }
        spec = {"storageLimit": "1Gi", "persistentVolumeSpec": volume, "persistentVolumeClaimSpec": claim}
        await self.client.create(LOCAL_MODEL_NODE_GROUPS, {"metadata": {"name": name}, "spec": spec})

    async def cache(self, name: str = "iris", namespace: str = "", **spec: Any) -> None:
        kind = LOCAL_MODEL_NAMESPACE_CACHES if namespace else LOCAL_MODEL_CACHES
        told = {"sourceModelUri": SOURCE, "modelSize": "1Gi", "nodeGroups": ["gpu"], **spec}
        metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
        await self.client.create(kind, {"metadata": metadata, "spec": told})

    async def uses(self, isvc: str, cache: str = "iris", namespace: str = "") -> None:
        """An InferenceService as admission labels it."""
        labels = {PREFIX: cache, **({f"{PREFIX}-namespace": namespace} if namespace else {})}
        said = {f"{PREFIX}-sourceuri": SOURCE, f"{PREFIX}-pvc-name": f"{cache}-gpu"}
        metadata = {"labels": labels, "annotations": said}
        await self.serving.make(isvc, metadata=metadata, predictor=sklearn(SOURCE))

    async def becomes(self, state: str, name: str = "iris", namespace: str = "") -> Object:
        kind = LOCAL_MODEL_NAMESPACE_CACHES if namespace else LOCAL_MODEL_CACHES

        async def look() -> Object | None:
            found = await self.client.get(kind, name, namespace or None)
            return found if (meta.status(found).get("nodeStatus") or {}).get("worker") == state else None

        found: Object = await self.serving.until(look)
        return found

    async def told(self, name: str = "worker") -> dict[str, str]:
        """Of its models, by the LocalModelNode."""
        found = await self.client.get(LOCAL_MODEL_NODES, name)
        said: dict[str, str] = meta.status(found).get("modelStatus") or {}
        return said

    async def jobs(self, **labels: str) -> list[Object]:
        chosen = ListOptions(label_selector=",".join(f"{key}={value}" for key, value in labels.items()))
        return (await self.client.list(JOBS, JOBS_NAMESPACE, chosen)).items

    async def one_job(self, number: int = 1) -> Object:
        async def look() -> list[Object] | None:
            found = await self.jobs(node="worker")
            return found if len(found) == number else None

        found: list[Object] = await self.serving.until(look)
        return max(found, key=lambda each: int(meta.resource_version(each)))

    async def end(self, job: Object, phase: str = "Succeeded", said: str = "") -> None:
        """Its pod ends; what it has downloaded is on the node's disk."""
        if phase == "Succeeded":
            os.makedirs(self.root / "models" / KEY, exist_ok=True)
        chosen = ListOptions(label_selector=f"job-name={meta.name(job)}")

        async def look() -> list[Object]:
            # One of that name that came before may have left its pods.
            found = (await self.client.list(PODS, JOBS_NAMESPACE, chosen)).items
            return [pod for pod in found if owners.is_controlled_by(pod, job)]

        for pod in await self.serving.until(look):
            state = {"terminated": {"exitCode": 0 if phase == "Succeeded" else 1, "message": said}}
            one = {"name": pod["spec"]["containers"][0]["name"], "state": state, "ready": False}
            status = {
                "phase": phase,
                "containerStatuses": [{**one, "image": "", "imageID": "", "restartCount": 0}],
            }
            await self.client.patch(
                PODS, meta.name(pod), {"status": status}, JOBS_NAMESPACE, subresource="status"
            )

    async def is_there(self, kind: Resource, name: str, namespace: str | None = None) -> bool:
        try:
            await self.client.get(kind, name, namespace)
        except NotFoundError:
            return False
        return True

    async def until_there(self, kind: Resource, name: str, namespace: str | None = None) -> Object:
        await self.serving.until(lambda: self.is_there(kind, name, namespace))
        return await self.client.get(kind, name, namespace)

    async def until_gone(self, kind: Resource, name: str, namespace: str | None = None) -> None:
        async def look() -> bool:
            return not await self.is_there(kind, name, namespace)

        await self.serving.until(look)

    async def event(self, reason: str) -> str:
        async def look() -> list[str]:
            found = (await self.client.list(EVENTS)).items
            return [str(each["message"]) for each in found if each["reason"] == reason]

        found: list[str] = await self.serving.until(look)
        return found[0]


Scenario = Callable[[Local], Awaitable[None]]


@pytest.fixture
def local(
    run: Callable[[Callable[[Serving], Awaitable[None]]], None], tmp_path: Path
) -> Callable[[Scenario], None]:
    def runner(scenario: Scenario) -> None:
        async def with_controllers(serving: Serving) -> None:
            client = serving.client
            data = {"localModel": json.dumps(CONFIG)}
            name = {"name": "inferenceservice-config", "namespace": "kserve"}
            await client.create(CONFIG_MAPS, {"metadata": name, "data": data})
            # Of Events of what is in no namespace.
            await client.create(NAMESPACES, {"metadata": {"name": "default"}})
            around = serving.around()
            configs = Cache(client, CONFIG_MAPS, namespace="kserve")
            made = [
                *parts.caches(around, LOCAL_MODEL_CACHES, configs),
                *parts.caches(around, LOCAL_MODEL_NAMESPACE_CACHES, configs),
                *parts.agent(around, configs),
            ]
            manager = Manager(made)
            await manager.start()
            found = Local(serving, tmp_path / "disk")
            serving.does["worker"] = "waits"
            await found.node("worker", "gpu")
            await found.node("other", "cpu")
            try:
                await scenario(found)
            finally:
                await manager.stop()

        run(with_controllers)

    return runner


def test_a_model_is_downloaded_told_of_and_evicted_with_its_cache(local: Callable[[Scenario], None]) -> None:
    async def scenario(it: Local) -> None:
        await it.group()
        await it.cache()
        job = await it.one_job()
        assert meta.labels(job)["model"] == "iris"
        volume = await it.until_there(PERSISTENT_VOLUMES, "iris-gpu-download")
        assert volume["spec"]["local"] == {"path": str(it.root)}
        claim = await it.until_there(PERSISTENT_VOLUME_CLAIMS, "iris-gpu", JOBS_NAMESPACE)
        assert claim["spec"]["volumeName"] == "iris-gpu-download"
        found = await it.becomes("NodeDownloadPending")
        assert meta.finalizers(found) == [FINALIZER]
        assert meta.status(found)["copies"] == {"total": 1}
        await it.end(job)
        found = await it.becomes("NodeDownloaded")
        assert meta.status(found)["copies"] == {"total": 1, "available": 1}
        assert await it.told() == {"iris": "ModelDownloaded"}
        assert not await it.is_there(LOCAL_MODEL_NODES, "other")
        # A Job that has ended is of no use; the model is there without it.
        await it.client.delete(JOBS, meta.name(job), JOBS_NAMESPACE)
        kept = it.root / "models" / KEY
        stranger = it.root / "models" / "0123456789abcdef"
        stranger.mkdir()

        async def evicted() -> bool:
            return not stranger.exists()

        await it.serving.until(evicted)
        assert kept.exists()
        assert await it.jobs(node="worker") == []
        await it.client.delete(LOCAL_MODEL_CACHES, "iris")
        await it.until_gone(LOCAL_MODEL_CACHES, "iris")
        await it.until_gone(PERSISTENT_VOLUMES, "iris-gpu-download")
        await it.until_gone(PERSISTENT_VOLUME_CLAIMS, "iris-gpu", JOBS_NAMESPACE)

        async def gone() -> bool:
            return not kept.exists()

        await it.serving.until(gone)
        assert await it.told() == {}

    local(scenario)


def test_a_download_that_fails_is_told_of_and_tried_again_when_its_job_is_deleted(
    local: Callable[[Scenario], None],
) -> None:
    async def scenario(it: Local) -> None:
        await it.group()
        await it.cache()
        job = await it.one_job()
        await it.end(job, "Failed", "no such bucket")
        found = await it.becomes("NodeDownloadError")
        assert meta.status(found)["copies"] == {"total": 1, "failed": 1}
        assert "no such bucket" in await it.event("DownloadFailed")
        await it.client.delete(JOBS, meta.name(job), JOBS_NAMESPACE)

        async def another() -> bool:
            return meta.uid((await it.jobs(node="worker") or [job])[0]) != meta.uid(job)

        await it.serving.until(another)
        await it.end(await it.one_job())
        await it.becomes("NodeDownloaded")

    local(scenario)


def test_a_model_that_is_missing_is_downloaded_once_more(local: Callable[[Scenario], None]) -> None:
    async def scenario(it: Local) -> None:
        await it.group()
        await it.cache()
        await it.end(await it.one_job())
        await it.becomes("NodeDownloaded")
        shutil.rmtree(it.root / "models" / KEY)
        await it.end(await it.one_job(2))
        await it.becomes("NodeDownloaded")
        shutil.rmtree(it.root / "models" / KEY)
        await it.becomes("NodeDownloadError")
        assert "is not there" in await it.event("DownloadFailed")
        assert len(await it.jobs(node="worker")) == 2

    local(scenario)


def test_services_wait_for_the_model_and_have_claims_where_they_are(
    local: Callable[[Scenario], None],
) -> None:
    async def scenario(it: Local) -> None:
        await it.group()
        await it.cache()
        await it.uses("first")
        isvc = await it.serving.becomes("first", "False")
        assert "LocalModelCache iris is on no node yet" in str(meta.status(isvc)["conditions"])
        await it.end(await it.one_job())
        await it.becomes("NodeDownloaded")
        await it.serving.becomes("first")
        claim = await it.until_there(PERSISTENT_VOLUME_CLAIMS, "iris-gpu", "team")
        assert claim["spec"]["volumeName"] == "iris-gpu-team"
        assert await it.is_there(PERSISTENT_VOLUMES, "iris-gpu-team")
        (pod,) = [each for each in await it.serving.all(PODS) if meta.name(each).startswith("first")]
        (volume,) = [each for each in pod["spec"]["volumes"] if "persistentVolumeClaim" in each]
        assert volume["persistentVolumeClaim"]["claimName"] == "iris-gpu"
        assert "initContainers" not in pod["spec"]

        async def named() -> bool:
            found = await it.client.get(LOCAL_MODEL_CACHES, "iris")
            return meta.status(found).get("inferenceServices") == [{"namespace": "team", "name": "first"}]

        await it.serving.until(named)
        await it.client.delete(INFERENCE_SERVICES, "first", "team")
        await it.until_gone(PERSISTENT_VOLUME_CLAIMS, "iris-gpu", "team")
        await it.until_gone(PERSISTENT_VOLUMES, "iris-gpu-team")
        # It comes back, and so do they.
        await it.uses("second")
        await it.until_there(PERSISTENT_VOLUME_CLAIMS, "iris-gpu", "team")
        await it.serving.becomes("second")

    local(scenario)


def test_one_of_a_namespace_has_a_state_and_volumes_of_its_own(local: Callable[[Scenario], None]) -> None:
    async def scenario(it: Local) -> None:
        await it.group()
        await it.cache()
        await it.cache(namespace="team")
        await it.end(await it.one_job())
        await it.becomes("NodeDownloaded")
        found = await it.becomes("NodeDownloaded", namespace="team")
        assert meta.finalizers(found) == ["localmodelnamespacecache.kserve.io/finalizer"]
        # One URI is one download.
        assert len(await it.jobs(node="worker")) == 1
        assert await it.told() == {"iris": "ModelDownloaded", "team/iris": "ModelDownloaded"}
        name = "iris-gpu-team-download"
        await it.until_there(PERSISTENT_VOLUMES, name)
        await it.until_there(PERSISTENT_VOLUME_CLAIMS, name, JOBS_NAMESPACE)
        await it.uses("mine", namespace="team")
        await it.until_there(PERSISTENT_VOLUME_CLAIMS, "iris-gpu", "team")
        await it.client.delete(INFERENCE_SERVICES, "mine", "team")
        await it.client.delete(LOCAL_MODEL_NAMESPACE_CACHES, "iris", "team")
        await it.until_gone(LOCAL_MODEL_NAMESPACE_CACHES, "iris", "team")
        for kind, namespace in ((PERSISTENT_VOLUME_CLAIMS, JOBS_NAMESPACE), (PERSISTENT_VOLUMES, None)):
            await it.until_gone(kind, name, namespace)
        await it.until_gone(PERSISTENT_VOLUMES, "iris-gpu-team")

        async def left() -> bool:
            return await it.told() == {"iris": "ModelDownloaded"}

        await it.serving.until(left)
        # The other cache still wants what is there.
        assert (it.root / "models" / KEY).exists()

    local(scenario)


def test_of_two_groups_with_a_node_the_first_counts_and_one_that_is_not_ready_is_told_of(
    local: Callable[[Scenario], None],
) -> None:
    async def scenario(it: Local) -> None:
        await it.node("late", "gpu", ready=False)
        await it.group("zeta")
        await it.group("alpha")
        await it.cache(nodeGroups=["zeta", "alpha"])
        await it.until_there(LOCAL_MODEL_NODES, "worker")
        found = await it.becomes("NodeDownloadPending")
        assert meta.status(found)["nodeStatus"]["late"] == "NodeNotReady"
        (entry,) = (await it.client.get(LOCAL_MODEL_NODES, "worker"))["spec"]["localModels"]
        assert entry["nodeGroup"] == "zeta"
        assert not await it.is_there(LOCAL_MODEL_NODES, "late")
        ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
        await it.client.patch(NODES, "late", ready, subresource="status")
        await it.until_there(LOCAL_MODEL_NODES, "late")

    local(scenario)


def test_what_cannot_be_done_is_told_of(local: Callable[[Scenario], None]) -> None:
    async def scenario(it: Local) -> None:
        await it.cache()
        assert "LocalModelNodeGroup gpu is not there" in await it.event("NodeGroupNotFound")
        await it.group(kind="nobody")
        assert "no node is in LocalModelNodeGroup gpu" in await it.event("NoNodes")
        await it.group("bad", path="/proc/nowhere/models")
        await it.cache("second", sourceModelUri="s3://mybucket/second", nodeGroups=["bad"])
        assert "/proc/nowhere" in await it.event("FolderNotUsable")
        await it.group("good")
        await it.cache("third", sourceModelUri="nonsense://x", nodeGroups=["good"])
        assert "nonsense://x" in await it.event("InvalidStorageUri")
        keyed = {"storage": {"key": "none"}, "nodeGroups": ["good"], "sourceModelUri": "s3://mybucket/four"}
        await it.cache("fourth", **keyed)
        assert "storage-config" in await it.event("StorageSecretNotUsable")
        # What cannot go on can go.
        for name in ("iris", "second", "third", "fourth"):
            await it.client.delete(LOCAL_MODEL_CACHES, name)
            await it.until_gone(LOCAL_MODEL_CACHES, name)

    local(scenario)


def test_one_goes_though_its_group_has_gone(local: Callable[[Scenario], None]) -> None:
    async def scenario(it: Local) -> None:
        await it.group()
        await it.cache(namespace="team")
        await it.one_job()
        await it.client.delete(LOCAL_MODEL_NODE_GROUPS, "gpu")
        await it.client.delete(LOCAL_MODEL_NAMESPACE_CACHES, "iris", "team")
        await it.until_gone(LOCAL_MODEL_NAMESPACE_CACHES, "iris", "team")
        await it.until_gone(PERSISTENT_VOLUMES, "iris-gpu-team-download")

        async def no_jobs() -> bool:
            return await it.jobs(node="worker") == []

        await it.serving.until(no_jobs)

    local(scenario)


def test_a_language_model_waits_for_its_cache_and_is_told_of(local: Callable[[Scenario], None]) -> None:
    async def scenario(it: Local) -> None:
        await it.group()
        await it.cache()
        for each in presets(is_embedded=True):
            await it.client.create(LLM_INFERENCE_SERVICE_CONFIGS, each)
        manager = Manager([LanguageModelReconciler(it.serving.around()).controller()])
        await manager.start()
        try:
            metadata = {
                "name": "words",
                "namespace": "team",
                "labels": {PREFIX: "iris"},
                "annotations": {f"{PREFIX}-sourceuri": SOURCE, f"{PREFIX}-pvc-name": "iris-gpu"},
            }
            kind = {"apiVersion": LLM_INFERENCE_SERVICES.api_version, "kind": LLM_INFERENCE_SERVICES.kind}
            await it.client.create(
                LLM_INFERENCE_SERVICES, {**kind, "metadata": metadata, "spec": {"model": {"uri": SOURCE}}}
            )

            async def says(part: str) -> bool:
                found = await it.client.get(LLM_INFERENCE_SERVICES, "words", "team")
                return part in str(meta.status(found).get("conditions"))

            await it.serving.until(lambda: says("LocalModelCache iris is on no node yet"))
            await it.end(await it.one_job())
            await it.until_there(PERSISTENT_VOLUME_CLAIMS, "iris-gpu", "team")
            template = (await it.until_there(DEPLOYMENTS, "words-kserve", "team"))["spec"]["template"]
            claims = [each.get("persistentVolumeClaim") for each in template["spec"]["volumes"]]
            assert {"claimName": "iris-gpu"}.items() <= next(each for each in claims if each).items()
            assert "initContainers" not in template["spec"]

            async def named() -> bool:
                found = meta.status(await it.client.get(LOCAL_MODEL_CACHES, "iris"))
                return found.get("llmInferenceServices") == [{"namespace": "team", "name": "words"}]

            await it.serving.until(named)
        finally:
            await manager.stop()

    local(scenario)
