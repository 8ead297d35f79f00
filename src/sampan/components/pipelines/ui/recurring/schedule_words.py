"""When a recurring run starts runs, in words. Pure.

Only what is said without doubt is put into words: any other cron expression is shown as it stands. Six fields have the
seconds first, of five the day of the week is the one that is missing, as in Kubeflow (docs/schedules.md).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_DAYS = {
    **{str(number): name for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))},
    "7": "sun",
}
_DAY_NAMES = {
    "sun": "Sunday",
    "mon": "Monday",
    "tue": "Tuesday",
    "wed": "Wednesday",
    "thu": "Thursday",
    "fri": "Friday",
    "sat": "Saturday",
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH_NAMES = (
    *("January", "February", "March", "April", "May", "June", "July", "August"),
    *("September", "October", "November", "December"),
)
_ANY = ("*", "?")
_NAMED = {
    "@yearly": "Every year, on January 1 at 00:00",
    "@annually": "Every year, on January 1 at 00:00",
    "@monthly": "Every month, on day 1 at 00:00",
    "@weekly": "Every Sunday at 00:00",
    "@daily": "Every day at 00:00",
    "@midnight": "Every day at 00:00",
    "@hourly": "Every hour",
}
_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def when(trigger: Mapping[str, Any]) -> tuple[str, str]:
    """Words for the API's `trigger`, and the time zone that it names, if any."""
    if "cron_schedule" in trigger:
        zone, fields = split_zone(str(trigger["cron_schedule"].get("cron", "")))
        return cron(fields), zone
    if "periodic_schedule" in trigger:
        return f"Every {interval(int(trigger['periodic_schedule'].get('interval_second', 0)))}", ""
    return "Once, when it is made", ""


def split_zone(text: str) -> tuple[str, str]:
    """The zone that a cron expression begins with, and its fields."""
    text = text.strip()
    for prefix in ("CRON_TZ=", "TZ="):
        if text.startswith(prefix):
            zone, _, fields = text.removeprefix(prefix).partition(" ")
            return zone, fields.strip()
    return "", text


def interval(seconds: int) -> str:
    """As `hour`, `90 minutes`, `2 days`: the largest unit that divides it."""
    for size, unit in _UNITS:
        if seconds >= size and seconds % size == 0:
            count = seconds // size
            return unit if count == 1 else f"{count} {unit}s"
    return f"{seconds} seconds"


def cron(text: str) -> str:
    fields = text.lower().split()
    if text.lower() in _NAMED:
        return _NAMED[text.lower()]
    if fields[:1] == ["@every"] and len(fields) == 2:
        return f"Every {fields[1]}"
    if len(fields) == 5:
        fields.append("*")
    if len(fields) != 6:
        return f"Cron {text}"
    second, minute, hour, day, month, weekday = fields
    at = _at(second, minute, hour)
    on = _on(day, month, weekday)
    if not at or on is None:
        return f"Cron {text}"
    if _is_clock(at) and not on:
        return f"Every day {at}"
    words = f"{on}, {at}" if on and not _is_clock(at) else f"{on} {at}" if on else at
    return words[0].upper() + words[1:]


def _at(second: str, minute: str, hour: str) -> str:
    """`at 02:30`, `every 15 minutes`; nothing for what there are no simple words for."""
    if second.isdigit() and minute.isdigit() and hour.isdigit():
        seconds = f":{int(second):02}" if int(second) else ""
        return f"at {int(hour):02}:{int(minute):02}{seconds}"
    if second.isdigit() and minute.isdigit() and re.fullmatch(r"\d+(,\d+)+", hour):
        times = [f"{int(each):02}:{int(minute):02}" for each in hour.split(",")]
        return f"at {', '.join(times[:-1])} and {times[-1]}" if second == "0" else ""
    if second == "0" and minute.isdigit() and hour in _ANY:
        return "every hour" if minute == "0" else f"every hour at minute {int(minute)}"
    if second == "0" and minute == "0" and (step := _step(hour)):
        return f"every {step} hours" if step > 1 else "every hour"
    if second == "0" and hour in _ANY:
        step = 1 if minute in _ANY else _step(minute)
        return "" if not step else "every minute" if step == 1 else f"every {step} minutes"
    if minute in _ANY and hour in _ANY:
        step = 1 if second in _ANY else _step(second)
        return "" if not step else "every second" if step == 1 else f"every {step} seconds"
    return ""


def _on(day: str, month: str, weekday: str) -> str | None:
    """On which days; nothing for all of them. None for what there are no simple words for."""
    if day in _ANY and weekday in _ANY:
        return "" if month in _ANY else None
    if day in _ANY and month in _ANY:
        return _weekdays(weekday)
    if weekday not in _ANY or not day.isdigit():
        return None
    if month in _ANY:
        return f"every month, on day {int(day)}"
    number = _MONTHS.index(month) + 1 if month in _MONTHS else int(month) if month.isdigit() else 0
    return f"every year, on {_MONTH_NAMES[number - 1]} {int(day)}" if 1 <= number <= 12 else None


def _weekdays(text: str) -> str | None:
    if text in ("mon-fri", "1-5"):
        return "every weekday"
    names = [_DAY_NAMES.get(_DAYS.get(each, each), "") for each in text.split(",")]
    if not all(names):
        return None
    return f"every {', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else f"every {names[0]}"


def _is_clock(at: str) -> bool:
    return at.startswith("at ")


def _step(text: str) -> int:
    found = re.fullmatch(r"(?:\*|0)/(\d+)", text)
    return int(found.group(1)) if found else 0
