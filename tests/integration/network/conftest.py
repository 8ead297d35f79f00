"""An embedded API server, a node and the network between its pods, on one home folder."""

from __future__ import annotations

import asyncio
import sys
import textwrap
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from sampan.client.protocol import Client, LogOptions, Object
from sampan.cluster.apiserver import ApiServer
from sampan.cluster.network import addresses
from sampan.cluster.network.parts import network_parts
from sampan.cluster.network.pods import ROUTES, PodNetwork
from sampan.cluster.node.agent import NodeAgent
from sampan.cluster.node.environments import Environments
from sampan.cluster.node.settings import NodeSettings
from sampan.kube.errors import AlreadyExistsError, BadRequestError
from sampan.kube.kinds import NAMESPACES, PODS, SERVICE_ACCOUNTS, SERVICES
from sampan.lib.clock import SystemClock
from sampan.reconcile.cache import Caches
from sampan.reconcile.manager import Manager
from sampan.store.database import Database

_DEADLINE_SECONDS = 60.0
NAMES = ("default", "other")

SERVE = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"{os.environ['HOSTNAME']} {self.client_address[0]}".encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""
FETCH = """
import socket, time, urllib.request
def fetch(host, port=80, tries=200):
    for attempt in range(tries):
        try:
            return urllib.request.urlopen(f"http://{host}:{port}/", timeout=5).read().decode()
        except OSError as error:
            failure = error
            time.sleep(0.05)
    return repr(failure)
def addresses(name):
    try:
        return sorted({each[4][0] for each in socket.getaddrinfo(name, 80, socket.AF_INET)})
    except socket.gaierror:
        return []
def until(check, seconds=60):
    for attempt in range(int(seconds / 0.05)):
        if check():
            return True
        time.sleep(0.05)
    return False
"""


class Cluster:
    def __init__(self, client: Client, agent: NodeAgent, network: PodNetwork) -> None:
        self.client = client
        self.agent = agent
        self.network = network

    def pod(self, name: str, text: str, namespace: str = "default", **fields: Any) -> Object:
        command = [sys.executable, "-c", FETCH + textwrap.dedent(text)]
        main = {"name": "main", "image": "busybox", "command": command, **fields.pop("container", {})}
        metadata = {"name": name, "namespace": namespace, "labels": fields.pop("labels", {})}
        own = {
            "nodeName": self.agent.node_name,
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "containers": [main],
            **fields,
        }
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": own}

    async def server(self, name: str, namespace: str = "default", **fields: Any) -> str:
        """Its address."""
        fields.setdefault("labels", {"app": "web"})
        await self.client.create(PODS, self.pod(name, SERVE, namespace, **fields))
        pod = await self.until(name, lambda pod: pod["status"].get("phase") == "Running", namespace)
        return str(pod["status"]["podIP"])

    async def run(self, name: str, text: str, namespace: str = "default", **fields: Any) -> list[str]:
        """The lines that it prints."""
        await self.client.create(PODS, self.pod(name, text, namespace, **fields))
        pod = await self.until(
            name, lambda pod: pod["status"].get("phase") in ("Succeeded", "Failed"), namespace
        )
        return await self.log(pod)

    async def log(self, pod: Object) -> list[str]:
        chunks = self.agent.pod_logs.read(pod, LogOptions(container="main"))
        return b"".join([chunk async for chunk in chunks]).decode().splitlines()

    async def knows(self, *names: str) -> None:
        """Until pods that start now are told of these."""
        directory = self.network.directory
        assert directory is not None
        async with asyncio.timeout(_DEADLINE_SECONDS):
            while not set(names) <= set(directory.hosts("default").split()):
                await asyncio.sleep(0.01)

    async def says(self, name: str, *lines: str) -> None:
        """Until that is what the pod has printed."""
        said: list[str] = []
        try:
            async with asyncio.timeout(_DEADLINE_SECONDS):
                while said != list(lines):
                    await asyncio.sleep(0.02)
                    with suppress(BadRequestError):  # it has not started yet
                        said = await self.log(await self.client.get(PODS, name, "default"))
        except TimeoutError:
            raise AssertionError(f"{name} said {said}") from None

    async def service(self, name: str, namespace: str = "default", **spec: Any) -> Object:
        spec.setdefault("selector", {"app": "web"})
        spec.setdefault("ports", [{"port": 80, "targetPort": 8080}])
        return await self.client.create(
            SERVICES, {"metadata": {"name": name, "namespace": namespace}, "spec": spec}
        )

    async def until(
        self, name: str, condition: Callable[[Object], Any], namespace: str = "default"
    ) -> Object:
        pod: Object = {}
        try:
            async with asyncio.timeout(_DEADLINE_SECONDS):
                while not condition(pod := await self.client.get(PODS, name, namespace)):
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"{name} never became so: {pod.get('status')}") from None
        return pod


@asynccontextmanager
async def cluster_at(
    home: Path, *, keep_pods: bool = False, pod_addresses: bool = True
) -> AsyncIterator[Cluster]:
    clock = SystemClock()
    database = Database.sqlite(home / "sampan.db")
    database.create(ApiServer.tables)
    api = ApiServer(database, clock)
    api.service_allocator.begin_at(addresses.slot(home))
    await api.start()
    for name in NAMES:
        with suppress(AlreadyExistsError):
            await api.client.create(NAMESPACES, {"metadata": {"name": name}})
            # Here are no controllers, which would make it.
            account = {"metadata": {"name": "default", "namespace": name}}
            await api.client.create(SERVICE_ACCOUNTS, account)
    caches, network = Caches(api.client), PodNetwork(home)
    manager = Manager(network_parts(api.client, caches, network, home / ROUTES))
    await manager.start()
    settings = NodeSettings(pod_addresses=pod_addresses)
    agent = NodeAgent(api.client, home, clock, Environments(home), settings, network=network)
    await agent.start()
    try:
        yield Cluster(api.client, agent, network)
    finally:
        await agent.stop(keep_pods=keep_pods)
        await manager.stop()
        await api.stop()
        await database.close()


@pytest.fixture
def play(tmp_path: Path) -> Callable[[Callable[[Cluster], Awaitable[None]]], None]:
    """Runs a scenario on a cluster; skipped where the kernel does not let sockets be led."""

    def run(scenario: Callable[[Cluster], Awaitable[None]]) -> None:
        async def main() -> None:
            async with cluster_at(tmp_path) as cluster:
                if not cluster.agent.has_pod_addresses:
                    pytest.skip("this kernel does not let sockets be led")
                await scenario(cluster)

        asyncio.run(main())

    return run
