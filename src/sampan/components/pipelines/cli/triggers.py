"""`sampan triggers`: list triggers, make, pause, resume and delete them, and see what came of their events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sampan.client.http import JsonClient
from sampan.components.pipelines.cli.frame import Platform, told
from sampan.components.pipelines.cli.named import (
    SHORT,
    Kind,
    add_group,
    plain,
    read_source,
    running_server,
    seconds_of,
)
from sampan.console.frame import CommandError, HomeOption

_TRIGGERS = Kind("trigger", "triggers", "triggers", "trigger_id", "sampan triggers")
_PIPELINES = Kind("pipeline", "pipelines", "pipelines", "pipeline_id", "the API")
_PLACEHOLDER = "{{"
_SHOWN = 10
_STYLES = {"STARTED": "green", "FAILED": "bold red", "SKIPPED": "dim", "PENDING": "yellow"}

TriggerArgument = Annotated[
    str, typer.Argument(metavar="TRIGGER", help="A trigger's name, its id, or the id's beginning.")
]


@dataclass(frozen=True)
class TriggerCommands:
    """The commands as typer sees them."""

    platform: Platform

    def list_(
        self,
        context: typer.Context,
        limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many, newest first.")] = 20,
        home: HomeOption = None,
    ) -> None:
        """Start runs on webhooks, files, artifacts and ends of other runs. Alone: list the triggers."""
        if context.invoked_subcommand is not None:
            return
        with told(), self._server(home) as http:
            _print_triggers(Console(highlight=False), _TRIGGERS.newest(http, limit))

    def create(  # noqa: PLR0913  a command has as many options as it has
        self,
        pipeline: Annotated[
            str,
            typer.Argument(
                metavar="PIPELINE", help="Python or a compiled package; or the name of an uploaded pipeline."
            ),
        ],
        webhook: Annotated[
            bool, typer.Option("--webhook", help="On a webhook: its URL and secret are told.")
        ] = False,
        event: Annotated[
            list[str] | None,
            typer.Option("--event", help="Of a webhook, such as push; else all. Repeatable."),
        ] = None,
        file: Annotated[str, typer.Option("--file", help="On new and changed files of this folder.")] = "",
        uri: Annotated[
            str, typer.Option("--object", help="On new objects below it, such as s3://bucket/in.")
        ] = "",
        glob: Annotated[
            str, typer.Option(help="Of files and objects: *.csv, **/*.csv for all folders below.")
        ] = "*",
        settle: Annotated[str, typer.Option(help="How long a file must not have changed.")] = "3s",
        existing: Annotated[
            bool, typer.Option("--existing", help="Also for files that are there already.")
        ] = False,
        artifact: Annotated[str, typer.Option(help="On new artifacts of a type, such as system.Model.")] = "",
        after: Annotated[str, typer.Option(help="When a run of this uploaded pipeline has ended.")] = "",
        run_name: Annotated[
            str, typer.Option("--after-run", help="When a run of such a name has ended: nightly-*")
        ] = "",
        state: Annotated[
            list[str] | None,
            typer.Option("--state", help="Of that end: succeeded, failed, canceled. \\[default: succeeded]"),
        ] = None,
        param: Annotated[
            list[str] | None,
            typer.Option(
                "--param",
                "-p",
                metavar="NAME=VALUE",
                help="A parameter of the runs; {{event.body.ref}} and its kin.",
            ),
        ] = None,
        condition: Annotated[
            list[str] | None,
            typer.Option(
                "--if", metavar="PATH=PATTERN", help="Of the event, as body.ref=refs/heads/*. Repeatable."
            ),
        ] = None,
        name: Annotated[str, typer.Option(help="The trigger's name. \\[default: the pipeline's]")] = "",
        max_concurrency: Annotated[
            int, typer.Option(min=1, max=100, help="How many of its runs may be unfinished.")
        ] = 10,
        home: HomeOption = None,
    ) -> None:
        """Make a trigger. An uploaded pipeline runs in the version that is the latest at each event."""
        console = Console(highlight=False)
        with told(), self._server(home) as http:
            watched = {
                "glob": glob,
                "settle_seconds": seconds_of(settle, "--settle"),
                "include_existing": existing,
            }
            sources: dict[str, Any] = {}
            if webhook:
                sources["webhook"] = {"events": event or []}
            if file:
                sources["file"] = {"folder": str(Path(file).expanduser().absolute()), **watched}
            if uri:
                sources["object"] = {"uri": uri, **watched}
            if artifact:
                sources["artifact"] = {"type": artifact}
            if after or run_name:
                of = {"pipeline_id": _pipeline_id(http, after)} if after else {}
                states = [each.upper() for each in state or ["succeeded"]]
                sources["run"] = {**of, "name": run_name, "states": states}
            if len(sources) != 1:
                raise CommandError(
                    "give one of --webhook, --file, --object, --artifact, --after, --after-run"
                )
            source = read_source(
                http, pipeline, param or [], lambda: self.platform.kfp_python(home), _PLACEHOLDER
            )
            body = {
                "display_name": name or source.name,
                **source.fields,
                **sources,
                "runtime_config": {"parameters": source.parameters},
                "conditions": _conditions(condition or []),
                "max_concurrency": max_concurrency,
            }
            made = http.post("/apis/v2beta1/triggers", body)
            console.print(
                f"[bold]{plain(made['display_name'])}[/]  [dim]{made['trigger_id']}[/]", soft_wrap=True
            )
            console.print(f"Starts runs {_when(made)}", markup=False, soft_wrap=True)
            if webhook:
                _print_webhook(console, http, made)

    def show(self, trigger: TriggerArgument, home: HomeOption = None) -> None:
        """Show one: what it waits for, what is wrong with it, what came of its latest events."""
        console = Console(highlight=False)
        with told(), self._server(home) as http:
            found = _TRIGGERS.find(http, trigger)
            console.print(
                f"[bold]{plain(found['display_name'])}[/]  [dim]{found['trigger_id']}[/]", soft_wrap=True
            )
            console.print(f"{_when(found)}, {_state(found)}", markup=False, soft_wrap=True)
            if message := found.get("error", {}).get("message"):
                console.print(Text(message, "red"), soft_wrap=True)
            query: dict[str, str | int] = {"page_size": _SHOWN, "sort_by": "created_at desc"}
            page = http.get(f"{_TRIGGERS.path_of(found)}/deliveries", query)
            _print_deliveries(console, page.get("deliveries", []))

    def pause(self, trigger: TriggerArgument, home: HomeOption = None) -> None:
        """Start no more runs. What happens until it is resumed starts none."""
        self._switch(trigger, "disable", home)

    def resume(self, trigger: TriggerArgument, home: HomeOption = None) -> None:
        """Wait for events again."""
        self._switch(trigger, "enable", home)

    def delete(self, trigger: TriggerArgument, home: HomeOption = None) -> None:
        """Remove a trigger. Its runs stay."""
        with told(), self._server(home) as http:
            _TRIGGERS.delete(http, trigger)

    def _switch(self, trigger: str, verb: str, home: Path | None) -> None:
        with told(), self._server(home) as http:
            found = _TRIGGERS.switch(http, trigger, verb)
            Console(highlight=False).print(f"{found['display_name']}: {_state(found)}", markup=False)

    def _server(self, home: Path | None) -> AbstractContextManager[JsonClient]:
        return running_server(self.platform, home, "triggers")


def register(app: typer.Typer, platform: Platform) -> None:
    """Adds `sampan triggers` to the command line."""
    commands = TriggerCommands(platform)
    named: dict[str, Callable[..., None]] = {
        "create": commands.create,
        "show": commands.show,
        "pause": commands.pause,
        "resume": commands.resume,
        "delete": commands.delete,
    }
    add_group(app, "triggers", commands.list_, named)


def _pipeline_id(http: JsonClient, name: str) -> str:
    return str(_PIPELINES.find(http, name)["pipeline_id"])


def _conditions(given: list[str]) -> dict[str, str]:
    found = {}
    for text in given:
        path, separator, pattern = text.partition("=")
        if not separator or not path:
            raise CommandError(f"--if {text!r}: write it as PATH=PATTERN, such as body.ref=refs/heads/*")
        found[path.strip().removeprefix("event.")] = pattern
    return found


def _print_webhook(console: Console, http: JsonClient, made: Mapping[str, Any]) -> None:
    url, secret = f"{http.base_url}{_TRIGGERS.path_of(made)}:fire", made["webhook"].get("secret", "")
    events = made["webhook"].get("events") or ()
    kind = "".join(f" -H 'X-GitHub-Event: {event}'" for event in events[:1])
    for line in (
        f"  URL     {url}",
        f"  Secret  {secret}   (shown this once)",
        f"\n  curl -X POST {url} -H 'Authorization: Bearer {secret}'{kind} -d '{{}}'",
    ):
        console.print(line, markup=False, soft_wrap=True)


def _print_triggers(console: Console, found: list[dict[str, Any]]) -> None:
    if not found:
        console.print(
            "No triggers yet. Make one: sampan triggers create pipeline.py --file in/ --glob '*.csv'",
            soft_wrap=True,
        )
        return
    table = Table("id", "name", "starts runs", "state", "runs", box=None, header_style="bold", pad_edge=False)
    for trigger in found:
        state = _state(trigger)
        style = "green" if state == "active" else "yellow" if state == "paused" else "red"
        table.add_row(
            trigger["trigger_id"][:SHORT],
            Text(trigger["display_name"]),
            Text(_when(trigger)),
            Text(state, style),
            trigger.get("runs_started", "0"),
        )
    console.print(table)


def _print_deliveries(console: Console, found: list[dict[str, Any]]) -> None:
    if not found:
        console.print("Nothing has happened yet.")
        return
    console.print("[dim]Latest events[/]")
    for each in found:
        moment = datetime.fromisoformat(each["created_at"]).astimezone()
        said = each.get("error", {}).get("message", "") or f"run {each.get('run_id', '')[:SHORT]}"
        state = (f"{each['state'].lower():<8}", _STYLES.get(each["state"], ""))
        console.print(Text.assemble(f"  {moment:%a %Y-%m-%d %H:%M:%S}  ", state, f"  {said}"), soft_wrap=True)


def _when(trigger: Mapping[str, Any]) -> str:
    if "webhook" in trigger:
        events = trigger["webhook"].get("events")
        return f"on a webhook ({', '.join(events)})" if events else "on a webhook"
    if "file" in trigger:
        return f"on files {trigger['file']['folder'].rstrip('/')}/{trigger['file']['glob']}"
    if "object" in trigger:
        return f"on objects {trigger['object']['uri'].rstrip('/')}/{trigger['object']['glob']}"
    if "artifact" in trigger:
        wanted = trigger["artifact"]
        return " ".join(["on a new", wanted.get("type") or "artifact", wanted.get("name", "")]).strip()
    wanted = trigger["run"]
    which = wanted.get("name") or (
        f"of pipeline {wanted['pipeline_id'][:SHORT]}" if wanted.get("pipeline_id") else ""
    )
    return " ".join(f"when a run {which} has {' or '.join(map(str.lower, wanted['states']))}".split())


def _state(trigger: Mapping[str, Any]) -> str:
    if trigger["status"] != "ENABLED":
        return "paused"
    return "failing" if trigger.get("error") else "active"
