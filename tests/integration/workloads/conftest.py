"""The embedded API server with the workload controllers, and a kubelet that does what a test tells it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sampan.client.protocol import Client, DeleteOptions, ListOptions, Object
from sampan.cluster.apiserver.server import ApiServer
from sampan.cluster.scheduler.service import Scheduler
from sampan.cluster.workloads import controllers
from sampan.cluster.workloads.job.backoff import Backoff
from sampan.kube import meta, pods
from sampan.kube.errors import ApiError, NotFoundError
from sampan.kube.kinds import EVENTS, NAMESPACES, PODS, Resource
from sampan.lib.clock import SystemClock, rfc3339
from sampan.reconcile.cache import Cache, Caches
from sampan.reconcile.manager import Manager
from sampan.store.database import Database

_DEADLINE_SECONDS = 60.0


class Cluster:
    """What a scenario works with. `kubelet` is called for each pod and may end it."""

    def __init__(self, client: Client, api: ApiServer, home: Path) -> None:
        self.client = client
        self.api = api
        self.home = home
        self.clock = SystemClock()

    async def create(self, resource: Resource, name: str, **fields: Any) -> Object:
        metadata = {"name": name, "namespace": "team", **fields.pop("metadata", {})}
        return await self.client.create(resource, {"metadata": metadata, **fields})

    async def get(self, resource: Resource, name: str) -> Object | None:
        with suppress(NotFoundError):
            return await self.client.get(resource, name, "team")
        return None

    async def list(self, resource: Resource, selector: str = "") -> list[Object]:
        return (await self.client.list(resource, "team", ListOptions(label_selector=selector))).items

    async def until(self, condition: Callable[[], Awaitable[Any]]) -> Any:
        """The first true answer of `condition`."""
        async with asyncio.timeout(_DEADLINE_SECONDS):
            while not (answer := await condition()):
                await asyncio.sleep(0.01)
        return answer

    async def gone(self, resource: Resource, name: str) -> None:
        async def absent() -> bool:
            return await self.get(resource, name) is None

        await self.until(absent)

    async def events(self, name: str, *reasons: str) -> dict[str, str]:
        """Reason to message of the Events about the object of that name, once there are those `reasons`: who writes
        them does so in the background, after what else it does."""

        async def look() -> dict[str, str] | None:
            about = [
                each
                for each in (await self.client.list(EVENTS, "team")).items
                if each["involvedObject"]["name"] == name
            ]
            found = {each["reason"]: each["message"] for each in about}
            return found if found.keys() >= set(reasons) else None

        found: dict[str, str] = await self.until(look)
        return found

    async def finish(self, pod: Object, code: int = 0) -> None:
        """Ends a pod as the kubelet does."""
        now = rfc3339(self.clock.now())
        state = pods.terminated(code, started_at=now, finished_at=now)
        name = pod["spec"]["containers"][0]["name"]
        container = {
            "name": name,
            "state": state,
            "ready": False,
            "restartCount": 0,
            "image": "",
            "imageID": "",
        }
        status = {"phase": "Failed" if code else "Succeeded", "containerStatuses": [container]}
        with suppress(NotFoundError):
            await self.client.patch(
                PODS, meta.name(pod), {"status": status}, meta.namespace(pod), subresource="status"
            )


Scenario = Callable[[Cluster], Awaitable[None]]
Kubelet = Callable[[Object], int | None]
"""Given a new pod: its exit code, or None to let it run."""


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., None]:
    """Runs a scenario against a fresh cluster with namespace `team`, then stops everything cleanly."""

    def runner(scenario: Scenario, kubelet: Kubelet = lambda _pod: None, **options: Any) -> None:
        asyncio.run(_run(tmp_path, scenario, kubelet, options))

    return runner


async def _run(home: Path, scenario: Scenario, kubelet: Kubelet, options: dict[str, Any]) -> None:
    database = Database.sqlite(home / "sampan.db")
    clock = SystemClock()
    api = ApiServer(database, clock)
    database.create(api.tables)
    await api.start()
    client = api.client
    cluster = Cluster(client, api, home)
    with suppress(ApiError):
        await client.create(NAMESPACES, {"metadata": {"name": "team"}})
    caches = Caches(client)
    backoff = Backoff(options.pop("backoff", timedelta(milliseconds=10)))
    usage = options.pop("usage", None)
    parts = controllers(client, clock, api.registry, home / "volumes", caches, backoff, usage=lambda: usage)
    if options.pop("scheduler", False):
        parts.append(Scheduler(client, clock, caches))
    manager = Manager(parts)
    node = Cache(client, PODS)
    pending: set[asyncio.Task[None]] = set()

    def on_pod(old: Object | None, new: Object | None) -> None:
        task = asyncio.create_task(_act(cluster, kubelet, old, new))
        pending.add(task)
        task.add_done_callback(pending.discard)

    node.add_handler(on_pod)
    node.start()
    await manager.start()
    try:
        await scenario(cluster)
    finally:
        await manager.stop()
        await node.stop()
        await asyncio.gather(*pending)
        await api.stop()
        await database.close()


async def _act(cluster: Cluster, kubelet: Kubelet, old: Object | None, new: Object | None) -> None:
    if new is None:
        return
    with suppress(NotFoundError):
        if old is None and not pods.is_terminal(new) and (code := kubelet(new)) is not None:
            await cluster.finish(new, code)
        elif meta.is_deleting(new) and not (old and meta.is_deleting(old)):
            if not pods.is_terminal(new):
                await cluster.finish(new, 143)
            await cluster.client.delete(
                PODS, meta.name(new), meta.namespace(new), DeleteOptions(grace_period_seconds=0)
            )
