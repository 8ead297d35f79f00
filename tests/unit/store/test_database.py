"""The single writer: order, isolation of failures, durability."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from sampan.store.database import Database, StorageError, StorageFullError

METADATA = sa.MetaData()
NUMBERS = sa.Table("numbers", METADATA, sa.Column("n", sa.Integer, primary_key=True))
TEXTS = sa.Table("texts", METADATA, sa.Column("n", sa.Integer, primary_key=True), sa.Column("text", sa.Text))


def insert(n: int):  # type: ignore[no-untyped-def]
    return lambda connection: connection.execute(sa.insert(NUMBERS).values(n=n)) and n


def everything(connection: sa.Connection) -> list[int]:
    return [row.n for row in connection.execute(sa.select(NUMBERS.c.n).order_by(NUMBERS.c.n))]


def opened(tmp_path: Path) -> Database:
    database = Database.sqlite(tmp_path / "test.db")
    database.create(METADATA)
    return database


async def together(database: Database, *writes: Awaitable[object]) -> list[object]:
    """What became of each, where the writer had to take all of them at once."""
    begun, holding = threading.Event(), threading.Event()

    def hold(_: sa.Connection) -> None:
        begun.set()
        holding.wait(60)

    held = asyncio.create_task(database.write(hold))
    await asyncio.to_thread(begun.wait, 60)
    waiting = [asyncio.ensure_future(each) for each in writes]
    await asyncio.sleep(0)
    holding.set()
    await held
    return await asyncio.gather(*waiting, return_exceptions=True)


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


def test_the_first_ones_of_many_fail_alone_too(tmp_path: Path) -> None:
    def half(connection: sa.Connection) -> None:
        connection.execute(sa.insert(NUMBERS).values(n=7))
        raise KeyError("half")

    async def main() -> tuple[list[object], list[int]]:
        database = opened(tmp_path)
        results = await together(
            database, *(database.write(each) for each in (half, half, insert(1), half, insert(2), half))
        )
        rows = await database.read(everything)
        await database.close()
        return results, rows

    results, rows = asyncio.run(main())
    assert [isinstance(each, KeyError) for each in results] == [True, True, False, True, False, True]
    assert rows == [1, 2]


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


@pytest.mark.parametrize("others", [(), (101, 102, 103)], ids=["alone", "among others"])
def test_what_is_written_together_is_kept_together_or_not_at_all(
    tmp_path: Path, others: tuple[int, ...]
) -> None:
    async def main() -> list[int]:
        database = opened(tmp_path)

        async def both(first: int, second: int) -> int:
            with database.joined(insert(first)):
                return await database.write(insert(second))

        async def tried(first: int, second: int, *others: int) -> list[object]:
            return await together(
                database, both(first, second), *(database.write(insert(each)) for each in others)
            )

        assert await tried(1, 2, *others) == [2, *others]
        for first, second in ((1, 3), (4, 2)):
            # Beside some that were not there yet.
            found = await tried(first, second, *(each * 10 + first for each in others))
            assert [isinstance(each, StorageError) for each in found] == [True, *(False for _ in others)]
        rows = await database.read(everything)
        await database.close()
        return [each for each in rows if each < 100]

    assert asyncio.run(main()) == [1, 2]


def test_what_was_to_be_written_with_something_is_not_lost_without_a_word(tmp_path: Path) -> None:
    async def main() -> list[int]:
        database, other = opened(tmp_path), Database.sqlite(tmp_path / "other.db")
        other.create(METADATA)
        with pytest.raises(RuntimeError, match="nothing was written"), database.joined(insert(1)):
            await other.write(insert(2))
        rows = await database.read(everything) + await other.read(everything)
        await database.close()
        await other.close()
        return rows

    assert asyncio.run(main()) == [2]


def test_what_comes_of_a_joined_write_later_is_written_without_it(tmp_path: Path) -> None:
    async def main() -> list[int]:
        database = opened(tmp_path)
        is_over = asyncio.Event()

        async def later() -> None:
            await is_over.wait()
            await database.write(insert(3))

        with database.joined(insert(1)):
            task = asyncio.create_task(later())
            await database.write(insert(2))
        await database.write(lambda connection: connection.execute(sa.delete(NUMBERS)))
        is_over.set()
        await task
        rows = await database.read(everything)
        await database.close()
        return rows

    assert asyncio.run(main()) == [3]


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


def test_of_a_failure_is_told_before_later_writes_are_though_nobody_waits(tmp_path: Path) -> None:
    async def main() -> list[object]:
        database, told, begun, holding = opened(tmp_path), [], threading.Event(), threading.Event()

        def fails(_: sa.Connection) -> None:
            begun.set()
            holding.wait(60)
            raise KeyError("gone")

        given_up = asyncio.create_task(database.write(fails, failed=told.append))
        await asyncio.to_thread(begun.wait, 60)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        later = [asyncio.create_task(database.write(insert(n), told.append, told.append)) for n in (1, 1, 2)]
        await asyncio.sleep(0)
        holding.set()
        await asyncio.wait(later)
        await database.close()
        return told

    gone, one, again, two = asyncio.run(main())
    assert isinstance(gone, KeyError)
    assert isinstance(again, StorageError)
    assert (one, two) == (1, 2)


def test_what_is_under_way_is_kept_and_told_before_the_end_and_nothing_later_is_taken(tmp_path: Path) -> None:
    async def main() -> tuple[list[int], list[int]]:
        database, told = opened(tmp_path), []
        writes = [asyncio.create_task(database.write(insert(n), after=told.append)) for n in range(300)]
        await asyncio.sleep(0)
        await database.close()
        assert await asyncio.gather(*writes) == told
        with pytest.raises(StorageError, match="closed"):
            await database.write(insert(1000))
        with pytest.raises(StorageError, match="closed"):
            await database.read(everything)
        await database.close()
        again = Database.sqlite(tmp_path / "test.db")
        rows = await again.read(everything)
        await again.close()
        return rows, told

    assert asyncio.run(main()) == (list(range(300)), list(range(300)))


def test_without_room_all_that_is_written_at_once_is_refused_for_that_reason_and_later_writes_go_on(
    tmp_path: Path,
) -> None:
    """SQLite then undoes the whole transaction by itself, with its savepoints."""

    def no_room(connection: sa.Connection) -> None:
        pages = connection.execute(sa.text("PRAGMA page_count")).scalar_one()
        connection.execute(sa.text(f"PRAGMA max_page_count = {pages + 5}"))

    def long(n: int) -> Callable[[sa.Connection], object]:
        return lambda connection: connection.execute(sa.insert(TEXTS).values(n=n, text="x" * 10**5)) and n

    async def main() -> list[int]:
        database, lost = opened(tmp_path), []
        database.on_rollback = lambda: lost.append(1)
        await database.write(no_room)
        outcomes = await together(
            database, *(database.write(each) for each in (insert(1), long(2), insert(3)))
        )
        assert [type(each) for each in outcomes] == [StorageFullError] * 3
        assert lost
        assert "full" in database.trouble
        with pytest.raises(StorageFullError):
            await database.write(long(4))
        await database.write(insert(5))
        assert not database.trouble
        assert await together(database, database.write(insert(6)), database.write(insert(7))) == [6, 7]
        rows = await database.read(everything)
        await database.close()
        return rows

    assert asyncio.run(main()) == [5, 6, 7]


def test_while_another_program_writes_who_writes_is_told_and_goes_on_after_it(tmp_path: Path) -> None:
    async def main() -> list[int]:
        database = opened(tmp_path)
        # As the one who waits it is that gives up, not at once, but soon enough for a test.
        await database.write(
            lambda connection: connection.execute(sa.text("PRAGMA busy_timeout = 50")) and None
        )
        with contextlib.closing(sqlite3.connect(tmp_path / "test.db", isolation_level=None)) as other:
            for n in (1, 3):
                other.execute("BEGIN IMMEDIATE")
                found = await asyncio.gather(
                    *(database.write(insert(each)) for each in (n, n + 1)), return_exceptions=True
                )
                assert all(isinstance(each, StorageError) and "locked" in str(each) for each in found)
                other.execute("COMMIT")
                await database.write(insert(n))
        rows = await database.read(everything)
        await database.close()
        return rows

    assert asyncio.run(main()) == [1, 3]


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
