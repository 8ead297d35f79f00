"""`sampan cache`, `sampan du`, `sampan gc`: what is kept, how much it takes, and deleting it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console
from rich.table import Table

from sampan.client.http import JsonClient
from sampan.components.pipelines.cli.frame import Platform, find_run, told
from sampan.components.pipelines.sdk import Runs
from sampan.console.frame import CommandError, HomeOption

_API = "/apis/v2beta1"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_AGE = re.compile(r"(\d+)([smhdw])\Z")
_PANEL = "Pipelines"

PipelineOption = Annotated[str, typer.Option(help="Only results of this pipeline, by its name.")]
TaskOption = Annotated[str, typer.Option(help="Only results of tasks of this name.")]
OlderOption = Annotated[str, typer.Option("--older-than", help="Only older ones, as 12h, 7d or 2w.")]


@dataclass(frozen=True)
class CacheCommands:
    platform: Platform

    def ls(
        self,
        pipeline: PipelineOption = "",
        task: TaskOption = "",
        older_than: OlderOption = "",
        limit: Annotated[
            int, typer.Option("--limit", "-n", min=1, max=200, help="How many, newest first.")
        ] = 20,
        home: HomeOption = None,
    ) -> None:
        """List the results that steps may reuse, newest first."""
        console = Console(highlight=False)
        with told(), _server(self.platform, home) as http:
            query = {**_filter(pipeline, task, older_than), "page_size": limit}
            found = http.get(f"{_API}/cache", query)
            entries = found.get("entries", [])
            if not entries:
                console.print("No results are kept for reuse.")
                return
            table = Table(box=None, pad_edge=False, header_style="dim")
            for name in ("id", "pipeline", "task", "run", "age", "hits", "last hit"):
                table.add_column(name, overflow="fold")
            table.add_column("size", justify="right")
            for entry in entries:
                table.add_row(
                    entry["task_id"][:8],
                    entry.get("pipeline", ""),
                    entry["task"],
                    f"{entry.get('run', '')} {entry['run_id'][:8]}",
                    _age(entry["created_at"]),
                    str(entry.get("hits", 0)),
                    _age(entry.get("last_hit_at", "")),
                    size_text(entry.get("size_bytes", 0)),
                )
            console.print(table)
            if len(entries) < found["total_size"]:
                console.print(f"[dim]{len(entries)} of {found['total_size']}[/]")

    def rm(
        self,
        ids: Annotated[list[str], typer.Argument(metavar="ID", help="As `sampan cache ls` shows them.")],
        home: HomeOption = None,
    ) -> None:
        """Forget results: the next step of the kind runs again. The runs that have them stay as they are."""
        with told(), _server(self.platform, home) as http:
            for given in ids:
                http.delete(f"{_API}/cache/{quote(_found(http, given), safe='')}")
                Console(highlight=False).print(f"{given}: forgotten", markup=False)

    def clear(
        self,
        pipeline: PipelineOption = "",
        task: TaskOption = "",
        older_than: OlderOption = "",
        home: HomeOption = None,
    ) -> None:
        """Forget all results, or those that the options name."""
        with told(), _server(self.platform, home) as http:
            removed = http.delete(f"{_API}/cache", _filter(pipeline, task, older_than)).get("removed", 0)
            Console(highlight=False).print(f"{removed} {'result' if removed == 1 else 'results'} forgotten")


@dataclass(frozen=True)
class DiskCommands:
    platform: Platform

    def du(
        self,
        by: Annotated[str, typer.Option(help="run, experiment or pipeline.")] = "run",
        limit: Annotated[
            int, typer.Option("--limit", "-n", min=1, max=200, help="How many, largest first.")
        ] = 20,
        home: HomeOption = None,
    ) -> None:
        """Show what artifacts take, the largest first, and the folders of the home."""
        console = Console(highlight=False)
        with told(), _server(self.platform, home) as http:
            found = http.get(f"{_API}/usage", {"by": by, "page_size": limit, "disk": "true"})
        table = Table(box=None, pad_edge=False, header_style="dim")
        table.add_column("size", justify="right")
        table.add_column("artifacts", justify="right")
        table.add_column(by, overflow="fold")
        for item in found.get("items", []):
            name = f"{item.get('name', '')} {item.get('id', '')[:8] if by != 'pipeline' else ''}".strip()
            table.add_row(
                size_text(item.get("size_bytes", 0)),
                str(item["artifacts"]),
                name or "(deleted, kept by others)",
            )
        console.print(table)
        console.print(f"\n[bold]{size_text(found['size_bytes'])}[/] in artifacts that steps have written")
        for name, size in sorted(found.get("folders", {}).items(), key=lambda each: -each[1]):
            console.print(f"  {size_text(size):>10}  {name}/")

    def gc(  # noqa: PLR0913  a command has as many options as it has
        self,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be deleted.")] = False,
        keep_last: Annotated[int | None, typer.Option(min=0, help="Runs that each experiment keeps.")] = None,
        max_age_days: Annotated[
            int | None, typer.Option(min=0, help="Days that ended runs are kept.")
        ] = None,
        max_disk_gib: Annotated[int | None, typer.Option(min=0, help="GiB that a namespace may use.")] = None,
        pin: Annotated[str, typer.Option(metavar="RUN", help="Keep this run whatever the rules say.")] = "",
        unpin: Annotated[str, typer.Option(metavar="RUN", help="Let the rules decide about it again.")] = "",
        home: HomeOption = None,
    ) -> None:
        """Delete ended runs by the retention rules of the settings, or by those given here."""
        console = Console(highlight=False)
        with told(), _server(self.platform, home) as http:
            if pin or unpin:
                for text, verb in ((pin, "pin"), (unpin, "unpin")):
                    if text:
                        run = find_run(Runs(http), text)
                        http.post(f"{_API}/runs/{run.run_id}:{verb}")
                        console.print(f"{run.name} {run.run_id[:8]}: {verb}ned", markup=False)
                return
            given = {"keep_last": keep_last, "max_age_days": max_age_days, "max_disk_gib": max_disk_gib}
            query = "&".join(f"{name}={value}" for name, value in given.items() if value is not None)
            path = f"{_API}/retention" if dry_run else f"{_API}/retention:collect"
            path = f"{path}?{query}" if query else path
            found = http.get(path) if dry_run else http.post(path)
        doomed = found.get("runs", [])
        for item in doomed:
            console.print(
                f"{item['run_id'][:8]}  {size_text(item.get('size_bytes', 0)):>10}  {item['reason']}",
                markup=False,
            )
        verb = "would be deleted" if dry_run else "deleted"
        count = f"{len(doomed)} {'run' if len(doomed) == 1 else 'runs'}"
        console.print(f"{count} {verb}, {size_text(found['size_bytes'])}" if doomed else f"Nothing {verb}.")


def register(app: typer.Typer, platform: Platform) -> None:
    """Adds the commands to the command line."""
    commands = CacheCommands(platform)
    cache = typer.Typer(no_args_is_help=True, help="Results that steps may reuse.")
    for command in (commands.ls, commands.rm, commands.clear):
        cache.command(command.__name__)(command)
    app.add_typer(cache, name="cache", rich_help_panel=_PANEL)
    disk = DiskCommands(platform)
    for each in (disk.du, disk.gc):
        app.command(each.__name__, rich_help_panel=_PANEL)(each)


@contextmanager
def _server(platform: Platform, home: Path | None) -> Iterator[JsonClient]:
    with platform.connect(home) as server, JsonClient(server.url) as http:
        yield http


def _filter(pipeline: str, task: str, older_than: str) -> dict[str, str | int]:
    query: dict[str, str | int] = {}
    if older_than:
        found = _AGE.match(older_than)
        if found is None:
            raise CommandError(f"--older-than {older_than!r}: write it as 12h, 7d or 2w")
        query["older_than_seconds"] = int(found[1]) * _UNITS[found[2]]
    return query | {name: value for name, value in (("pipeline", pipeline), ("task", task)) if value}


def _found(http: JsonClient, text: str) -> str:
    """The id of the entry whose id begins so."""
    token = ""
    while True:
        page: Mapping[str, Any] = http.get(f"{_API}/cache", {"page_size": 200, "page_token": token or 0})
        matching = [
            entry["task_id"] for entry in page.get("entries", []) if entry["task_id"].startswith(text)
        ]
        if len(text) >= 4 and matching:
            return str(matching[0])
        token = page.get("next_page_token", "")
        if not token:
            raise CommandError(
                f"no cache entry has an id that begins with {text!r}; `sampan cache ls` lists them"
            )


def size_text(size: int) -> str:
    value = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def _age(moment: str) -> str:
    if not moment:
        return "never"
    seconds = (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size:.0f}{unit}"
    return f"{max(seconds, 0):.0f}s"
