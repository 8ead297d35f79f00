"""What the store keeps: across restarts and kills, while history is compacted, under slow watchers."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

import pytest

from sampan.client.protocol import Client, ListOptions
from sampan.cluster.apiserver.storage import Key, ListQuery, Storage, decode, tables
from sampan.kube import meta
from sampan.kube.errors import AlreadyExistsError, ExpiredError, ServerTimeoutError, ServiceUnavailableError
from sampan.kube.kinds import CONFIG_MAPS
from sampan.store.database import Database, StorageError
from sampan.testing.apiserver import embedded


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default"}, "data": data}


async def everything(client: Client) -> dict[str, Any]:
    found = await client.list(CONFIG_MAPS, "default")
    return {meta.name(each): each for each in found.items}


def test_a_restart_keeps_objects_and_the_counter(tmp_path: Path) -> None:
    async def first() -> tuple[dict[str, Any], int]:
        async with embedded(tmp_path) as server:
            await server.client.create(CONFIG_MAPS, config_map("one", a="1"))
            await server.client.create(CONFIG_MAPS, config_map("last"))
            gone = await server.client.delete(CONFIG_MAPS, "last", "default")
            return await everything(server.client), int(meta.resource_version(gone))

    async def second(before: dict[str, Any], newest: int) -> None:
        async with embedded(tmp_path) as server:
            assert await everything(server.client) == before
            listed = await server.client.list(CONFIG_MAPS, "default")
            assert int(listed.resource_version) >= newest
            made = await server.client.create(CONFIG_MAPS, config_map("two"))
            assert int(meta.resource_version(made)) > newest

    asyncio.run(second(*asyncio.run(first())))


def test_a_watch_goes_on_after_a_restart(tmp_path: Path) -> None:
    async def first() -> str:
        async with embedded(tmp_path) as server:
            start = (await server.client.list(CONFIG_MAPS)).resource_version
            await server.client.create(CONFIG_MAPS, config_map("one", a="1"))
            await server.client.patch(CONFIG_MAPS, "one", {"data": {"a": "2"}}, "default")
            await server.client.delete(CONFIG_MAPS, "one", "default")
            return start

    async def second(start: str) -> list[tuple[str, Any]]:
        async with embedded(tmp_path) as server:
            await server.client.create(CONFIG_MAPS, config_map("two"))
            found = []
            watch: Any = server.client.watch(CONFIG_MAPS, None, ListOptions(resource_version=start))
            async with asyncio.timeout(60), aclosing(watch) as events:
                async for event in events:
                    found.append((event.type, event.object.get("data")))
                    if len(found) == 4:
                        return found
        raise AssertionError

    assert asyncio.run(second(asyncio.run(first()))) == [
        ("ADDED", {"a": "1"}),
        ("MODIFIED", {"a": "2"}),
        ("DELETED", {"a": "2"}),
        ("ADDED", {}),
    ]


_WRITER = """
import asyncio, sys
from pathlib import Path
from sampan.kube.kinds import CONFIG_MAPS
from sampan.testing.apiserver import embedded

async def main():
    async with embedded(Path(sys.argv[1])) as server:
        async def write(worker):
            for at in range(100_000):
                name = f"w{worker}-{at}"
                await server.client.create(CONFIG_MAPS, {"metadata": {"name": name, "namespace": "default"}})
                print(name, flush=True)
        await asyncio.gather(*(write(each) for each in range(8)))

asyncio.run(main())
"""


def test_every_acknowledged_write_survives_a_kill(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        acknowledged = [process.stdout.readline().strip() for _ in range(200)]
        os.kill(process.pid, signal.SIGKILL)
        acknowledged += process.stdout.read().split("\n")[:-1]

    async def after() -> dict[str, Any]:
        async with embedded(tmp_path) as server:
            return await everything(server.client)

    assert set(acknowledged) <= asyncio.run(after()).keys()


async def _storage(folder: Path) -> tuple[Database, Storage]:
    database = Database.sqlite(folder / "sampan.db")
    database.create(tables)
    storage = Storage(database)
    storage.start()
    return database, storage


async def _put(storage: Storage, name: str, value: int) -> int:
    key = Key("things", "ns", name)

    def write(txn: Any) -> Any:
        return txn.put(key, {"metadata": {"name": name}, "value": value}, txn.get(key))

    record = await storage.write(write)
    return int(record.rev)


def test_a_list_shows_any_revision_that_is_kept(tmp_path: Path) -> None:
    async def main() -> None:
        database, storage = await _storage(tmp_path)
        first = await _put(storage, "a", 1)
        await _put(storage, "b", 1)
        second = await _put(storage, "a", 2)
        key = Key("things", "ns", "b")

        def remove(txn: Any) -> Any:
            current = txn.get(key)
            return txn.delete(key, current.object(), current)

        await storage.write(remove)
        third = storage.revision

        async def values(revision: int) -> list[tuple[str, int]]:
            page = await storage.page(ListQuery("things", revision=revision))
            objects = [decode(data) for data in page.items]
            return [(each["metadata"]["name"], each["value"]) for each in objects]

        assert await values(first) == [("a", 1)]
        assert await values(second) == [("a", 2), ("b", 1)]
        assert await values(third) == [("a", 2)]
        assert await values(0) == [("a", 2)]
        while await storage.compact(second):
            pass
        assert await values(second) == [("a", 2), ("b", 1)]
        assert await values(third) == [("a", 2)]
        with pytest.raises(ExpiredError, match="too old resource version"):
            await values(first)
        await database.close()

    asyncio.run(main())


def test_what_nobody_wrote_for_long_expires_and_watchers_hear_of_it(tmp_path: Path) -> None:
    async def main() -> None:
        database, storage = await _storage(tmp_path)
        await _put(storage, "old", 1)
        await _put(storage, "renewed", 1)
        long_ago = storage.revision
        await _put(storage, "renewed", 2)
        await _put(storage, "new", 1)
        before = storage.revision
        assert await storage.expire("others", before) == 0
        assert await storage.expire("things", long_ago) == 1
        assert await storage.expire("things", long_ago) == 0
        page = await storage.page(ListQuery("things"))
        assert [decode(item)["metadata"]["name"] for item in page.items] == ["new", "renewed"]
        # A deletion like any other: with a revision of its own, and the object as it was still to be read before it.
        assert storage.revision == before + 1
        then = await storage.page(ListQuery("things", revision=before))
        assert len(then.items) == 3
        await database.close()

    asyncio.run(main())


def test_compaction_keeps_the_counter_and_ends_old_watches(tmp_path: Path) -> None:
    async def main() -> int:
        database, storage = await _storage(tmp_path)
        start = storage.revision
        key = Key("things", "ns", "a")
        await _put(storage, "a", 1)
        await _put(storage, "a", 2)

        def remove(txn: Any) -> Any:
            current = txn.get(key)
            return txn.delete(key, current.object(), current)

        await storage.write(remove)
        newest = storage.revision
        while await storage.compact(newest):
            pass
        # Everything is still in memory, but a restarted server would not have it: nobody may rely on it.
        await database.close()
        database, storage = await _storage(tmp_path)
        assert storage.revision == newest
        assert storage.compacted == newest
        with pytest.raises(ExpiredError):
            await storage.subscribe("things", since=start).next(0.1)
        assert await storage.subscribe("things", since=newest).next(0.01) == []
        await database.close()
        return newest

    asyncio.run(main())


def test_a_slow_watcher_misses_nothing_and_holds_nothing(tmp_path: Path) -> None:
    """More changes than the ring holds: the rest is read from the tables."""

    async def main() -> None:
        database, storage = await _storage(tmp_path)
        slow = storage.subscribe("things", since=storage.revision)
        other = storage.subscribe("others", since=storage.revision)
        count = 3_000
        await asyncio.gather(*(_put(storage, f"n{at % 50}", at) for at in range(count)))
        seen: list[int] = []
        while len(seen) < count:
            changes = await slow.next(5)
            assert changes
            seen += [change.rev for change in changes]
        assert seen == sorted(set(seen))
        assert await slow.next(0.01) == []
        assert await other.next(0.01) == []
        assert other.revision == storage.revision
        await database.close()

    asyncio.run(main())


def test_the_future_is_not_listed(tmp_path: Path) -> None:
    async def main() -> None:
        async with embedded(tmp_path) as server:
            with pytest.raises(ServerTimeoutError, match="Too large resource version"):
                await server.client.list(CONFIG_MAPS, None, ListOptions(resource_version="99999"))

    asyncio.run(main())


def test_objects_in_memory_are_bounded(tmp_path: Path) -> None:
    async def main() -> None:
        database, storage = await _storage(tmp_path)
        storage.cache.limit_bytes = 2_000
        for at in range(100):
            await _put(storage, f"n{at}", at)
        assert storage.cache.size <= 2_000
        first, last = storage.get(Key("things", "ns", "n0")), storage.get(Key("things", "ns", "n99"))
        assert first is not None
        assert last is not None
        assert (first.object()["value"], last.object()["value"]) == (0, 99)
        await database.close()

    asyncio.run(main())


class _Forgetful(Database):
    """Commits, and then says that it has not: a connection that broke at the wrong instant."""

    forgets = False

    def _commit(self, batch: Any) -> None:
        super()._commit(batch)
        for write in batch if self.forgets else ():
            write.error = StorageError("connection lost")


@pytest.mark.parametrize("waits", [True, False], ids=["who-wrote-waits", "who-wrote-has-gone"])
def test_a_commit_that_nobody_confirmed_reaches_watchers_and_readers(tmp_path: Path, waits: bool) -> None:
    async def main() -> tuple[list[int], Any]:
        database = _Forgetful.sqlite(tmp_path / "sampan.db")
        assert isinstance(database, _Forgetful)
        database.create(tables)
        storage = Storage(database)
        storage.start()
        first = await _put(storage, "a", 1)
        subscription = storage.subscribe("things", since=first)
        waiting = asyncio.create_task(subscription.next())
        await asyncio.sleep(0)
        database.forgets = True
        writing = asyncio.create_task(_put(storage, "a", 2))
        await asyncio.sleep(0)
        if not waits:
            writing.cancel()
        with pytest.raises(ServiceUnavailableError if waits else asyncio.CancelledError):
            await writing
        with pytest.raises(StorageError):
            await database.write(lambda _: None)  # comes after it
        database.forgets = False
        await _put(storage, "b", 3)
        seen = [change.object["value"] for change in await waiting]
        while len(seen) < 2:
            seen += [change.object["value"] for change in await subscription.next(5)]
        found = storage.get(Key("things", "ns", "a"))
        await database.close()
        return seen, found and found.object()["value"]

    assert asyncio.run(main()) == ([2, 3], 2)


def test_whenever_who_writes_gives_up_readers_and_watchers_know_the_same(tmp_path: Path) -> None:
    async def main() -> None:
        async with embedded(tmp_path) as server:
            client, seen = server.client, dict[str, Any]()
            start = (await client.list(CONFIG_MAPS)).resource_version
            for steps in range(40):
                writing = asyncio.create_task(client.create(CONFIG_MAPS, config_map(f"n{steps}")))
                for _ in range(steps):
                    await asyncio.sleep(0)
                writing.cancel()
                await asyncio.wait([writing])
            await client.create(CONFIG_MAPS, config_map("last"))
            stored = await everything(client)
            watch: Any = client.watch(CONFIG_MAPS, "default", ListOptions(resource_version=start))
            async with asyncio.timeout(60), aclosing(watch) as events:
                async for event in events:
                    seen[meta.name(event.object)] = event.object
                    if "last" in seen:
                        break
            assert seen == stored
            for name in seen:
                assert await client.get(CONFIG_MAPS, name, "default") == stored[name]
            # They are made where nothing came of it, and are there where something did.
            for steps in range(40):
                with suppress(AlreadyExistsError):
                    await client.create(CONFIG_MAPS, config_map(f"n{steps}"))
            assert len(await everything(client)) == 41

    asyncio.run(main())
