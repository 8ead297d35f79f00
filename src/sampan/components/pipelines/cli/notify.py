"""`sampan notify`: who is told what became of runs: list, make, try, pause, resume and delete notifications."""

from __future__ import annotations

import sys
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
    interval_of,
    plain,
    running_server,
    seconds_of,
)
from sampan.console.frame import CommandError, HomeOption

_NOTIFICATIONS = Kind("notification", "notifications", "notifications", "notification_id", "sampan notify")
_SCOPES = {
    "pipeline": Kind("pipeline", "pipelines", "pipelines", "pipeline_id", "the API"),
    "experiment": Kind("experiment", "experiments", "experiments", "experiment_id", "the API"),
    "run": Kind("run", "runs", "runs", "run_id", "sampan runs"),
}
_SHOWN = 10
_STYLES = {"SENT": "green", "FAILED": "bold red", "PENDING": "yellow"}

NotificationArgument = Annotated[
    str, typer.Argument(metavar="NOTIFICATION", help="A notification's name, its id, or the id's beginning.")
]


@dataclass(frozen=True)
class NotifyCommands:
    """The commands as typer sees them."""

    platform: Platform

    def list_(
        self,
        context: typer.Context,
        limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many, newest first.")] = 20,
        home: HomeOption = None,
    ) -> None:
        """Be told what becomes of runs, by webhook, in a chat, by mail. Alone: list the notifications."""
        if context.invoked_subcommand is not None:
            return
        with told(), self._server(home) as http:
            _print_notifications(Console(highlight=False), _NOTIFICATIONS.newest(http, limit))

    def create(  # noqa: PLR0913  a command has as many options as it has
        self,
        name: Annotated[str, typer.Argument(metavar="NAME", help="The notification's name.")],
        webhook: Annotated[
            str, typer.Option(help="A URL that gets a CloudEvent; - reads it from standard input.")
        ] = "",
        slack: Annotated[
            str, typer.Option(help="A Slack, Mattermost or Discord webhook; - reads it from standard input.")
        ] = "",
        mail: Annotated[list[str] | None, typer.Option(help="A mail address. Repeatable.")] = None,
        secret: Annotated[
            str, typer.Option(metavar="NAME/KEY", help="A Secret to sign a webhook with, and its key.")
        ] = "",
        on: Annotated[
            str,
            typer.Option(help="States, separated by commas: failed, succeeded, canceled, paused, running."),
        ] = "",
        longer_than: Annotated[
            str, typer.Option(help="Also once for each run that takes longer, such as 2h.")
        ] = "",
        pipeline: Annotated[str, typer.Option(help="Of this pipeline's runs only.")] = "",
        experiment: Annotated[str, typer.Option(help="Of this experiment's runs only.")] = "",
        run: Annotated[str, typer.Option(help="Of this run only.")] = "",
        log_lines: Annotated[
            int, typer.Option(min=0, max=200, help="Of the log of the step that failed.")
        ] = 20,
        home: HomeOption = None,
    ) -> None:
        """Make a notification. `--webhook secret:NAME/KEY` takes a URL from a Secret of the namespace."""
        console = Console(highlight=False)
        with told(), self._server(home) as http:
            channels: dict[str, Any] = {}
            if webhook:
                channels["webhook"] = _url(webhook) | (
                    {"secret_ref": _reference(secret, "--secret")} if secret else {}
                )
            if slack:
                channels["slack"] = _url(slack)
            if mail:
                channels["email"] = {"to": mail}
            if len(channels) != 1:
                raise CommandError("give one of --webhook, --slack, --mail: where it is sent")
            body: dict[str, Any] = {"display_name": name, "log_lines": log_lines, **channels}
            if on:
                body["states"] = [each.strip().upper() for each in on.split(",") if each.strip()]
            if longer_than:
                body["longer_than_seconds"] = seconds_of(longer_than, "--longer-than")
            for word, text in (("pipeline", pipeline), ("experiment", experiment), ("run", run)):
                if text:
                    kind = _SCOPES[word]
                    body[kind.id_field] = kind.find(http, text)[kind.id_field]
            made = http.post("/apis/v2beta1/notifications", body)
            console.print(
                f"[bold]{plain(made['display_name'])}[/]  [dim]{made['notification_id']}[/]", soft_wrap=True
            )
            console.print(f"Tells {_where(made)} {_when(made)}", markup=False, soft_wrap=True)
            console.print(
                f"[dim]Try it: sampan notify test {made['notification_id'][:SHORT]}[/]", soft_wrap=True
            )

    def test(self, notification: NotificationArgument, home: HomeOption = None) -> None:
        """Send a sample now, and say whether it was taken."""
        with told(), self._server(home) as http:
            found = _NOTIFICATIONS.find(http, notification)
            http.post(f"{_NOTIFICATIONS.path_of(found)}:test")
            Console(highlight=False).print(f"{found['display_name']}: taken by {_where(found)}", markup=False)

    def show(self, notification: NotificationArgument, home: HomeOption = None) -> None:
        """Show one: what it tells whom, and what was sent lately."""
        console = Console(highlight=False)
        with told(), self._server(home) as http:
            found = _NOTIFICATIONS.find(http, notification)
            console.print(
                f"[bold]{plain(found['display_name'])}[/]  [dim]{found['notification_id']}[/]", soft_wrap=True
            )
            line = f"tells {_where(found)} {_when(found)}, {_state(found)}"
            console.print(line, markup=False, soft_wrap=True)
            if found.get("error"):
                console.print(Text(found["error"], "red"), soft_wrap=True)
            query: dict[str, str | int] = {"page_size": _SHOWN, "sort_by": "created_at desc"}
            page = http.get(f"{_NOTIFICATIONS.path_of(found)}/deliveries", query)
            _print_deliveries(console, page.get("deliveries", []))

    def pause(self, notification: NotificationArgument, home: HomeOption = None) -> None:
        """Tell no more."""
        self._switch(notification, "disable", home)

    def resume(self, notification: NotificationArgument, home: HomeOption = None) -> None:
        """Tell again, of what happens from now on."""
        self._switch(notification, "enable", home)

    def delete(self, notification: NotificationArgument, home: HomeOption = None) -> None:
        """Remove a notification. What still waits to be sent is not sent."""
        with told(), self._server(home) as http:
            _NOTIFICATIONS.delete(http, notification)

    def _switch(self, notification: str, verb: str, home: Path | None) -> None:
        with told(), self._server(home) as http:
            found = _NOTIFICATIONS.switch(http, notification, verb)
            Console(highlight=False).print(f"{found['display_name']}: {_state(found)}", markup=False)

    def _server(self, home: Path | None) -> AbstractContextManager[JsonClient]:
        return running_server(self.platform, home, "notifications")


def register(app: typer.Typer, platform: Platform) -> None:
    """Adds `sampan notify` to the command line."""
    commands = NotifyCommands(platform)
    named: dict[str, Callable[..., None]] = {
        "create": commands.create,
        "test": commands.test,
        "show": commands.show,
        "pause": commands.pause,
        "resume": commands.resume,
        "delete": commands.delete,
    }
    add_group(app, "notify", commands.list_, named)


def _url(given: str) -> dict[str, Any]:
    if given.startswith("secret:"):
        return {"url_secret_ref": _reference(given.removeprefix("secret:"), "secret:NAME/KEY")}
    # The words of a command are seen by everybody on the machine, and such a URL is a secret.
    return {"url": sys.stdin.readline().strip() if given == "-" else given}


def _reference(given: str, option: str) -> dict[str, str]:
    name, separator, key = given.partition("/")
    if not separator or not name or not key:
        raise CommandError(f"{option} {given!r}: write it as NAME/KEY")
    return {"name": name, "key": key}


def _print_notifications(console: Console, found: list[dict[str, Any]]) -> None:
    if not found:
        console.print(
            "Nobody is told yet. For example: sampan notify create failures --mail me@example.com",
            soft_wrap=True,
        )
        return
    table = Table(
        "id", "name", "tells", "when", "state", "sent", box=None, header_style="bold", pad_edge=False
    )
    for each in found:
        state = _state(each)
        style = "green" if state == "active" else "yellow" if state == "paused" else "red"
        table.add_row(
            each["notification_id"][:SHORT],
            Text(each["display_name"]),
            Text(_where(each)),
            Text(_when(each)),
            Text(state, style),
            each.get("sent", "0"),
        )
    console.print(table)


def _print_deliveries(console: Console, found: list[dict[str, Any]]) -> None:
    if not found:
        console.print("Nothing was sent yet.")
        return
    console.print("[dim]Latest[/]")
    for each in found:
        moment = datetime.fromisoformat(each["created_at"]).astimezone()
        state = (f"{each['state'].lower():<8}", _STYLES.get(each["state"], ""))
        said = f"  run {each['run_id'][:SHORT]} {each['about'].lower()}"
        why = f"  {each['error']}" if each.get("error") else ""
        console.print(
            Text.assemble(f"  {moment:%a %Y-%m-%d %H:%M:%S}  ", state, said, (why, "red")), soft_wrap=True
        )


def _where(notification: Mapping[str, Any]) -> str:
    if "email" in notification:
        return ", ".join(notification["email"]["to"])
    target = notification.get("slack") or notification.get("webhook") or {}
    reference = target.get("url_secret_ref", {})
    where = target.get("url") or f"the URL in {reference.get('name')}/{reference.get('key')}"
    return f"{target['channel']} at {where}" if target.get("channel") else str(where)


def _when(notification: Mapping[str, Any]) -> str:
    scope = next((word for word in ("run", "pipeline", "experiment") if notification.get(f"{word}_id")), "")
    which = "a run"
    if scope == "run":
        which = f"run {notification['run_id'][:SHORT]}"
    elif scope:
        which = f"a run of {scope} {notification[f'{scope}_id'][:SHORT]}"
    parts = []
    if notification.get("states"):
        parts.append(f"becomes {' or '.join(map(str.lower, notification['states']))}")
    if notification.get("longer_than_seconds"):
        parts.append(f"takes longer than {interval_of(int(notification['longer_than_seconds']))}")
    return f"when {which} {' or '.join(parts)}"


def _state(notification: Mapping[str, Any]) -> str:
    if notification["status"] != "ENABLED":
        return "paused"
    return "failing" if notification.get("error") else "active"
