"""What `sampan schedules create` makes of its options."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.components.pipelines.cli import schedules
from sampan.components.pipelines.cli.named import interval_of, seconds_of
from sampan.console.frame import CommandError


@pytest.mark.parametrize(
    ("cron", "zone", "expected"),
    [
        ("0 30 2 * * *", "", "0 30 2 * * *"),
        # As in a crontab: nobody who writes five fields means seconds by the first.
        ("30 2 * * mon-fri", "", "0 30 2 * * mon-fri"),
        ("30 2 * * *", "Europe/Berlin", "CRON_TZ=Europe/Berlin 0 30 2 * * *"),
        ("TZ=Europe/Berlin 30 2 * * *", "", "TZ=Europe/Berlin 0 30 2 * * *"),
        ("@daily", "Asia/Tokyo", "CRON_TZ=Asia/Tokyo @daily"),
        # What is wrong, the server says.
        ("nonsense", "", "nonsense"),
        ("TZ=Nowhere", "", "TZ=Nowhere"),
    ],
)
def test_cron_and_its_time_zone(cron: str, zone: str, expected: str) -> None:
    assert schedules._trigger(cron, zone, "", {}) == {"cron_schedule": {"cron": expected}}


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("90", 90), ("15m", 900), ("1h30m", 5400), ("1d2h3m4s", 93784)]
)
def test_an_interval(text: str, seconds: int) -> None:
    assert schedules._trigger("", "", text, {}) == {"periodic_schedule": {"interval_second": seconds}}
    assert seconds_of(interval_of(seconds), "--every") == seconds


def test_times_are_of_the_given_zone() -> None:
    found = schedules._window("2026-07-01T09:00", "2026-07-02T09:00:00Z", "Europe/Berlin")
    assert found == {"start_time": "2026-07-01T07:00:00Z", "end_time": "2026-07-02T09:00:00Z"}


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: schedules._trigger("", "", "", {}), "give either --cron or --every"),
        (lambda: schedules._trigger("@daily", "", "1h", {}), "give either --cron or --every"),
        (lambda: schedules._trigger("", "Europe/Berlin", "1h", {}), "--time-zone is for --cron"),
        (lambda: schedules._trigger("TZ=UTC 0 0 * * *", "UTC", "", {}), "give the time zone once"),
        (lambda: schedules._trigger("", "", "1x", {}), "--every '1x': write an interval such as"),
        (lambda: schedules._trigger("", "", " ", {}), "--every ' ': write an interval such as"),
        (lambda: schedules._window("soon", "", ""), "--start 'soon': write a time such as"),
        (lambda: schedules._window("", "", "Mars"), "--time-zone: unknown time zone 'Mars'"),
    ],
)
def test_what_is_refused(call: Any, words: str) -> None:
    with pytest.raises(CommandError, match=words.replace("(", r"\(")):
        call()
