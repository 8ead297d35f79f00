"""Schedules, as Kubernetes' parser reads them; the expected ticks are robfig/cron's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from sampan.kube.cron import parse, parse_with_seconds


def ticks(schedule: str, start: str, count: int = 1, zone: str = "UTC") -> list[str]:
    found, parsed, place = [], parse(schedule), ZoneInfo(zone)
    moment = datetime.fromisoformat(start).astimezone(UTC)
    for _ in range(count):
        moment = parsed.after(moment, place)
        found.append(moment.astimezone(place).strftime("%Y-%m-%dT%H:%M"))
    return found


@pytest.mark.parametrize(
    ("schedule", "start", "expected"),
    [
        ("* * * * *", "2026-01-01T00:00:30Z", "2026-01-01T00:01"),
        ("*/15 * * * *", "2026-01-01T00:45:00Z", "2026-01-01T01:00"),
        ("5/15 * * * *", "2026-01-01T00:50:00Z", "2026-01-01T01:05"),
        ("0 9-17/4 * * mon-fri", "2026-01-02T17:00:00Z", "2026-01-05T09:00"),
        ("0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00"),
        ("0 0 1 JAN ?", "2026-01-01T00:00:00Z", "2027-01-01T00:00"),
        ("@hourly", "2026-01-01T00:00:00Z", "2026-01-01T01:00"),
        ("@weekly", "2026-01-01T00:00:00Z", "2026-01-04T00:00"),
        # Both days given: either will do; a star with a step is no star.
        ("0 0 13 * fri", "2026-01-03T00:00:00Z", "2026-01-09T00:00"),
        ("0 0 */2 * fri", "2026-01-01T00:00:00Z", "2026-01-02T00:00"),
    ],
)
def test_the_next_tick(schedule, start, expected):
    assert ticks(schedule, start) == [expected]


def test_hours_that_the_clock_skips_are_skipped_and_repeated_ones_repeated():
    # As robfig/cron: no tick at 02:30 on 29 March; two at 02:30 on 25 October.
    spring = ticks("30 2 * * *", "2026-03-28T12:00:00Z", 1, "Europe/Berlin")
    assert spring == ["2026-03-30T02:30"]
    parsed, zone = parse("30 2 * * *"), ZoneInfo("Europe/Berlin")
    first = parsed.after(datetime(2026, 10, 24, 12, tzinfo=UTC), zone)
    second = parsed.after(first, zone)
    assert (first, second) == (
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
    )
    # A day that begins at one o'clock.
    assert ticks("0 1 * * *", "2026-04-24T12:00:00Z", 1, "Africa/Cairo") == ["2026-04-25T01:00"]


def test_every_is_a_delay():
    assert parse("@every 1h30m").after(datetime(2026, 1, 1, tzinfo=UTC)) == datetime(
        2026, 1, 1, 1, 30, tzinfo=UTC
    )
    assert parse("@every 10ms").every == timedelta(seconds=1)


def test_a_day_that_never_comes():
    assert parse("0 0 30 2 *").after(datetime(2026, 1, 1, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ("", "empty spec string"),
        ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
        ("0 * * * * *", "expected exactly 5 fields, found 6"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("* * * * 7", "end of range (7) above maximum (6): 7"),
        ("5-3 * * * *", "beginning of range (5) beyond end of range (3): 5-3"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("x * * * *", 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'),
        ("@often", "unrecognized descriptor: @often"),
        ("@every soon", "failed to parse duration @every soon"),
    ],
)
def test_what_is_no_schedule(schedule, words):
    with pytest.raises(ValueError, match="^" + __import__("re").escape(words)):
        parse(schedule)


def with_seconds(schedule: str, start: str, count: int, zone: str = "UTC") -> list[str]:
    found, parsed, place = [], parse_with_seconds(schedule), ZoneInfo(zone)
    moment = datetime.fromisoformat(start).astimezone(UTC)
    for _ in range(count):
        moment = parsed.after(moment, place)
        found.append(moment.astimezone(place).strftime("%Y-%m-%dT%H:%M:%S"))
    return found


@pytest.mark.parametrize(
    ("schedule", "start", "expected"),
    [
        ("*/20 * * * * *", "2026-01-01T00:00:30Z", ["2026-01-01T00:00:40", "2026-01-01T00:01:00"]),
        ("5,50 59 23 31 12 ?", "2026-12-31T23:59:05Z", ["2026-12-31T23:59:50", "2027-12-31T23:59:05"]),
        ("0 30 9 ? * mon-fri", "2026-01-02T10:00:00Z", ["2026-01-05T09:30:00", "2026-01-06T09:30:00"]),
        # Five fields leave the day of the week out: seconds still come first.
        ("0 9 * * *", "2026-01-01T00:10:00Z", ["2026-01-01T01:09:00", "2026-01-01T02:09:00"]),
        ("@daily", "2026-01-01T00:00:00Z", ["2026-01-02T00:00:00", "2026-01-03T00:00:00"]),
        ("@every 90s", "2026-01-01T00:00:00Z", ["2026-01-01T00:01:30", "2026-01-01T00:03:00"]),
        # In robfig/cron v1 a star with a step still is one: both days must match.
        ("0 0 0 */2 * fri", "2026-01-01T00:00:00Z", ["2026-01-09T00:00:00", "2026-01-23T00:00:00"]),
    ],
)
def test_ticks_with_seconds(schedule, start, expected):
    assert with_seconds(schedule, start, 2) == expected


def test_seconds_go_on_through_a_repeated_hour():
    ticks = with_seconds("30 59 * * * *", "2026-10-25T00:00:00Z", 3, "Europe/Berlin")
    assert ticks == ["2026-10-25T02:59:30", "2026-10-25T02:59:30", "2026-10-25T03:59:30"]
    skipped = with_seconds("30 15 2 * * *", "2026-03-28T12:00:00Z", 1, "Europe/Berlin")
    assert skipped == ["2026-03-30T02:15:30"]


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ("* * * *", "expected 5 to 6 fields, found 4: * * * *"),
        ("* * * * * * *", "expected 5 to 6 fields, found 7"),
        ("60 * * * * *", "end of range (60) above maximum (59): 60"),
        ("* * * * * 7", "end of range (7) above maximum (6): 7"),
    ],
)
def test_what_is_no_schedule_with_seconds(schedule, words):
    with pytest.raises(ValueError, match="^" + __import__("re").escape(words)):
        parse_with_seconds(schedule)
