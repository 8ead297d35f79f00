"""Cron expressions and intervals in words: what is said without doubt, and nothing else."""

from __future__ import annotations

import pytest

from sampan.components.pipelines.ui.recurring.schedule_words import when


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("0 30 2 * * mon-fri", "Every weekday at 02:30"),
        ("0 0 9 * * 1", "Every Monday at 09:00"),
        ("0 0 9 ? * mon,thu", "Every Monday and Thursday at 09:00"),
        ("15 0 9 * * *", "Every day at 09:00:15"),
        ("0 0 6,18 * * *", "Every day at 06:00 and 18:00"),
        ("0 0 0 1 * *", "Every month, on day 1 at 00:00"),
        ("0 0 0 24 dec ?", "Every year, on December 24 at 00:00"),
        ("0 */15 * * * *", "Every 15 minutes"),
        ("*/2 * * * * *", "Every 2 seconds"),
        ("0 0 * * * *", "Every hour"),
        ("0 5 * * * *", "Every hour at minute 5"),
        ("0 0 */6 * * *", "Every 6 hours"),
        ("0 */10 * * * mon-fri", "Every weekday, every 10 minutes"),
        ("0 0 9 * *", "Every day at 09:00"),
        ("@daily", "Every day at 00:00"),
        ("@every 90m", "Every 90m"),
        ("0 0 9 13 * fri", "Cron 0 0 9 13 * fri"),
        ("0 7/20 3-5 * * *", "Cron 0 7/20 3-5 * * *"),
        ("0 0 9 * jan *", "Cron 0 0 9 * jan *"),
        ("nonsense", "Cron nonsense"),
    ],
)
def test_cron_in_words(cron: str, words: str) -> None:
    assert when({"cron_schedule": {"cron": cron}}) == (words, "")


def test_the_zone_is_told_apart() -> None:
    found = when({"cron_schedule": {"cron": "CRON_TZ=Europe/Berlin 0 30 2 * * *"}})
    assert found == ("Every day at 02:30", "Europe/Berlin")


@pytest.mark.parametrize(
    ("seconds", "words"), [("2", "2 seconds"), ("3600", "hour"), ("5400", "90 minutes"), ("172800", "2 days")]
)
def test_intervals_in_words(seconds: str, words: str) -> None:
    assert when({"periodic_schedule": {"interval_second": seconds}}) == (f"Every {words}", "")


def test_without_either_it_runs_once() -> None:
    assert when({}) == ("Once, when it is made", "")
