"""Schedules of CronJobs: five fields or a macro, in a time zone. Pure.

Our own and not cronsim, which follows Debian's cron: Kubernetes' scheduler reads `*/2` in a day field, Sunday as 7, and
the hours that a change of the clock skips or repeats, in other ways (docs/decisions/0009).

Source: github.com/robfig/cron/v3 parser.go and spec.go, which kubernetes/pkg/controller/cronjob uses, v1.33.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_EVERY = "@every "
_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)(h|ms|us|µs|ns|m|s))")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_YEARS = 5
"""How far ahead a tick is looked for: 29 February is never further away, 30 February never comes."""


@dataclass(frozen=True, slots=True)
class _Field:
    least: int
    most: int
    names: tuple[str, ...] = ()

    def number(self, text: str) -> int:
        if text.lower() in self.names:
            return self.names.index(text.lower()) + self.least
        if not text.isascii() or not text.isdecimal() or len(text) > 9:
            raise ValueError(
                f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax'
            )
        return int(text)

    def parse(self, text: str) -> tuple[frozenset[int], bool]:
        """The values, and whether they are all there are (a star)."""
        values: set[int] = set()
        star = False
        for part in text.split(","):
            if part:
                found, every = self._range(part)
                values |= found
                star = star or every
        return frozenset(values), star

    def _range(self, text: str) -> tuple[set[int], bool]:
        bounds, *steps = text.split("/")
        low, *rest = bounds.split("-")
        if len(steps) > 1:
            raise ValueError(f"too many slashes: {text}")
        if len(rest) > 1:
            raise ValueError(f"too many hyphens: {text}")
        star = low in ("*", "?")
        if star:
            start, end = self.least, self.most
        else:
            start = self.number(low)
            end = self.number(rest[0]) if rest else start
        step = 1
        if steps:
            step = self.number(steps[0])
            # N/step means from N on.
            end = end if rest or star else self.most
        if start < self.least:
            raise ValueError(f"beginning of range ({start}) below minimum ({self.least}): {text}")
        if end > self.most:
            raise ValueError(f"end of range ({end}) above maximum ({self.most}): {text}")
        if start > end:
            raise ValueError(f"beginning of range ({start}) beyond end of range ({end}): {text}")
        if step == 0:
            raise ValueError(f"step of range should be a positive number: {text}")
        return set(range(start, end + 1, step)), star and step == 1


_FIELDS = (_Field(0, 59), _Field(0, 23), _Field(1, 31), _Field(1, 12, _MONTHS), _Field(0, 6, _DAYS))


@dataclass(frozen=True, slots=True)
class Schedule:
    minutes: frozenset[int] = frozenset()
    hours: frozenset[int] = frozenset()
    days: frozenset[int] = frozenset()
    months: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset()
    both_days: bool = True
    """Whether day of month and day of week must both match: so when one of them is a star."""
    every: timedelta | None = None
    """Of `@every`: a delay instead of all the others."""

    def after(self, moment: datetime, zone: tzinfo = UTC) -> datetime | None:
        """The first tick after `moment`; None when there is none in the years ahead."""
        if self.every is not None:
            return moment.replace(microsecond=0) + self.every
        local = (moment.replace(second=0, microsecond=0) + timedelta(minutes=1)).astimezone(zone)
        last_year = local.year + _YEARS
        while local.year <= last_year:
            if local.month not in self.months:
                local = _midnight(local.replace(day=1) + timedelta(days=32), zone, first=True)
            elif not self._is_day(local):
                local = _midnight(local + timedelta(days=1), zone)
            elif local.hour not in self.hours:
                # By the hours that really pass: one that the clock skips is never met, one that it repeats, twice.
                local = _later(local.replace(minute=0), timedelta(hours=1), zone)
            elif local.minute not in self.minutes:
                local = _later(local, timedelta(minutes=1), zone)
            else:
                return local.astimezone(UTC)
        return None

    def _is_day(self, local: datetime) -> bool:
        of_month, of_week = local.day in self.days, local.isoweekday() % 7 in self.weekdays
        return (of_month and of_week) if self.both_days else (of_month or of_week)


def parse(text: str) -> Schedule:
    """Raises ValueError with what is wrong, in the words of Kubernetes' parser."""
    if not text:
        raise ValueError("empty spec string")
    if text.startswith("@"):
        if text.startswith(_EVERY):
            return Schedule(every=_duration(text.removeprefix(_EVERY), text))
        if text not in _MACROS:
            raise ValueError(f"unrecognized descriptor: {text}")
        text = _MACROS[text]
    parts = text.split()
    if len(parts) != len(_FIELDS):
        raise ValueError(f"expected exactly {len(_FIELDS)} fields, found {len(parts)}: [{' '.join(parts)}]")
    parsed = [field.parse(part) for field, part in zip(_FIELDS, parts, strict=True)]
    minutes, hours, days, months, weekdays = (values for values, _ in parsed)
    return Schedule(minutes, hours, days, months, weekdays, both_days=parsed[2][1] or parsed[4][1])


def _duration(text: str, whole: str) -> timedelta:
    """As Go writes durations; at least a second, whole seconds only."""
    found = _DURATION.findall(text)
    if not found or "".join(number + unit for number, unit in found) != text:
        raise ValueError(f'failed to parse duration {whole}: time: invalid duration "{text}"')
    seconds = sum(float(number) * _UNITS[unit] for number, unit in found)
    return timedelta(seconds=max(int(min(seconds, 1e9)), 1))


def _midnight(local: datetime, zone: tzinfo, *, first: bool = False) -> datetime:
    """The start of that day, or of its month; where the clock skips midnight, the first moment after."""
    start = datetime(local.year, local.month, 1 if first else local.day, tzinfo=zone)
    return start.astimezone(UTC).astimezone(zone)


def _later(local: datetime, by: timedelta, zone: tzinfo) -> datetime:
    return (local.astimezone(UTC) + by).astimezone(zone)
