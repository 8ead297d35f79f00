"""Which tick of a schedule is due, and when the next one is. Pure.

Source: pkg/controller/cronjob/utils.go (mostRecentScheduleTime, nextScheduleTime), v1.33.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from sampan.client.protocol import Object
from sampan.kube import meta
from sampan.kube.cron import Schedule, parse
from sampan.lib.clock import parse_rfc3339

MANY = 100
"""So many missed ticks deserve a warning: the clock, or whoever stopped the controller, may be wrong."""
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Timetable:
    schedule: Schedule
    zone: tzinfo

    def next(self, after: datetime) -> datetime | None:
        return self.schedule.after(after, self.zone)


@dataclass(frozen=True, slots=True)
class Due:
    """`at` None: nothing was to start since the last start. `missed`: how many ticks, about, it stands for."""

    at: datetime | None = None
    missed: int = 0


def timetable(cron_job: Object) -> Timetable:
    """Raises ValueError for a schedule or a time zone that cannot be read. Without a zone it is UTC."""
    spec = meta.spec(cron_job)
    name = spec.get("timeZone")
    try:
        zone: tzinfo = UTC if name is None else ZoneInfo(str(name))
    except (KeyError, OSError) as error:
        raise ValueError(f"unknown time zone {name}") from error
    return Timetable(parse(str(spec.get("schedule") or "")), zone)


def due(cron_job: Object, table: Timetable, now: datetime) -> Due:
    """The latest tick that has passed since the last start, or since the CronJob was made."""
    earliest = _earliest(cron_job, now)
    first = table.next(earliest)
    if first is None or first > now:
        return Due()
    second = table.next(first)
    if second is None or second > now:
        return Due(first, 1)
    missed = int((now - first) / max(second - first, _SECOND)) + 1
    return Due(_latest(table, first, now), missed)


def _latest(table: Timetable, known: datetime, now: datetime) -> datetime:
    """The last tick up to `now`, by halves: after a long silence there are too many to count through."""
    latest, bound = known, now
    while (later := table.next(latest)) is not None and later <= now:
        middle = latest + (bound - latest) / 2
        jumped = table.next(middle)
        if jumped is not None and jumped <= now:
            latest = jumped
        else:
            latest, bound = later, middle
    return latest


def is_too_late(cron_job: Object, tick: datetime, now: datetime) -> bool:
    deadline = meta.spec(cron_job).get("startingDeadlineSeconds")
    return deadline is not None and tick + timedelta(seconds=int(deadline)) < now


def _earliest(cron_job: Object, now: datetime) -> datetime:
    last = meta.status(cron_job).get("lastScheduleTime")
    earliest = parse_rfc3339(str(last or meta.metadata(cron_job).get("creationTimestamp")))
    deadline = meta.spec(cron_job).get("startingDeadlineSeconds")
    if deadline is not None:
        earliest = max(earliest, now - timedelta(seconds=int(deadline)))
    return earliest


def job_name(cron_job: Object, tick: datetime) -> str:
    """The same for the same tick: whatever crashes in between, it makes one Job."""
    return f"{meta.name(cron_job)}-{int(tick.timestamp()) // 60}"
