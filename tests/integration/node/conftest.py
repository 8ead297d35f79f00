"""An embedded API server and a node agent on one home folder, which can be left and started again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from sampan.client.protocol import Client, DeleteOptions, LogOptions, Object
from sampan.cluster.apiserver import ApiServer
from sampan.cluster.node.agent import NodeAgent
from sampan.cluster.node.environments import Environments
from sampan.cluster.node.references import PERSISTENT_VOLUMES
from sampan.cluster.node.settings import NodeSettings
from sampan.kube.errors import AlreadyExistsError, NotFoundError
from sampan.kube.kinds import EVENTS, NAMESPACES, PODS, SERVICE_ACCOUNTS
from sampan.lib.clock import SystemClock
from sampan.store.database import Database
from sampan.testing.quiet import until_quiet

_DEADLINE_SECONDS = 60.0
_IMAGE = "busybox"


class Node:
    """What a scenario works with. All pods are in the namespace `default`."""

    def __init__(self, api: ApiServer, agent: NodeAgent, home: Path) -> None:
        self.client: Client = api.client
        self.asgi = api.asgi
        self.pods_kind = PODS
        self.agent = agent
        self.home = home
        self.volumes_kind = PERSISTENT_VOLUMES

    def pod(self, name: str, command: Sequence[str], *, container: Any = None, **spec: Any) -> Object:
        main = {"name": "main", "image": _IMAGE, "command": list(command), **(container or {})}
        own = {
            "nodeName": self.agent.node_name,
            "restartPolicy": "Never",
            # Here are no controllers, which would make the account and its certificates.
            "automountServiceAccountToken": False,
            "containers": [main],
            **spec,
        }
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": "default"},
            "spec": own,
        }

    async def create(self, name: str, command: Sequence[str], **spec: Any) -> Object:
        return await self.client.create(PODS, self.pod(name, command, **spec))

    async def run(self, name: str, command: Sequence[str], **spec: Any) -> Object:
        """The pod at its end."""
        await self.create(name, command, **spec)
        return await self.until(name, Kit.is_over)

    async def until(self, name: str, condition: Callable[[Object], Any]) -> Object:
        pod: Object = {}
        try:
            async with asyncio.timeout(_DEADLINE_SECONDS):
                while True:
                    pod = await self.client.get(PODS, name, "default")
                    if condition(pod):
                        return pod
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"{name} never became so: {pod.get('status')}") from None

    async def gone(self, name: str) -> None:
        async with asyncio.timeout(_DEADLINE_SECONDS):
            while True:
                try:
                    await self.client.get(PODS, name, "default")
                except NotFoundError:
                    return
                await asyncio.sleep(0.01)

    async def log(self, pod: Object, container: str = "main", **options: Any) -> str:
        chunks = self.agent.pod_logs.read(pod, LogOptions(container=container, **options))
        return b"".join([chunk async for chunk in chunks]).decode()

    async def reasons(self, name: str, *wanted: str) -> list[str]:
        """Of the Events about the pod, once those are there and nothing more is written."""
        async with asyncio.timeout(_DEADLINE_SECONDS):
            while True:
                await until_quiet(self.client)
                events = (await self.client.list(EVENTS, "default")).items
                found = [event["reason"] for event in events if event["involvedObject"]["name"] == name]
                if set(wanted) <= set(found):
                    return found


class Kit:
    """Questions about a pod."""

    pods = PODS
    at_once = DeleteOptions(grace_period_seconds=0)

    @staticmethod
    def grace(seconds: int) -> DeleteOptions:
        return DeleteOptions(grace_period_seconds=seconds)

    @staticmethod
    def is_over(pod: Object) -> bool:
        return pod["status"].get("phase") in ("Succeeded", "Failed")

    @staticmethod
    def is_running(pod: Object) -> bool:
        return bool(pod["status"].get("phase") == "Running")

    @staticmethod
    def has_ended(pod: Object, container: str) -> bool:
        """Whether this one of its containers has ended."""
        statuses = pod["status"].get("containerStatuses") or ()
        return any(each["name"] == container and "terminated" in each["state"] for each in statuses)

    @staticmethod
    def waiting_reason(pod: Object) -> str:
        statuses = pod["status"].get("containerStatuses") or [{}]
        return str(((statuses[0].get("state") or {}).get("waiting") or {}).get("reason", ""))

    @staticmethod
    def terminated(pod: Object) -> dict[str, Any]:
        found: dict[str, Any] = pod["status"]["containerStatuses"][0]["state"]["terminated"]
        return found


class Machine:
    """One home folder. `up` starts a server on it; the next `up` is a restart."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environments = Environments(home)

    @asynccontextmanager
    async def up(
        self, *, keep_pods: bool = False, crash: bool = False, **settings: Any
    ) -> AsyncIterator[Node]:
        """`crash` leaves as a server does that is killed: nothing is told to anybody."""
        clock = SystemClock()
        database = Database.sqlite(self.home / "sampan.db")
        api = ApiServer(database, clock)
        database.create(api.tables)
        await api.start()
        with suppress(AlreadyExistsError):
            await api.client.create(NAMESPACES, {"metadata": {"name": "default"}})
            account = {"metadata": {"name": "default", "namespace": "default"}}
            await api.client.create(SERVICE_ACCOUNTS, account)
        agent = NodeAgent(api.client, self.home, clock, self.environments, NodeSettings(**settings))
        await agent.start()
        try:
            api.metrics.provider = agent.stats
            yield Node(api, agent, self.home)
        finally:
            await agent.stop(keep_pods=keep_pods or crash)
            await api.stop()
            await database.close()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def node_kit() -> type[Kit]:
    return Kit
