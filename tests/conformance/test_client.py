"""Both clients against the embedded server, and against a real cluster where one is named."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sampan.client import kubeconfig
from sampan.client.kubeconfig import Connection
from sampan.client.protocol import Client
from sampan.client.remote import RemoteClient
from sampan.testing.apiserver import embedded, loopback
from sampan.testing.client_conformance import ClientConformance
from sampan.testing.conformance.wire import WireChecks

_CLUSTER = os.environ.get("SAMPAN_TEST_KUBECONFIG", "")


@asynccontextmanager
async def remote(connection: Connection) -> AsyncIterator[Client]:
    client = RemoteClient(connection)
    try:
        yield client
    finally:
        await client.close()


class TestInProcess(ClientConformance):
    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Client]:
        with tempfile.TemporaryDirectory() as folder:
            async with embedded(Path(folder)) as server:
                yield server.client


class TestOnPostgreSQL(ClientConformance):
    @pytest.fixture(autouse=True)
    def _database(self, postgresql: Callable[[], str]) -> None:
        self.url = postgresql()

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Client]:
        async with embedded(Path("unused"), database_url=self.url) as server:
            yield server.client


class TestRemote(ClientConformance, WireChecks):
    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Client]:
        with tempfile.TemporaryDirectory() as folder:
            async with (
                embedded(Path(folder)) as server,
                loopback(server.asgi) as address,
                remote(Connection(address)) as client,
            ):
                yield client


@pytest.mark.cluster
@pytest.mark.skipif(not _CLUSTER, reason="SAMPAN_TEST_KUBECONFIG names no cluster")
class TestRealCluster(ClientConformance, WireChecks):
    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Client]:
        async with remote(kubeconfig.load(Path(_CLUSTER))) as client:
            yield client

    async def version(self, client: Client) -> tuple[int, int]:
        assert isinstance(client, RemoteClient)
        return await client.version()
