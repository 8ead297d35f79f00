"""What is sent: the bodies of a run and of a recurring run, and what a form begins with. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.api.triggers import read_trigger, timetable
from sampan.lib.clock import rfc3339

UNITS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400, "weeks": 604800}
_TICKS = 5
_ZONE_PREFIXES = ("CRON_TZ=", "TZ=")


@dataclass(frozen=True, slots=True)
class Schedule:
    """When runs are started, as the form has it."""

    is_cron: bool = True
    cron: str = "0 0 9 * * *"
    zone: str = ""
    """A name; empty for the browser's own."""
    every: str = "1"
    unit: str = "days"
    start: str = ""
    end: str = ""
    catch_up: bool = True
    most: str = "1"
    """Runs at once."""

    def trigger(self) -> dict[str, Any]:
        """As the API takes it. Raises InvalidArgumentError."""
        window = {"start_time": self.start, "end_time": self.end}
        window = {key: value for key, value in window.items() if value}
        if self.is_cron:
            text = self.cron.strip()
            has_zone = text.startswith(_ZONE_PREFIXES)
            text = text if has_zone or not self.zone else f"CRON_TZ={self.zone} {text}"
            return {"cron_schedule": {**window, "cron": text if self.cron.strip() else ""}}
        try:
            count = int(self.every)
        except ValueError:
            raise InvalidArgumentError("interval_second: write a whole number") from None
        return {"periodic_schedule": {**window, "interval_second": str(count * UNITS.get(self.unit, 1))}}

    def ticks(self, now: datetime) -> list[str]:
        """The next moments at which it starts a run. Raises InvalidArgumentError."""
        table = timetable(read_trigger(self.trigger(), "trigger"), int(now.timestamp()), UTC)
        found: list[str] = []
        moment = int(now.timestamp())
        while len(found) < _TICKS and (tick := table.following(moment)) is not None:
            found.append(rfc3339(datetime.fromtimestamp(tick, UTC)))
            moment = tick
        return found


@dataclass(frozen=True, slots=True)
class Start:
    """What the form begins with, and what it says when it is sent."""

    pipeline_id: str = ""
    version_id: str = ""
    """Empty for the latest version at each run, which only recurring runs may say."""
    source: Mapping[str, Any] | None = None
    """A specification in place of a version."""
    name: str = ""
    description: str = ""
    experiment_id: str = ""
    service_account: str = ""
    pipeline_root: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    schedule: Schedule | None = None
    """None for a run that is started now."""
    pause_on_failure: bool = False
    uses_cache: bool = True
    told: str = ""
    """What whoever fills in the form should know of where this comes from."""

    def body(self) -> dict[str, Any]:
        """Of a run, or of a recurring run. Raises InvalidArgumentError."""
        found: dict[str, Any] = {
            "display_name": self.name,
            "description": self.description,
            "experiment_id": self.experiment_id,
            "service_account": self.service_account,
            "runtime_config": {"parameters": dict(self.parameters), "pipeline_root": self.pipeline_root},
        }
        if self.source is not None:
            found["pipeline_spec"] = dict(self.source)
        else:
            found["pipeline_version_reference"] = {
                "pipeline_id": self.pipeline_id,
                "pipeline_version_id": self.version_id,
            }
        if self.schedule is not None:
            found |= {
                "trigger": self.schedule.trigger(),
                "mode": "ENABLE",
                "no_catchup": not self.schedule.catch_up,
                "max_concurrency": self.schedule.most,
            }
        return found


def cloned(run: Mapping[str, Any]) -> Start:
    """From a run, as the API shows it."""
    return replace(
        _of(run),
        name=f"Clone of {run.get('display_name', '')}".strip()[:256],
        pause_on_failure=bool(run.get("pause_on_failure")),
        told=f"As {run.get('display_name', '')} was started. Change what should be different.",
    )


def cloned_schedule(given: Mapping[str, Any]) -> Start:
    """From a recurring run."""
    return replace(
        _of(given),
        name=f"Clone of {given.get('display_name', '')}".strip()[:256],
        schedule=schedule_of(given),
        told=f"As the recurring run {given.get('display_name', '')}. Change what should be different.",
    )


def schedule_of(given: Mapping[str, Any]) -> Schedule:
    trigger = given.get("trigger") or {}
    window = trigger.get("cron_schedule") or trigger.get("periodic_schedule") or {}
    found = Schedule(
        start=window.get("start_time", ""),
        end=window.get("end_time", ""),
        catch_up=not given.get("no_catchup", False),
        most=str(given.get("max_concurrency", "1")),
    )
    if "periodic_schedule" in trigger:
        every, unit = _counted(int(window.get("interval_second", 86400)))
        return replace(found, is_cron=False, every=every, unit=unit)
    text = str(window.get("cron", found.cron)).strip()
    for prefix in _ZONE_PREFIXES:
        if text.startswith(prefix):
            zone, _, fields = text.removeprefix(prefix).partition(" ")
            return replace(found, cron=fields.strip(), zone=zone)
    return replace(found, cron=text, zone="UTC")


def _of(given: Mapping[str, Any]) -> Start:
    reference = given.get("pipeline_version_reference") or {}
    config = given.get("runtime_config") or {}
    return Start(
        pipeline_id=reference.get("pipeline_id", ""),
        version_id=reference.get("pipeline_version_id", ""),
        source=given.get("pipeline_spec"),
        description=given.get("description", ""),
        experiment_id=given.get("experiment_id", ""),
        service_account=given.get("service_account", ""),
        pipeline_root=config.get("pipeline_root", ""),
        parameters=config.get("parameters") or {},
    )


def _counted(seconds: int) -> tuple[str, str]:
    for unit, size in sorted(UNITS.items(), key=lambda each: -each[1]):
        if seconds % size == 0:
            return str(seconds // size), unit
    return "1", "days"


def suggested_name(name: str, count: int) -> str:
    """For the next run of something that has run `count` times."""
    return f"{name[:240]} {count + 1}" if name else ""
