"""Schedules of CronJobs and of recurring runs: fields or a macro, in a time zone. Pure.

Our own and not cronsim, which follows Debian's cron: Kubernetes' scheduler reads `*/2` in a day field, Sunday as 7, and
the hours that a change of the clock skips or repeats, in other ways (docs/decisions/0009).

Sources: github.com/robfig/cron/v3 parser.go and spec.go, which kubernetes/pkg/controller/cronjob uses, v1.33; and
github.com/robfig/cron v1.2.0 parser.go, which Kubeflow Pipelines 2.17 reads recurring runs with (decision 21).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
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

    def parse(self, text: str, *, stepped_star: bool = False) -> tuple[frozenset[int], bool]:
        """The values, and whether a star gave them. Whether `*/2` still is a star, versions see differently."""
        values: set[int] = set()
        star = False
        for part in text.split(","):
            if part:
                found, every = self._range(part, stepped_star)
                values |= found
                star = star or every
        return frozenset(values), star

    def _range(self, text: str, stepped_star: bool) -> tuple[set[int], bool]:
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
        return set(range(start, end + 1, step)), star and (step == 1 or stepped_star)


_SECONDS = _Field(0, 59)
_FIELDS = (_Field(0, 59), _Field(0, 23), _Field(1, 31), _Field(1, 12, _MONTHS), _Field(0, 6, _DAYS))


@dataclass(frozen=True, slots=True)
class Schedule:
    minutes: frozenset[int] = frozenset()
    hours: frozenset[int] = frozenset()
    days: frozenset[int] = frozenset()
    months: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset()
    seconds: frozenset[int] = frozenset({0})
    both_days: bool = True
    """Whether day of month and day of week must both match: so when one of them is a star."""
    every: timedelta | None = None
    """Of `@every`: a delay instead of all the others."""

    def after(self, moment: datetime, zone: tzinfo = UTC) -> datetime | None:
        """The first tick after `moment`; None when there is none in the years ahead."""
        if self.every is not None:
            return moment.replace(microsecond=0) + self.every
        local = (moment.replace(microsecond=0) + timedelta(seconds=1)).astimezone(zone)
        last_year = local.year + _YEARS
        while local.year <= last_year:
            if local.month not in self.months:
                local = _midnight(local.replace(day=1) + timedelta(days=32), zone, first=True)
            elif not self._is_day(local):
                local = _midnight(local + timedelta(days=1), zone)
            elif local.hour not in self.hours:
                # By the hours that really pass: one that the clock skips is never met, one that it repeats, twice.
                local = _later(local.replace(minute=0, second=0), timedelta(hours=1), zone)
            elif local.minute not in self.minutes:
                minutes = _next(self.minutes, local.minute) - local.minute
                local = _later(local.replace(second=0), timedelta(minutes=minutes), zone)
            elif local.second not in self.seconds:
                seconds = _next(self.seconds, local.second) - local.second
                local = _later(local, timedelta(seconds=seconds), zone)
            else:
                return local.astimezone(UTC)
        return None

    def _is_day(self, local: datetime) -> bool:
        of_month, of_week = local.day in self.days, local.isoweekday() % 7 in self.weekdays
        return (of_month and of_week) if self.both_days else (of_month or of_week)


def parse(text: str) -> Schedule:
    """As Kubernetes reads it: five fields. Raises ValueError with what is wrong, in its parser's words."""
    fields = _expanded(text)
    if isinstance(fields, Schedule):
        return fields
    if len(fields) != len(_FIELDS):
        raise ValueError(f"expected exactly {len(_FIELDS)} fields, found {len(fields)}: [{' '.join(fields)}]")
    return _schedule(_FIELDS, fields, stepped_star=False)


def parse_with_seconds(text: str) -> Schedule:
    """As Kubeflow Pipelines reads it: seconds first; the last of six fields, the day of the week, may be missing."""
    fields = _expanded(text)
    if isinstance(fields, Schedule):
        return fields
    if text.startswith("@"):
        fields = ["0", *fields]
    most = len(_FIELDS) + 1
    if not most - 1 <= len(fields) <= most:
        raise ValueError(f"expected {most - 1} to {most} fields, found {len(fields)}: {text}")
    if len(fields) < most:
        fields = [*fields, "*"]
    return _schedule((_SECONDS, *_FIELDS), fields, stepped_star=True)


def _expanded(text: str) -> list[str] | Schedule:
    """The fields, a macro's too; or the schedule that `@every` is."""
    if not text:
        raise ValueError("empty spec string")
    if not text.startswith("@"):
        return text.split()
    if text.startswith(_EVERY):
        return Schedule(every=_duration(text.removeprefix(_EVERY), text))
    if text not in _MACROS:
        raise ValueError(f"unrecognized descriptor: {text}")
    return _MACROS[text].split()


def _schedule(fields: Sequence[_Field], given: Sequence[str], *, stepped_star: bool) -> Schedule:
    parsed = [field.parse(part, stepped_star=stepped_star) for field, part in zip(fields, given, strict=True)]
    values = [found for found, _ in parsed]
    minutes, hours, days, months, weekdays = values[-5:]
    seconds = values[0] if len(values) > len(_FIELDS) else frozenset({0})
    both_days = parsed[-3][1] or parsed[-1][1]
    return Schedule(minutes, hours, days, months, weekdays, seconds, both_days)


def _duration(text: str, whole: str) -> timedelta:
    """As Go writes durations; at least a second, whole seconds only."""
    found = _DURATION.findall(text)
    if not found or "".join(number + unit for number, unit in found) != text:
        raise ValueError(f'failed to parse duration {whole}: time: invalid duration "{text}"')
    seconds = sum(float(number) * _UNITS[unit] for number, unit in found)
    return timedelta(seconds=max(int(min(seconds, 1e9)), 1))


def _next(values: frozenset[int], value: int) -> int:
    """The first of `values` after `value`, or 60: the start of the next hour or minute."""
    return min((each for each in values if each > value), default=60)


def _midnight(local: datetime, zone: tzinfo, *, first: bool = False) -> datetime:
    """The start of that day, or of its month; where the clock skips midnight, the first moment after."""
    start = datetime(local.year, local.month, 1 if first else local.day, tzinfo=zone)
    return start.astimezone(UTC).astimezone(zone)


def _later(local: datetime, by: timedelta, zone: tzinfo) -> datetime:
    return (local.astimezone(UTC) + by).astimezone(zone)
