"""When a CronWorkflow is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sampan.components.pipelines.controller.ticks import due, timetable

NOW = datetime(2026, 3, 1, 12, 30, 5, tzinfo=UTC)


def at(hour: int, minute: int, second: int = 0) -> datetime:
    return NOW.replace(hour=hour, minute=minute, second=second)


def test_the_earliest_of_several_schedules_is_next() -> None:
    table = timetable({"schedules": ["0 14 * * *", "45 12 * * *"]})
    assert table.next(NOW) == at(12, 45)
    assert table.latest(NOW - timedelta(days=1), NOW) == at(14, 0) - timedelta(days=1)


def test_the_old_single_schedule_counts_too() -> None:
    assert timetable({"schedule": "0 13 * * *"}).next(NOW) == at(13, 0)


def test_a_time_zone_moves_the_ticks() -> None:
    table = timetable({"schedules": ["0 9 * * *"], "timezone": "America/New_York"})
    assert table.next(NOW) == at(14, 0)


@pytest.mark.parametrize("schedule", ["* * * * *", "*/7 3-9 * * 1", "13 2 29 2 *", "0,59 */5 1,15 * *"])
def test_the_latest_tick_is_the_one_that_counting_would_find(schedule: str) -> None:
    table = timetable({"schedules": [schedule, "17 4 * * 3"]})
    since = NOW - timedelta(days=3)
    found, counted = since, None
    while (following := table.next(found)) is not None and following <= NOW:
        found = counted = following
    assert table.latest(since, NOW) == counted


def test_a_tick_that_has_just_passed_is_due_once() -> None:
    table = timetable({"schedules": ["30 12 * * *"]})
    assert due(table, at(12, 0), NOW, 0) == at(12, 30)
    assert due(table, at(12, 30), NOW, 0) is None


def test_what_was_missed_is_made_up_for_within_the_deadline_and_once() -> None:
    table = timetable({"schedules": ["*/10 * * * *"]})
    now = at(12, 34)
    assert due(table, at(9, 0), now, 0) is None
    assert due(table, at(9, 0), now, 300) == at(12, 30)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({}, "at least one schedule"),
        ({"schedules": ["* * *"]}, r"cron schedule \* \* \* is malformed: expected exactly 5 fields"),
        ({"schedules": ["* * * * *"], "timezone": "Mars/Base"}, "unknown time zone Mars/Base"),
    ],
)
def test_what_cannot_be_read_is_named(spec: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        timetable(spec)
