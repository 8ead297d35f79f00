"""PostgreSQL in place of SQLite: one server at a time, lost connections, the order of names, a whole run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from sampan.client.protocol import ListOptions
from sampan.kube.errors import ServiceUnavailableError
from sampan.kube.kinds import CONFIG_MAPS
from sampan.store.database import Database, StorageError
from sampan.testing import pipelines
from sampan.testing.apiserver import embedded
from sampan.testing.server import ServerProcess

UNUSED = Path("unused")


def test_two_servers_never_write_to_one_database(postgresql: Callable[[], str]) -> None:
    url = postgresql()

    async def main() -> None:
        async with embedded(UNUSED, database_url=url):
            second = Database.at(url, UNUSED)
            with pytest.raises(StorageError, match="another Sampan server"):
                second.create(sa.MetaData())
            await second.close()

    asyncio.run(main())


def test_names_are_listed_in_the_order_of_their_bytes(postgresql: Callable[[], str]) -> None:
    names = ["a-b", "a.c", "a0", "ab", "b-a"]

    async def main() -> list[str]:
        async with embedded(UNUSED, database_url=postgresql()) as server:
            for name in reversed(names):
                await server.client.create(CONFIG_MAPS, {"metadata": {"name": name, "namespace": "default"}})
            found, token = [], ""
            while True:
                page = await server.client.list(
                    CONFIG_MAPS, "default", ListOptions(limit=2, continue_token=token)
                )
                found += [each["metadata"]["name"] for each in page.items]
                token = page.continue_token
                if not token:
                    return found

    assert asyncio.run(main()) == sorted(names)


def test_what_is_read_is_read_again_when_the_connection_is_lost_under_it(
    postgresql: Callable[[], str],
) -> None:
    database, calls = Database.at(postgresql(), UNUSED), 0

    def fn(connection: sa.Connection) -> int:
        nonlocal calls
        calls += 1
        if calls == 1:
            connection.execute(sa.text("SELECT pg_terminate_backend(pg_backend_pid())"))
        return int(connection.execute(sa.text("SELECT 7")).scalar_one())

    async def main() -> int:
        try:
            return await database.read(fn)
        finally:
            await database.close()

    assert asyncio.run(main()) == 7


def test_a_lost_connection_loses_no_change(postgresql: Callable[[], str]) -> None:
    url = postgresql()
    kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = %s"

    async def main() -> tuple[set[str], set[str], set[str]]:
        async with embedded(UNUSED, database_url=url) as server:
            seen: set[str] = set()

            async def watch() -> None:
                async for event in server.client.watch(CONFIG_MAPS, "default"):
                    seen.add(event.object["metadata"]["name"])

            watching = asyncio.create_task(watch())
            acknowledged = set()

            async def write(worker: int) -> None:
                for at in range(40):
                    name = f"w{worker}-{at}"
                    obj = {"metadata": {"name": name, "namespace": "default"}}
                    try:
                        await server.client.create(CONFIG_MAPS, obj)
                        acknowledged.add(name)
                    except ServiceUnavailableError:
                        await asyncio.sleep(0.05)
                    await asyncio.sleep(0.005)

            async def cut() -> None:
                for _ in range(5):
                    await asyncio.sleep(0.05)
                    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
                        await connection.execute(kill, (psycopg.conninfo.conninfo_to_dict(url)["dbname"],))

            await asyncio.gather(cut(), *(write(each) for each in range(4)))
            await server.client.create(CONFIG_MAPS, {"metadata": {"name": "last", "namespace": "default"}})
            found = await server.client.list(CONFIG_MAPS, "default")
            stored = {each["metadata"]["name"] for each in found.items}
            async with asyncio.timeout(60):
                while not stored <= seen:
                    await asyncio.sleep(0.02)
            watching.cancel()
            return acknowledged, stored, seen

    acknowledged, stored, seen = asyncio.run(main())
    assert acknowledged <= stored
    assert stored == seen


def test_a_pipeline_runs_and_its_server_comes_back(postgresql: Callable[[], str], tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "home", environ={"SAMPAN_DATABASE_URL": postgresql()})
    with server:
        run_id = server.submit(pipelines.chain(2))
        assert server.wait_run(run_id)["state"] == "SUCCEEDED"
    with server:
        assert server.call("GET", f"/apis/v2beta1/runs/{run_id}")["state"] == "SUCCEEDED"
        assert not (tmp_path / "home" / "sampan.db").exists()
