"""When schedules tick, and what the words in their runs' parameters stand for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.api.macros import Macros
from sampan.components.pipelines.api.triggers import Timetable, read_trigger, read_zone, timetable
from sampan.components.pipelines.engine.schedules import run_name


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp())


def written(ticks: list[int]) -> list[str]:
    return [datetime.fromtimestamp(tick, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for tick in ticks]


def made(trigger: dict[str, Any], created: str = "2026-01-01T00:00:00Z", zone: str = "UTC") -> Timetable:
    return timetable(read_trigger(trigger, "trigger"), at(created), read_zone(zone))


def ticks(table: Timetable, after: str, count: int) -> list[str]:
    found, moment = [], at(after)
    for _ in range(count):
        tick = table.following(moment)
        if tick is None:
            break
        found.append(tick)
        moment = tick
    return written(found)


def cron(text: str, **window: str) -> dict[str, Any]:
    return {"cron_schedule": {"cron": text, **window}}


def every(seconds: int, **window: str) -> dict[str, Any]:
    return {"periodic_schedule": {"interval_second": seconds, **window}}


@pytest.mark.parametrize("prefix", ["CRON_TZ=Europe/Berlin ", "TZ=Europe/Berlin "])
def test_a_schedules_own_zone_goes_before_the_servers(prefix: str) -> None:
    own = made(cron(prefix + "0 0 9 * * *"), zone="America/New_York")
    assert ticks(own, "2026-03-28T00:00:00Z", 2) == ["2026-03-28T08:00:00Z", "2026-03-29T07:00:00Z"]
    servers = made(cron("0 0 9 * * *"), zone="America/New_York")
    assert ticks(servers, "2026-03-28T00:00:00Z", 1) == ["2026-03-28T13:00:00Z"]


def test_a_window_begins_after_its_start_and_holds_its_end() -> None:
    table = made(cron("0 0 * * * *", start_time="2026-01-01T06:00:00Z", end_time="2026-01-01T08:00:00Z"))
    assert ticks(table, "2026-01-01T00:00:00Z", 9) == ["2026-01-01T07:00:00Z", "2026-01-01T08:00:00Z"]
    # The first of an interval comes one interval after the start, as upstream.
    table = made(every(3600, start_time="2026-01-01T06:30:00Z", end_time="2026-01-01T08:30:00Z"))
    assert ticks(table, "2026-01-01T00:00:00Z", 9) == ["2026-01-01T07:30:00Z", "2026-01-01T08:30:00Z"]


def test_intervals_keep_to_their_grid_wherever_one_looks_from() -> None:
    table = made(every(7), created="2026-01-01T00:00:03Z")
    assert ticks(table, "2025-01-01T00:00:00Z", 2) == ["2026-01-01T00:00:10Z", "2026-01-01T00:00:17Z"]
    assert ticks(table, "2026-01-01T00:00:16Z", 1) == ["2026-01-01T00:00:17Z"]
    assert ticks(table, "2026-01-01T00:00:17Z", 1) == ["2026-01-01T00:00:24Z"]


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [
        (cron("0 0 9 * * *"), "2026-06-30T09:00:00Z"),
        (cron("* * * * * *"), "2026-06-30T12:34:56Z"),
        (cron("0 0 0 29 2 *"), None),
        (cron("* * * * * *", end_time="2026-02-01T00:00:00Z"), "2026-02-01T00:00:00Z"),
        (cron("@every 1h"), "2026-06-30T12:00:00Z"),
        (every(86400), "2026-06-30T00:00:00Z"),
        (every(86400, end_time="2026-01-03T12:00:00Z"), "2026-01-03T00:00:00Z"),
        ({}, None),
    ],
)
def test_the_latest_of_many_missed_ticks(trigger: dict[str, Any], expected: str | None) -> None:
    found = made(trigger).latest(at("2026-01-01T00:00:00Z"), at("2026-06-30T12:34:56Z"))
    assert (written([found])[0] if found is not None else None) == expected


def test_no_trigger_ticks_once_when_it_is_made() -> None:
    assert ticks(made({}), "1970-01-01T00:00:00Z", 5) == ["2026-01-01T00:00:00Z"]


def test_there_is_an_end_of_time() -> None:
    assert made(every(2**62)).following(at("2026-01-01T00:00:00Z")) is None
    late = made(cron("0 0 0 1 1 *", start_time="9998-12-31T00:00:00Z"))
    assert late.following(0) == at("9999-01-01T00:00:00Z")
    assert late.following(at("9999-01-01T00:00:00Z")) is None


def test_what_is_stored_reads_back_the_same() -> None:
    for given in (cron("TZ=Asia/Tokyo 0 0 9 * * ?", start_time="2026-01-01T00:00:00Z"), every(5), {}):
        trigger = read_trigger(given, "trigger")
        assert read_trigger(trigger.to_json(), "trigger") == trigger


@pytest.mark.parametrize(
    ("trigger", "words"),
    [
        (cron(""), "trigger.cron_schedule.cron must not be empty"),
        (cron("* * *"), "'* * *' is no cron schedule: expected 5 to 6 fields, found 3"),
        (cron("TZ=Mars/Olympus 0 0 9 * * *"), "unknown time zone 'Mars/Olympus'"),
        (cron("TZ=../../etc/passwd 0 0 9 * * *"), "unknown time zone"),
        (cron("TZ=Europe 0 0 9 * * *"), "unknown time zone 'Europe'"),
        (cron("TZ=/etc/localtime 0 0 9 * * *"), "unknown time zone"),
        (cron("TZ=Europe/Berlin"), "empty spec string"),
        (every(0), "interval_second must be at least 1 second, not 0"),
        (every(-5), "at least 1 second, not -5"),
        (
            every(1, start_time="2026-01-02T00:00:00Z", end_time="2026-01-01T00:00:00Z"),
            "periodic_schedule.end_time must not be before start_time",
        ),
        (every(1, start_time="9999-12-31T00:00:00Z"), "start_time must be before the year 9999"),
    ],
)
def test_what_is_no_trigger(trigger: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        read_trigger(trigger, "trigger")
    assert words in refused.value.message
    assert refused.value.message.startswith("trigger.")


MACROS = Macros("the-id", now=at("2026-03-04T05:06:07Z"), scheduled=at("2026-03-04T15:00:00Z"), index=12)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[[RunUUID]]/[[Index]]", "the-id/12"),
        ("[[ScheduledTime]] [[CurrentTime]]", "20260304150000 20260304050607"),
        ("[[ScheduledTime.2006-01-02]]", "2026-03-04"),
        ("[[ScheduledTime.2006-01-02T15:04:05Z07:00]]", "2026-03-04T15:00:00Z"),
        ("[[ScheduledTime.Monday, Jan _2 3:04PM 06 MST -0700]]", "Wednesday, Mar  4 3:00PM 26 UTC +0000"),
        ("[[CurrentTime.1/2/06 at 15h04pm]]", "3/4/26 at 05h06am"),
        ("{{$.scheduledTime.strftime('%Y-%m-%d %H:%M %s')}}", "2026-03-04 15:00 1772636400"),
        ("{{$.currentTime.strftime('%d%%')}}", "04%"),
        # What nobody knows stays.
        (
            "[[Nothing]] {{$.pipeline_job_name}} {{$.scheduledTime.strftime('%Q')}}",
            "[[Nothing]] {{$.pipeline_job_name}} {{$.scheduledTime.strftime('%Q')}}",
        ),
        ("[[1, 2], [3]]", "[[1, 2], [3]]"),
    ],
)
def test_words_for_times(text: str, expected: str) -> None:
    assert MACROS.format(text) == expected


def test_a_run_without_a_schedule_has_no_scheduled_time() -> None:
    plain = Macros("the-id", now=0)
    assert plain.format("[[ScheduledTime]] [[Index]] [[CurrentTime]]") == (
        "[[ScheduledTime]] [[Index]] 19700101000000"
    )
    assert plain.of_parameters({"a": "[[RunUUID]]", "b": ["[[RunUUID]]"], "c": 1}) == {
        "a": "the-id",
        "b": ["[[RunUUID]]"],
        "c": 1,
    }


def test_runs_are_named_as_upstream_names_them() -> None:
    # The expected name is that of scheduled_workflow_test.go.
    assert run_name("WORKFLOW_NAME", 51) == "WORKFLOW_NAME-51-2626342551"
