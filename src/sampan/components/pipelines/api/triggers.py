"""What starts a recurring run, and when: cron and interval schedules as a pure timetable of ticks.

Ticks are whole seconds since the epoch. Called by the service that stores schedules and by the scheduler; no clock and
no database here.

Sources: kubeflow/pipelines 2.17, backend/api/v2beta1/recurring_run.proto, backend/src/crd/controller/
scheduledworkflow/util/{cron_schedule,periodic_schedule,scheduled_workflow}.go; what differs is in decision 21.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.kube import cron
from sampan.lib.clock import parse_rfc3339, rfc3339

_LAST = 253_370_764_800
"""1 January 9999: no tick is later."""
_ZONE_PREFIXES = ("CRON_TZ=", "TZ=")
_EXAMPLE = "write six fields, seconds first, such as 0 0 9 * * mon-fri"


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger that was checked; `to_json` is how the API writes it and how it is stored."""

    cron: str = ""
    interval: int = 0
    """Seconds; 0 for a cron schedule. Neither: it starts one run, when it is made, as upstream."""
    start: int | None = None
    end: int | None = None

    @property
    def is_once(self) -> bool:
        return not self.cron and not self.interval

    def to_json(self) -> dict[str, Any]:
        window = {
            name: rfc3339(datetime.fromtimestamp(value, UTC))
            for name, value in (("start_time", self.start), ("end_time", self.end))
            if value is not None
        }
        if self.cron:
            return {"cron_schedule": {**window, "cron": self.cron}}
        if self.interval:
            # A 64-bit integer is text in proto JSON.
            return {"periodic_schedule": {**window, "interval_second": str(self.interval)}}
        return {}


def read_trigger(given: Mapping[str, Any], path: str) -> Trigger:
    """From a decoded message or from `to_json`. Raises InvalidArgumentError naming the field below `path`."""
    if "cron_schedule" in given:
        found, where = given["cron_schedule"], f"{path}.cron_schedule"
        start, end = _window(found, where)
        trigger = Trigger(cron=found.get("cron", ""), start=start, end=end)
        if not trigger.cron.strip():
            raise InvalidArgumentError(f"{where}.cron must not be empty: {_EXAMPLE}")
        _cron(trigger.cron, f"{where}.cron")
    elif "periodic_schedule" in given:
        found, where = given["periodic_schedule"], f"{path}.periodic_schedule"
        start, end = _window(found, where)
        trigger = Trigger(interval=int(found.get("interval_second", 0)), start=start, end=end)
        if trigger.interval < 1:
            raise InvalidArgumentError(
                f"{where}.interval_second must be at least 1 second, not {trigger.interval}"
            )
    else:
        return Trigger()
    if trigger.start is not None and trigger.end is not None and trigger.end < trigger.start:
        raise InvalidArgumentError(f"{where}.end_time must not be before start_time")
    return trigger


def read_zone(name: str) -> tzinfo:
    """Raises ValueError that says what a time zone is."""
    try:
        # Names alone: a path, or what only some machines have a file for, is no zone.
        if name not in ("UTC", "") and (name.startswith(("/", ".")) or "\\" in name):
            raise ValueError
        return UTC if name in ("UTC", "") else zoneinfo.ZoneInfo(name)
    except (ValueError, KeyError, OSError) as error:
        raise ValueError(f"unknown time zone {name!r}: give a name such as Europe/Berlin") from error


@dataclass(frozen=True, slots=True)
class Timetable:
    """The ticks of one schedule. `created` is when it was made, in seconds."""

    trigger: Trigger
    created: int
    zone: tzinfo
    """The cron schedule's own, or the server's."""
    _schedule: cron.Schedule | None = field(default=None, repr=False)

    @property
    def origin(self) -> int:
        """Nothing ticks before it, nor at it."""
        return self.trigger.start if self.trigger.start is not None else self.created

    def following(self, moment: int) -> int | None:
        """The first tick after `moment`, however long ago that is; None when there are no more."""
        trigger = self.trigger
        if trigger.is_once:
            return self.created if moment < self.created else None
        moment = max(moment, self.origin)
        if self._schedule is not None:
            tick = self._cron_tick(moment)
        else:
            # On the grid that begins with the start, wherever `moment` lies.
            passed = (moment - self.origin) // trigger.interval
            tick = self.origin + (passed + 1) * trigger.interval
        if tick is None or tick > _LAST or (trigger.end is not None and tick > trigger.end):
            return None
        return tick

    def latest(self, moment: int, now: int) -> int | None:
        """The last tick after `moment` that is not after `now`: what is left of several missed ones."""
        low = self.following(moment)
        if low is None or low > now:
            return None
        if self._schedule is not None and (every := self._schedule.every) is not None:
            step = int(every.total_seconds())
            high = now if self.trigger.end is None else min(now, self.trigger.end)
            return low + (high - low) // step * step
        # Halved, since a schedule of every second may have missed months of them.
        high = now
        while low < high:
            middle = (low + high) // 2
            tick = self.following(middle)
            if tick is not None and tick <= now:
                low = tick
            else:
                high = middle
        return low

    def _cron_tick(self, moment: int) -> int | None:
        assert self._schedule is not None
        try:
            found = self._schedule.after(datetime.fromtimestamp(moment, UTC), self.zone)
        except (OverflowError, ValueError):  # beyond the last year that there is
            return None
        return int(found.timestamp()) if found is not None else None


def timetable(trigger: Trigger, created: int, default_zone: tzinfo) -> Timetable:
    """`default_zone` is what a cron schedule without a zone of its own is read in. For checked triggers."""
    if not trigger.cron:
        return Timetable(trigger, created, default_zone)
    zone, schedule = _cron(trigger.cron, "cron")
    return Timetable(trigger, created, zone or default_zone, schedule)


def _cron(text: str, path: str) -> tuple[tzinfo | None, cron.Schedule]:
    """The zone that the text begins with, if any, and the schedule. Raises InvalidArgumentError."""
    zone = None
    fields = text.strip()
    try:
        for prefix in _ZONE_PREFIXES:
            if fields.startswith(prefix):
                name, _, fields = fields.removeprefix(prefix).partition(" ")
                zone = read_zone(name)
                break
        return zone, cron.parse_with_seconds(fields.strip())
    except ValueError as error:
        raise InvalidArgumentError(
            f"{path}: {text[:100]!r} is no cron schedule: {error}; {_EXAMPLE}"
        ) from error


def _window(found: Mapping[str, Any], where: str) -> tuple[int | None, int | None]:
    start = _moment(found.get("start_time"), f"{where}.start_time")
    return start, _moment(found.get("end_time"), f"{where}.end_time")


def _moment(value: datetime | str | None, where: str) -> int | None:
    if value is None:
        return None
    moment = parse_rfc3339(value) if isinstance(value, str) else value
    seconds = int(moment.timestamp())
    if seconds > _LAST:
        raise InvalidArgumentError(f"{where} must be before the year 9999")
    return seconds
