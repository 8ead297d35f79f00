"""An embedded API server over HTTP, and who one wants to be there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from sampan.cluster.apiserver.server import ApiServer
from sampan.cluster.workloads import Trust, controllers
from sampan.kube import meta, rbac
from sampan.kube.kinds import SERVICE_ACCOUNTS
from sampan.lib.clock import SystemClock
from sampan.reconcile.cache import Caches
from sampan.reconcile.manager import Manager
from sampan.testing.apiserver import embedded

ADMIN = "the-token-of-the-user"


class World:
    def __init__(self, server: ApiServer, http: httpx.AsyncClient) -> None:
        self.server = server
        self.client = server.client
        self.http = http

    async def ask(
        self, method: str, path: str, body: Any = None, *, token: str = ADMIN, **headers: str
    ) -> tuple[int, Any]:
        """Underscores in the names of `headers` are hyphens."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            given["authorization"] = f"Bearer {token}"
        given.setdefault("content-type", "application/json")
        answer = await self.http.request(method, path, json=body, headers=given)
        return answer.status_code, answer.json() if answer.content.startswith(b"{") else answer.text

    async def account(self, name: str, namespace: str = "default") -> str:
        """A new service account's token."""
        await self.client.create(SERVICE_ACCOUNTS, {"metadata": {"name": name, "namespace": namespace}})
        answer = await self.client.create_token(name, namespace, {"spec": {}})
        return str(answer["status"]["token"])

    async def grant(self, account: str, *rules: Any, namespace: str = "default") -> None:
        """By a Role where there is a namespace, else by a ClusterRole."""
        name = f"{account}-{len((await self.client.list(rbac.ROLE_BINDINGS)).items)}"
        role, binding, kind = rbac.ROLES, rbac.ROLE_BINDINGS, "Role"
        metadata = {"name": name, "namespace": namespace}
        if not namespace:
            role, binding, kind = rbac.CLUSTER_ROLES, rbac.CLUSTER_ROLE_BINDINGS, "ClusterRole"
            metadata = {"name": name}
        await self.client.create(role, {"metadata": dict(metadata), "rules": list(rules)})
        reference = {"apiGroup": rbac.GROUP, "kind": kind, "name": name}
        await self.bind(binding, metadata, reference, account)

    async def bind(self, binding: Any, metadata: Any, reference: Any, account: str) -> None:
        subject = {"kind": "ServiceAccount", "name": account, "namespace": "default"}
        await self.client.create(
            binding, {"metadata": dict(metadata), "roleRef": reference, "subjects": [subject]}
        )

    async def until(self, condition: Callable[[], Awaitable[Any]]) -> Any:
        async with asyncio.timeout(60):
            while not (answer := await condition()):
                await asyncio.sleep(0.01)
        return answer


@pytest.fixture
def access(tmp_path: Path) -> Callable[..., None]:
    """Runs a scenario; with `controlled`, beside the workload controllers."""

    def run(scenario: Callable[[World], Awaitable[None]], *, controlled: bool = False) -> None:
        async def main() -> None:
            async with embedded(tmp_path, token=ADMIN) as server:
                transport = httpx.ASGITransport(server.asgi)
                manager = None
                if controlled:
                    caches = Caches(server.client)
                    trust = Trust("-----CA-----", server.tokens.for_secret)
                    running = controllers(
                        server.client, SystemClock(), server.registry, tmp_path, caches, trust=trust
                    )
                    manager = Manager(running)
                    await manager.start()
                try:
                    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
                        await scenario(World(server, http))
                finally:
                    if manager is not None:
                        await manager.stop()

        asyncio.run(main())

    return run


def names(collection: Any) -> list[str]:
    return [meta.name(each) for each in collection["items"]]
