"""`sampan.components.tuning.store.observations`, on SQLite."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from sampan.components.tuning.api.observing import MetricLog
from sampan.components.tuning.store.observations import Observations
from sampan.components.tuning.store.tables import metadata
from sampan.store.database import Database

T = TypeVar("T")


def _with_observations(file: Path, use: Callable[[Observations], Awaitable[T]]) -> T:
    return _with_database(file, lambda database: use(Observations(database)))


def _with_database(file: Path, use: Callable[[Database], Awaitable[T]]) -> T:
    async def main() -> T:
        database = Database.sqlite(file)
        database.create(metadata)
        try:
            return await use(database)
        finally:
            await database.close()

    return asyncio.run(main())


def _log(second: int, value: str, origin: str = "", name: str = "loss") -> MetricLog:
    return MetricLog(f"2026-11-26T09:00:{second:02}.123456789Z", name, value, origin)


def test_lines_come_back_in_the_order_of_time(tmp_path: Path) -> None:
    async def use(observations: Observations) -> None:
        await observations.report("team", "one", [_log(2, "0.2"), _log(1, "0.1"), _log(1, "7", name="epoch")])
        await observations.report("team", "other", [_log(3, "9")])
        assert [each.value for each in await observations.of("team", "one")] == ["0.1", "7", "0.2"]
        assert [each.value for each in await observations.of("team", "one", "loss")] == ["0.1", "0.2"]
        assert await observations.of("else", "one") == []

    _with_observations(tmp_path / "test.db", use)


def test_the_same_place_counts_once_and_a_push_each_time(tmp_path: Path) -> None:
    async def use(observations: Observations) -> None:
        for _ in range(2):
            await observations.report("team", "one", [_log(1, "0.1", "log:17"), _log(2, "0.2")])
        assert [each.value for each in await observations.of("team", "one")] == ["0.1", "0.2", "0.2"]

    _with_observations(tmp_path / "test.db", use)


def test_lines_are_kept_with_what_is_written_with_them_or_not_at_all(tmp_path: Path) -> None:
    def refused(_: Any) -> None:
        raise KeyError("refused")

    async def use(database: Database) -> None:
        observations = Observations(database)
        with observations.joined("team", "one", [_log(1, "0.1", "report/0"), _log(2, "0.2", "report/1")]):
            await database.write(lambda _: None)
        with pytest.raises(KeyError), observations.joined("team", "one", [_log(3, "0.3", "report/2")]):
            await database.write(refused)
        with observations.joined("team", "one", ()):
            # Nothing to keep, and so nothing that could be lost.
            pass
        assert [each.value for each in await observations.of("team", "one")] == ["0.1", "0.2"]

    _with_database(tmp_path / "test.db", use)


def test_both_ends_of_a_range_are_in_it(tmp_path: Path) -> None:
    async def use(observations: Observations) -> None:
        await observations.report("team", "one", [_log(second, str(second)) for second in range(5)])
        found = await observations.of(
            "team", "one", start="2026-11-26T09:00:01.123456Z", end="2026-11-26T10:00:03.123456+01:00"
        )
        assert [each.value for each in found] == ["1", "2", "3"]

    _with_observations(tmp_path / "test.db", use)


@pytest.mark.parametrize(
    ("time", "read"),
    [
        ("2019-02-03T04:05:06+09:00", "2019-02-02T19:05:06Z"),
        ("2019-02-03T04:05:06.000000019-00:30", "2019-02-03T04:35:06.000000019Z"),
        ("2019-02-03T04:05:06.5Z", "2019-02-03T04:05:06.5Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
    ],
)
def test_times_are_read_in_utc(tmp_path: Path, time: str, read: str) -> None:
    async def use(observations: Observations) -> None:
        await observations.report("team", "one", [MetricLog(time, "loss", "1")])
        assert [each.time for each in await observations.of("team", "one")] == [read]

    _with_observations(tmp_path / "test.db", use)


def test_deleting_takes_one_trial(tmp_path: Path) -> None:
    async def use(observations: Observations) -> None:
        await observations.report("team", "one", [_log(1, "1")])
        await observations.report("team", "two", [_log(1, "2")])
        await observations.delete("team", "one")
        assert await observations.of("team", "one") == []
        assert len(await observations.of("team", "two")) == 1

    _with_observations(tmp_path / "test.db", use)


@pytest.mark.parametrize(
    ("time", "words"),
    [("2026-11-26T09:00:00", "no time zone"), ("0001-01-01T00:00:00+01:00", "beyond the calendar")],
)
def test_a_time_that_is_none_is_refused_whole(tmp_path: Path, time: str, words: str) -> None:
    async def use(observations: Observations) -> None:
        with pytest.raises(ValueError, match=words):
            await observations.report("team", "one", [_log(1, "1"), MetricLog(time, "loss", "2")])
        assert await observations.of("team", "one") == []

    _with_observations(tmp_path / "test.db", use)


def test_what_no_database_takes_as_text_is_said_to_be_none(tmp_path: Path) -> None:
    async def use(observations: Observations) -> None:
        odd = _log(1, "0.5\x00\ud800", "a\x00", name="lo\udfffss")
        for _ in range(2):
            await observations.report("team", "one", [odd, _log(2, "0.6", "a\ufffd")])
        found = await observations.of("team", "one")
        assert [(each.name, each.value) for each in found] == [
            ("lo\ufffdss", "0.5\ufffd\ufffd"),
            ("loss", "0.6"),
        ]
        assert len({each.origin for each in found}) == 2

    _with_observations(tmp_path / "test.db", use)


def test_long_origins_names_and_times_fit_and_stay_different(tmp_path: Path) -> None:
    async def use(observations: Observations) -> None:
        path = "/é" * 2000
        logs = [_log(1, each, f"{path}{each}", name=path) for each in "ab"]
        for _ in range(2):
            await observations.report("team", "one", logs)
        found = await observations.of("team", "one", path)
        assert [each.value for each in found] == ["a", "b"]
        assert all(len(each.origin.encode()) <= 512 and len(each.name.encode()) <= 1024 for each in found)
        long = MetricLog(f"2026-11-26T09:00:01.{'1' * 99}+00:00", "loss", "1")
        await observations.report("team", "two", [long])
        assert [len(each.time) for each in await observations.of("team", "two")] == [30]

    _with_observations(tmp_path / "test.db", use)
