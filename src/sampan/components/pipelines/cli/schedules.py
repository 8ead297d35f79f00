"""`sampan schedules`: list recurring runs, make, pause, resume and delete them, and see when they tick next."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sampan.client.http import JsonClient
from sampan.components.pipelines.api.triggers import read_zone
from sampan.components.pipelines.cli.frame import Platform, told
from sampan.components.pipelines.cli.named import (
    API,
    SHORT,
    Kind,
    add_group,
    interval_of,
    plain,
    read_source,
    running_server,
    seconds_of,
)
from sampan.console.frame import CommandError, HomeOption

_TICKS = 5
_CRON_FIELDS = 5
"""Of a crontab, which has no seconds."""
_ZONES = ("CRON_TZ=", "TZ=")

_SCHEDULES = Kind("schedule", "recurringruns", "recurringRuns", "recurring_run_id", "sampan schedules")

ScheduleArgument = Annotated[
    str, typer.Argument(metavar="SCHEDULE", help="A schedule's name, its id, or the id's beginning.")
]


@dataclass(frozen=True)
class ScheduleCommands:
    """The commands as typer sees them."""

    platform: Platform

    def list_(
        self,
        context: typer.Context,
        limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many, newest first.")] = 20,
        home: HomeOption = None,
    ) -> None:
        """Start runs at times of a cron expression or an interval. Alone: list the schedules."""
        if context.invoked_subcommand is not None:
            return
        with told(), self._server(home) as http:
            _print_schedules(Console(highlight=False), http, _SCHEDULES.newest(http, limit))

    def create(  # noqa: PLR0913  a command has as many options as it has
        self,
        pipeline: Annotated[
            str,
            typer.Argument(
                metavar="PIPELINE", help="Python or a compiled package; or the name of an uploaded pipeline."
            ),
        ],
        cron: Annotated[
            str, typer.Option(help="Six fields, seconds first, or the five of a crontab; or @daily.")
        ] = "",
        time_zone: Annotated[
            str, typer.Option(help="In which --cron is meant, as Europe/Berlin. \\[default: the server's]")
        ] = "",
        every: Annotated[str, typer.Option(help="An interval, such as 90s, 15m, 1h30m or 1d.")] = "",
        param: Annotated[
            list[str] | None,
            typer.Option(
                "--param",
                "-p",
                metavar="NAME=VALUE",
                help="A parameter of the runs. [[ScheduledTime.2006-01-02]] and its kin are replaced.",
            ),
        ] = None,
        name: Annotated[str, typer.Option(help="The schedule's name. \\[default: the pipeline's]")] = "",
        start: Annotated[str, typer.Option(help="No tick before, as 2026-01-31T09:00.")] = "",
        end: Annotated[str, typer.Option(help="No tick after.")] = "",
        max_concurrency: Annotated[
            int, typer.Option(min=1, max=10, help="How many of its runs may be unfinished.")
        ] = 1,
        catch_up: Annotated[
            bool, typer.Option("--catch-up", help="Run every missed tick, not the latest one alone.")
        ] = False,
        paused: Annotated[bool, typer.Option("--paused", help="Make it, but do not start it.")] = False,
        home: HomeOption = None,
    ) -> None:
        """Make a schedule. An uploaded pipeline runs in the version that is the latest at each tick."""
        console = Console(highlight=False)
        with told():
            trigger = _trigger(cron, time_zone, every, _window(start, end, time_zone))
            with self._server(home) as http:
                source = read_source(http, pipeline, param or [], lambda: self.platform.kfp_python(home))
                body = {
                    "display_name": name or source.name,
                    **source.fields,
                    "runtime_config": {"parameters": source.parameters},
                    "trigger": trigger,
                    "max_concurrency": max_concurrency,
                    "no_catchup": not catch_up,
                    "mode": "DISABLE" if paused else "ENABLE",
                }
                made = http.post(f"{API}/recurringruns", body)
                schedule_id = made["recurring_run_id"]
                console.print(
                    f"[bold]{plain(made['display_name'])}[/]  [dim]{schedule_id}[/]", soft_wrap=True
                )
                _print_ticks(console, http, made)

    def show(self, schedule: ScheduleArgument, home: HomeOption = None) -> None:
        """Show one: when it ticks, its next moments, what is wrong with it, its latest runs."""
        console = Console(highlight=False)
        with told(), self._server(home) as http:
            found = _SCHEDULES.find(http, schedule)
            console.print(f"[bold]{plain(found['display_name'])}[/]  [dim]{found['recurring_run_id']}[/]")
            console.print(f"{_when(found)}, {_state(found)}", markup=False)
            if message := found.get("error", {}).get("message"):
                console.print(Text(message, "red"), soft_wrap=True)
            _print_ticks(console, http, found)
            _print_runs(console, http, found)

    def pause(self, schedule: ScheduleArgument, home: HomeOption = None) -> None:
        """Start no more runs. What is missed until it is resumed is not made up for."""
        self._switch(schedule, "disable", home)

    def resume(self, schedule: ScheduleArgument, home: HomeOption = None) -> None:
        """Go on with the next tick from now."""
        self._switch(schedule, "enable", home)

    def delete(self, schedule: ScheduleArgument, home: HomeOption = None) -> None:
        """Remove a schedule. Its runs stay."""
        with told(), self._server(home) as http:
            _SCHEDULES.delete(http, schedule)

    def _switch(self, schedule: str, verb: str, home: Path | None) -> None:
        console = Console(highlight=False)
        with told(), self._server(home) as http:
            found = _SCHEDULES.switch(http, schedule, verb)
            console.print(f"{found['display_name']}: {_state(found)}", markup=False)
            if found["status"] == "ENABLED":
                _print_ticks(console, http, found)

    def _server(self, home: Path | None) -> AbstractContextManager[JsonClient]:
        return running_server(self.platform, home, "schedules")


def register(app: typer.Typer, platform: Platform) -> None:
    """Adds `sampan schedules` to the command line."""
    commands = ScheduleCommands(platform)
    named: dict[str, Callable[..., None]] = {
        "create": commands.create,
        "show": commands.show,
        "pause": commands.pause,
        "resume": commands.resume,
        "delete": commands.delete,
    }
    add_group(app, "schedules", commands.list_, named)


def _trigger(cron: str, time_zone: str, every: str, window: Mapping[str, str]) -> dict[str, Any]:
    if bool(cron) == bool(every):
        raise CommandError("give either --cron or --every")
    if every:
        if time_zone and not window:
            raise CommandError("--time-zone is for --cron: an interval is the same everywhere")
        return {"periodic_schedule": {**window, "interval_second": seconds_of(every, "--every")}}
    prefixed = cron.startswith(_ZONES)
    if time_zone and prefixed:
        raise CommandError("give the time zone once: in --time-zone, or before the fields of --cron")
    zone, fields = cron.split(" ", 1) if prefixed and " " in cron else ("", cron)
    if len(fields.split()) == _CRON_FIELDS and not fields.startswith("@"):
        # Kubeflow would read five fields as beginning with seconds, which nobody who writes them means.
        fields = f"0 {fields}"
    if time_zone:
        zone = f"CRON_TZ={time_zone}"
    return {"cron_schedule": {**window, "cron": f"{zone} {fields}".strip()}}


def _window(start: str, end: str, time_zone: str) -> dict[str, str]:
    """Times without an offset are of the time zone that was given, or this machine's."""
    try:
        zone: tzinfo | None = read_zone(time_zone) if time_zone else None
    except ValueError as error:
        raise CommandError(f"--time-zone: {error}") from error
    found = {}
    for option, name, text in (("--start", "start_time", start), ("--end", "end_time", end)):
        if text:
            try:
                moment = datetime.fromisoformat(text)
            except ValueError as error:
                raise CommandError(f"{option} {text!r}: write a time such as 2026-01-31T09:00") from error
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=zone) if zone is not None else moment.astimezone()
            found[name] = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return found


def _ticks(http: JsonClient, schedule: Mapping[str, Any], count: int) -> tuple[list[datetime], tzinfo]:
    told_ = http.get(f"{_SCHEDULES.path_of(schedule)}:ticks", {"count": count})
    zone: tzinfo = ZoneInfo(told_["time_zone"]) if told_["time_zone"] != "UTC" else UTC
    return [datetime.fromisoformat(text) for text in told_["ticks"]], zone


def _print_schedules(console: Console, http: JsonClient, found: list[dict[str, Any]]) -> None:
    if not found:
        console.print(
            'No schedules yet. Make one: sampan schedules create pipeline.py --cron "0 9 * * mon-fri"',
            soft_wrap=True,
        )
        return
    table = Table("id", "name", "when", "state", "next", box=None, header_style="bold", pad_edge=False)
    for schedule in found:
        enabled = schedule["status"] == "ENABLED"
        coming = _ticks(http, schedule, 1)[0] if enabled else []
        table.add_row(
            schedule["recurring_run_id"][:SHORT],
            Text(schedule["display_name"]),
            Text(_when(schedule)),
            Text(_state(schedule), "red" if schedule.get("error") else "green" if enabled else "yellow"),
            f"{coming[0].astimezone():%Y-%m-%d %H:%M:%S}" if coming else "",
        )
    console.print(table)


def _print_ticks(console: Console, http: JsonClient, schedule: Mapping[str, Any]) -> None:
    """In the schedule's time zone, and in the machine's where it is another."""
    moments, zone = _ticks(http, schedule, _TICKS)
    if not moments:
        console.print("It does not tick any more.")
        return
    paused = schedule["status"] != "ENABLED"
    console.print("[dim]Would tick next at[/]" if paused else "[dim]Ticks next at[/]")
    for moment in moments:
        own, here = moment.astimezone(zone), moment.astimezone()
        line = f"  {own:%a %Y-%m-%d %H:%M:%S} {own.tzname()}"
        if own.utcoffset() != here.utcoffset():
            line += f"  ({here:%a %H:%M:%S} here)"
        console.print(line, markup=False)


def _print_runs(console: Console, http: JsonClient, schedule: Mapping[str, Any]) -> None:
    key, value = "recurring_run_id", schedule["recurring_run_id"]
    predicate = {"operation": "EQUALS", "key": key, "string_value": value}
    query: dict[str, str | int] = {
        "page_size": _TICKS,
        "sort_by": "created_at desc",
        "filter": json.dumps({"predicates": [predicate]}),
    }
    latest = http.get(f"{API}/runs", query)
    if not latest.get("runs"):
        console.print("[dim]No runs yet[/]")
        return
    console.print(f"[dim]Latest of {latest['total_size']} runs[/]")
    for run in latest["runs"]:
        due = datetime.fromisoformat(run["scheduled_at"]).astimezone()
        line = f"  {run['run_id'][:SHORT]}  {due:%a %Y-%m-%d %H:%M:%S}  {run['state'].lower()}"
        console.print(line, markup=False)


def _when(schedule: Mapping[str, Any]) -> str:
    trigger = schedule.get("trigger", {})
    if "cron_schedule" in trigger:
        cron = str(trigger["cron_schedule"]["cron"])
        zone, fields = cron.split(" ", 1) if cron.startswith(_ZONES) else ("", cron)
        return f"{fields} {zone.partition('=')[2]}".strip()
    if "periodic_schedule" in trigger:
        return f"every {interval_of(int(trigger['periodic_schedule']['interval_second']))}"
    return "once"


def _state(schedule: Mapping[str, Any]) -> str:
    if schedule["status"] != "ENABLED":
        return "paused"
    return "cannot start runs" if schedule.get("error") else "active"
