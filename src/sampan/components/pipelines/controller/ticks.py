"""When a CronWorkflow is due. Pure.

As upstream, what was missed while nobody looked is made up for only within `startingDeadlineSeconds`, and then once.
Unlike it, a tick is kept apart from its start: it counts as met while it is `GRACE` old at most, because a busy machine
or a restart in that very moment must not lose it.

Source: argo-workflows 3.7 workflow/cron/operator.go (shouldOutstandingWorkflowsBeRun), docs/cron-workflows.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from sampan.kube.cron import Schedule, parse

GRACE = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class Timetable:
    """One or several schedules in one time zone: a moment that several name is one tick."""

    schedules: Sequence[Schedule]
    zone: tzinfo

    def next(self, after: datetime) -> datetime | None:
        return min(filter(None, (each.after(after, self.zone) for each in self.schedules)), default=None)

    def latest(self, after: datetime, until: datetime) -> datetime | None:
        """The last tick in (after, until], by halves: after a long silence there are too many to count through."""
        found = self.next(after)
        if found is None or found > until:
            return None
        bound = until
        while (later := self.next(found)) is not None and later <= until:
            jumped = self.next(found + (bound - found) / 2)
            if jumped is not None and jumped <= until:
                found = max(jumped, later)
            else:
                bound = found + (bound - found) / 2
                found = later
        return found


def timetable(spec: dict[str, Any]) -> Timetable:
    """Of a CronWorkflow's spec. Raises ValueError for what cannot be read."""
    texts = [*(spec.get("schedules") or ())]
    if spec.get("schedule"):
        texts.insert(0, spec["schedule"])
    if not texts:
        raise ValueError("cron workflow must have at least one schedule")
    name = spec.get("timezone")
    try:
        zone: tzinfo = ZoneInfo(str(name)) if name else UTC
    except (KeyError, OSError, ValueError) as error:
        raise ValueError(f"unknown time zone {name}") from error
    schedules = []
    for text in texts:
        try:
            schedules.append(parse(str(text)))
        except ValueError as error:
            raise ValueError(f"cron schedule {text} is malformed: {error}") from error
    return Timetable(schedules, zone)


def due(table: Timetable, since: datetime, now: datetime, deadline_seconds: int) -> datetime | None:
    """The tick to start now, if any: the latest since `since` that is not too long ago."""
    tick = table.latest(since, now)
    if tick is None or now - tick > max(GRACE, timedelta(seconds=deadline_seconds)):
        return None
    return tick
