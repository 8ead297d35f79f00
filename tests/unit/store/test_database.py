"""The single writer: order, isolation of failures, durability."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from sampan.store.database import Database, StorageError

METADATA = sa.MetaData()
NUMBERS = sa.Table("numbers", METADATA, sa.Column("n", sa.Integer, primary_key=True))


def insert(n: int):  # type: ignore[no-untyped-def]
    return lambda connection: connection.execute(sa.insert(NUMBERS).values(n=n)) and n


def everything(connection: sa.Connection) -> list[int]:
    return [row.n for row in connection.execute(sa.select(NUMBERS.c.n).order_by(NUMBERS.c.n))]


def opened(tmp_path: Path) -> Database:
    database = Database.sqlite(tmp_path / "test.db")
    database.create(METADATA)
    return database


def test_after_runs_in_commit_order(tmp_path: Path) -> None:
    async def main() -> list[int]:
        database = opened(tmp_path)
        order: list[int] = []
        await asyncio.gather(*(database.write(insert(n), after=order.append) for n in range(500)))
        await database.close()
        return order

    assert asyncio.run(main()) == list(range(500))


def test_a_failed_write_fails_alone(tmp_path: Path) -> None:
    async def main() -> tuple[list[object], list[int]]:
        database = opened(tmp_path)
        results = await asyncio.gather(
            *(database.write(insert(n)) for n in (1, 2, 1, 3)), return_exceptions=True
        )
        rows = await database.read(everything)
        await database.close()
        return results, rows

    results, rows = asyncio.run(main())
    assert rows == [1, 2, 3]
    assert isinstance(results[2], StorageError)


def test_an_exception_of_the_caller_comes_back_and_keeps_nothing(tmp_path: Path) -> None:
    def half(connection: sa.Connection) -> None:
        connection.execute(sa.insert(NUMBERS).values(n=7))
        raise KeyError("half")

    async def main() -> list[int]:
        database = opened(tmp_path)
        with pytest.raises(KeyError):
            await database.write(half)
        rows = await database.read(everything)
        await database.close()
        return rows

    assert asyncio.run(main()) == []


def test_who_gives_up_waiting_takes_nothing_back(tmp_path: Path) -> None:
    async def main() -> tuple[list[int], list[int]]:
        database, told, holding = opened(tmp_path), [], threading.Event()
        held = asyncio.create_task(database.write(lambda _: holding.wait(60)))
        given_up = asyncio.create_task(database.write(insert(1), after=told.append))
        await asyncio.sleep(0)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        holding.set()
        await held
        await database.write(insert(2), after=told.append)
        rows = await database.read(everything)
        await database.close()
        return rows, told

    assert asyncio.run(main()) == ([1, 2], [1, 2])


def test_after_a_failure_writes_go_on_whoever_has_begun_them(tmp_path: Path) -> None:
    async def main() -> list[int]:
        database = opened(tmp_path)
        prepared = database.prepare(sa.text("INSERT INTO numbers VALUES (:n)"))

        def fails(connection: sa.Connection) -> None:
            prepared.execute(connection, {"n": 1})
            prepared.execute(connection, {"n": 1})

        def both(connection: sa.Connection) -> None:
            prepared.execute(connection, {"n": 3})
            connection.execute(sa.insert(NUMBERS).values(n=4))

        def half(connection: sa.Connection) -> None:
            both(connection)
            raise KeyError("half")

        for broken, error in ((fails, StorageError), (half, KeyError), (fails, StorageError)):
            with pytest.raises(error):
                await database.write(broken)
            await database.write(both)
            assert await database.read(everything) == [3, 4]
            await database.write(lambda connection: connection.execute(sa.delete(NUMBERS)))
        await database.write(both)
        database.change(lambda connection: connection.execute(sa.insert(NUMBERS).values(n=5)))
        rows = await database.read(everything)
        await database.close()
        return rows

    assert asyncio.run(main()) == [3, 4, 5]


def test_acknowledged_writes_survive_sigkill(tmp_path: Path) -> None:
    program = textwrap.dedent("""
        import asyncio, os, signal, sys
        from pathlib import Path
        import sqlalchemy as sa
        from sampan.store.database import Database
        metadata = sa.MetaData()
        numbers = sa.Table("numbers", metadata, sa.Column("n", sa.Integer, primary_key=True))
        async def main():
            database = Database.sqlite(Path(sys.argv[1]))
            database.create(metadata)
            for n in range(10000):
                await database.write(lambda c: c.execute(sa.insert(numbers).values(n=n)) and None)
                print(n, flush=True)
                if n == 300:
                    os.kill(os.getpid(), signal.SIGKILL)
        asyncio.run(main())
    """)
    file = tmp_path / "test.db"
    done = subprocess.run(
        [sys.executable, "-c", program, str(file)], capture_output=True, text=True, check=False
    )
    acknowledged = [int(line) for line in done.stdout.split()]
    assert done.returncode == -9
    assert acknowledged[-1] == 300

    async def main() -> list[int]:
        database = Database.sqlite(file)
        rows = await database.read(everything)
        await database.close()
        return rows

    assert set(acknowledged) <= set(asyncio.run(main()))


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    database = Database.sqlite(tmp_path / "missing" / "test.db")
    with pytest.raises(StorageError, match="check the folder's owner and permissions"):
        database.create(METADATA)
    asyncio.run(database.close())
