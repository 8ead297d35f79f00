"""The embedded API server with the workload controllers and the trainer's, and pods that end as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from sampan.app.definitions import install
from sampan.client.protocol import Client, DeleteOptions, ListOptions, Object
from sampan.cluster.apiserver.server import ApiServer
from sampan.cluster.workloads import Trust, controllers
from sampan.components.training.api.definitions import DEFINITIONS
from sampan.components.training.api.kinds import CLUSTER_TRAINING_RUNTIMES, TRAIN_JOBS
from sampan.components.training.controller.trainer.parts import train_jobs
from sampan.kube import meta, pods
from sampan.kube.errors import ApiError, NotFoundError
from sampan.kube.kinds import CONFIG_MAPS, EVENTS, NAMESPACES, PODS, Resource
from sampan.lib.clock import SystemClock, rfc3339
from sampan.reconcile.cache import Caches
from sampan.reconcile.manager import Manager
from sampan.store.database import Database

_DEADLINE_SECONDS = 60.0


class Cluster:
    """What a scenario works with; all in the namespace `team`."""

    def __init__(self, client: Client, api: ApiServer) -> None:
        self.client = client
        self.api = api
        self.clock = SystemClock()

    async def runtime(self, name: str = "r", *jobs: Object, **spec: Any) -> Object:
        pod = {"spec": {"restartPolicy": "Never", "containers": [{"name": "node", "image": "a"}]}}
        labels = {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}
        node = {
            "name": "node",
            "template": {"metadata": {"labels": labels}, "spec": {"backoffLimit": 0, "template": pod}},
        }
        job_set = {"replicatedJobs": [*jobs, node], **spec.pop("job_set", {})}
        wanted = {"mlPolicy": {"numNodes": 1, "torch": {}}, "template": {"spec": job_set}, **spec}
        return await self.client.create(CLUSTER_TRAINING_RUNTIMES, _named(name, wanted))

    async def job(self, name: str = "j", runtime: str = "r", **spec: Any) -> Object:
        wanted = {"runtimeRef": {"name": runtime}, "trainer": {"numNodes": 2}, **spec}
        return await self.client.create(TRAIN_JOBS, _named(name, wanted, "team"))

    async def get(self, resource: Resource, name: str) -> Object | None:
        with suppress(NotFoundError):
            return await self.client.get(resource, name, "team" if resource.namespaced else None)
        return None

    async def change(self, resource: Resource, name: str, spec: Any) -> None:
        await self.client.patch(resource, name, {"spec": spec}, "team" if resource.namespaced else None)

    async def pods(self, job_set: str = "j") -> list[Object]:
        options = ListOptions(label_selector=f"jobset.sigs.k8s.io/jobset-name={job_set}")
        found = (await self.client.list(PODS, "team", options)).items
        return [pod for pod in found if not meta.is_deleting(pod)]

    async def until(self, condition: Callable[[], Awaitable[Any]]) -> Any:
        """The first true answer of `condition`."""
        async with asyncio.timeout(_DEADLINE_SECONDS):
            while not (answer := await condition()):
                await asyncio.sleep(0.01)
        return answer

    async def until_there(self, resource: Resource, name: str) -> Object:
        found: Object = await self.until(lambda: self.get(resource, name))
        return found

    async def until_condition(self, kind: str, status: str = "True", name: str = "j") -> Object:
        async def look() -> Object | None:
            job = await self.get(TRAIN_JOBS, name)
            listed = (meta.status(job or {}).get("conditions")) or ()
            return next((each for each in listed if (each["type"], each["status"]) == (kind, status)), None)

        found: Object = await self.until(look)
        return found

    async def until_pods(self, count: int, name: str = "j") -> list[Object]:
        async def look() -> bool:
            return len(await self.pods(name)) == count

        await self.until(look)
        return await self.pods(name)

    async def told(self, reason: str, name: str = "j") -> str:
        """The message of the Event of that reason, once there is one."""

        async def look() -> str:
            found = (await self.client.list(EVENTS, "team")).items
            about = [each for each in found if each["involvedObject"]["name"] == name]
            return next((each["message"] for each in about if each["reason"] == reason), "")

        return str(await self.until(look))

    async def run_pod(self, pod: Object) -> None:
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": rfc3339(self.clock.now())}
        await self._status(pod, {"phase": "Running", "conditions": [ready]})

    async def finish(self, pod: Object, code: int = 0) -> None:
        now = rfc3339(self.clock.now())
        container = {
            "name": pod["spec"]["containers"][0]["name"],
            "state": pods.terminated(code, started_at=now, finished_at=now),
            "ready": False,
            "restartCount": 0,
            "image": "",
            "imageID": "",
        }
        await self._status(
            pod, {"phase": "Failed" if code else "Succeeded", "containerStatuses": [container]}
        )

    async def _status(self, pod: Object, status: Object) -> None:
        with suppress(NotFoundError):
            await self.client.patch(PODS, meta.name(pod), {"status": status}, "team", subresource="status")


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., None]:
    """Runs a scenario against a fresh cluster, then stops everything cleanly."""

    def runner(
        scenario: Callable[[Cluster], Awaitable[None]],
        through: Callable[[Client], Any] = lambda client: client,
    ) -> None:
        """`through`: how the trainer sees the cluster."""
        asyncio.run(_run(tmp_path, scenario, through))

    return runner


async def _run(
    home: Path, scenario: Callable[[Cluster], Awaitable[None]], through: Callable[[Client], Any]
) -> None:
    database = Database.sqlite(home / "sampan.db")
    clock = SystemClock()
    api = ApiServer(database, clock)
    database.create(api.tables)
    await api.start()
    client = api.client
    with suppress(ApiError):
        await client.create(NAMESPACES, {"metadata": {"name": "team"}})
    await install(client, DEFINITIONS)
    cluster = Cluster(client, api)
    trust = Trust("PEM", api.tokens.for_secret)
    workloads = Manager(
        controllers(client, clock, api.registry, home / "volumes", Caches(client), trust=trust)
    )
    seen = through(client)
    trainer = Manager([*train_jobs(seen, clock, Caches(seen), None)])
    gone = asyncio.create_task(_end_deleted_pods(cluster))
    await workloads.start()
    await cluster.until_there(CONFIG_MAPS, "kube-root-ca.crt")
    await trainer.start()
    try:
        await scenario(cluster)
    finally:
        gone.cancel()
        await trainer.stop()
        await workloads.stop()
        await api.stop()
        await database.close()


async def _end_deleted_pods(cluster: Cluster) -> None:
    """What the kubelet does about pods that have been told to go."""
    async for event in cluster.client.watch(PODS):
        pod = event.object
        if event.type in ("ADDED", "MODIFIED") and meta.is_deleting(pod):
            if not pods.is_terminal(pod):
                await cluster.finish(pod, 143)
            with suppress(NotFoundError):
                options = DeleteOptions(grace_period_seconds=0)
                await cluster.client.delete(PODS, meta.name(pod), meta.namespace(pod), options)


def _named(name: str, spec: Object, namespace: str = "") -> Object:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    kind = TRAIN_JOBS if namespace else CLUSTER_TRAINING_RUNTIMES
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, "spec": spec}
