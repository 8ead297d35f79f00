"""The embedded API server with training's controllers, and a kubelet that does what a test tells it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sampan.app.definitions import install
from sampan.client.protocol import Client, DeleteOptions, ListOptions, Object
from sampan.cluster.apiserver.server import ApiServer
from sampan.cluster.scheduler.service import Scheduler
from sampan.cluster.workloads import controllers
from sampan.cluster.workloads.job.backoff import Backoff
from sampan.components import Services
from sampan.components.training.api.contracts import CONTRACTS
from sampan.components.training.api.definitions import DEFINITIONS
from sampan.components.training.api.settings import TrainingSettings
from sampan.components.training.controller import parts
from sampan.kube import meta, pods
from sampan.kube.errors import ApiError, NotFoundError
from sampan.kube.kinds import EVENTS, NAMESPACES, NODES, PODS, Resource
from sampan.lib.clock import SystemClock, rfc3339
from sampan.reconcile.cache import Cache, Caches
from sampan.reconcile.manager import Manager
from sampan.store.database import Database

_DEADLINE_SECONDS = 60.0


class Cluster:
    """What a scenario works with. All is in the namespace `team`."""

    def __init__(self, services: Services, settings: TrainingSettings) -> None:
        self.client = services.client
        self.clock = SystemClock()
        self._services = services
        self._settings = settings
        self._manager: Manager | None = None

    async def start_training(self, client: Any = None) -> None:
        """`client`: another than that of the API server."""
        services = replace(self._services, client=client or self.client)
        around = parts.around(services, self._settings, self._settings.gang_scheduler)
        self._manager = Manager(parts.controllers(around, frozenset()))
        await self._manager.start()

    async def stop_training(self) -> None:
        if self._manager is not None:
            await self._manager.stop()
            self._manager = None

    async def node(self, cpu: str) -> None:
        allocatable = {"cpu": cpu, "memory": "4Gi", "pods": "100"}
        await self.client.create(
            NODES, {"metadata": {"name": "node"}, "status": {"allocatable": allocatable}}
        )

    async def submit(self, resource: Resource, name: str, roles: dict[str, Any], **spec: Any) -> Object:
        """`roles`: how many replicas, or fields of the replica spec; `cpu` in them is requested."""
        contract = CONTRACTS[resource.kind]
        replicas = {}
        for role, fields in roles.items():
            fields = dict(fields) if isinstance(fields, dict) else {"replicas": fields}
            container: Object = {"name": contract.container, "image": "busybox"}
            if cpu := fields.pop("cpu", None):
                container["resources"] = {"requests": {"cpu": cpu}}
            replicas[role] = {"template": {"spec": {"containers": [container]}}, **fields}
        body = {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "metadata": {"name": name, "namespace": "team"},
            "spec": {contract.replica_specs: replicas, **spec},
        }
        return await self.client.create(resource, body)

    async def get(self, resource: Resource, name: str) -> Object | None:
        with suppress(NotFoundError):
            return await self.client.get(resource, name, "team")
        return None

    async def names(self, resource: Resource, selector: str = "") -> list[str]:
        found = await self.client.list(resource, "team", ListOptions(label_selector=selector))
        return sorted(meta.name(each) for each in found.items if not meta.is_deleting(each))

    async def patch(self, resource: Resource, name: str, patch: Any, **more: Any) -> Object:
        return await self.client.patch(resource, name, patch, "team", **more)

    async def until(self, condition: Callable[[], Awaitable[Any]]) -> Any:
        """The first true answer of `condition`."""
        async with asyncio.timeout(_DEADLINE_SECONDS):
            while not (answer := await condition()):
                await asyncio.sleep(0.01)
        return answer

    async def becomes(self, resource: Resource, name: str, type_: str, status: str = "True") -> Object:
        """The job, as soon as that condition has that status."""

        async def look() -> Object | None:
            job = await self.get(resource, name)
            found = (job or {}).get("status", {}).get("conditions") or ()
            return job if any((each["type"], each["status"]) == (type_, status) for each in found) else None

        return await self.until(look)

    async def has(self, resource: Resource, *names: str) -> None:
        """Until those, and no others, are there."""

        async def look() -> bool:
            return await self.names(resource) == sorted(names)

        await self.until(look)

    async def placed(self, *names: str) -> None:
        """Until those pods have a node."""

        async def look() -> bool:
            found = [await self.get(PODS, name) for name in names]
            return all(pod and pod["spec"].get("nodeName") for pod in found)

        await self.until(look)

    async def gone(self, resource: Resource, name: str) -> None:
        async def look() -> bool:
            return await self.get(resource, name) is None

        await self.until(look)

    async def events(self, name: str) -> list[tuple[str, str]]:
        """Reason and message of the Events about jobs of that name."""
        found = (await self.client.list(EVENTS, "team")).items
        about = [each for each in found if each["involvedObject"]["name"] == name]
        return [
            (each["reason"], each["message"]) for each in about if each["involvedObject"]["kind"] != "Pod"
        ]

    async def told(self, name: str, reason: str, message: str = "") -> None:
        """Until there is such an Event with that in its message: they are written in the background, after what else
        their writer does."""

        async def look() -> bool:
            return any(each == reason and message in text for each, text in await self.events(name))

        await self.until(look)

    async def phase(self, name: str, phase: str, code: int | None = None, restarts: int = 0) -> None:
        """What the kubelet says of a pod; `code` of its first container."""
        pod = await self.client.get(PODS, name, "team")
        now = rfc3339(self.clock.now())
        state = pods.running(now)
        if code is not None:
            state = pods.terminated(code, started_at=now, finished_at=now)
        container = {
            "name": pod["spec"]["containers"][0]["name"],
            "state": state,
            "ready": False,
            "restartCount": restarts,
            "image": "",
            "imageID": "",
        }
        status = {"phase": phase, "startTime": now, "containerStatuses": [container]}
        await self.patch(PODS, name, {"status": status}, subresource="status")

    async def run_all(self, *names: str) -> None:
        for name in names:
            await self.until(lambda name=name: self.get(PODS, name))
            await self.phase(name, "Running")


Scenario = Callable[[Cluster], Awaitable[None]]


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., None]:
    """Runs a scenario against a fresh cluster with namespace `team`, then stops everything cleanly.

    `scheduler` true: pods wait for a node. `linger`: pods that are deleted stay until the test lets them go.
    """

    def runner(scenario: Scenario, *, scheduler: bool = False, linger: bool = False, **settings: Any) -> None:
        settings.setdefault("gang_scheduler", "scheduler-plugins")
        asyncio.run(_run(tmp_path, scenario, scheduler, linger, TrainingSettings(**settings)))

    return runner


async def _run(
    home: Path, scenario: Scenario, scheduler: bool, linger: bool, settings: TrainingSettings
) -> None:
    database = Database.sqlite(home / "sampan.db")
    clock = SystemClock()
    api = ApiServer(database, clock)
    database.create(api.tables)
    await api.start()
    client = api.client
    with suppress(ApiError):
        await client.create(NAMESPACES, {"metadata": {"name": "team"}})
    assert not await install(client, DEFINITIONS)
    caches = Caches(client)
    workloads = controllers(client, clock, api.registry, home / "volumes", caches, Backoff(timedelta()))
    if scheduler:
        workloads.append(Scheduler(client, clock, caches))
    manager, cluster = Manager(workloads), Cluster(Services(client, database, clock, home), settings)
    node, pending = Cache(client, PODS), set()

    def on_pod(old: Object | None, new: Object | None) -> None:
        if new is not None and meta.is_deleting(new) and not linger:
            task = asyncio.create_task(_let_go(client, new))
            pending.add(task)
            task.add_done_callback(pending.discard)

    node.add_handler(on_pod)
    node.start()
    await manager.start()
    await cluster.start_training()
    try:
        await scenario(cluster)
    finally:
        await cluster.stop_training()
        await manager.stop()
        await node.stop()
        await asyncio.gather(*pending)
        await api.stop()
        await database.close()


async def _let_go(client: Client, pod: Object) -> None:
    with suppress(NotFoundError):
        await client.delete(PODS, meta.name(pod), "team", DeleteOptions(grace_period_seconds=0))
