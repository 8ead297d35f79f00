"""The commands themselves. The assembly of the command line hands in how to reach a server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from sampan.client.http import JsonClient
from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.cli.frame import (
    CommandError,
    HomeOption,
    Platform,
    Server,
    find_run,
    read_document,
    read_parameters,
    told,
)
from sampan.components.pipelines.cli.output import print_outcome, print_runs
from sampan.components.pipelines.cli.progress import Progress
from sampan.components.pipelines.cli.steps import steps
from sampan.components.pipelines.sdk import Run, Runs

_POLL_SECONDS = 0.2
_POLL_SHARE = 9
"""How much longer to wait than a look took: watching costs the server a tenth of its time at most."""
_INTERRUPTED = 130


RunArgument = Annotated[
    str, typer.Argument(metavar="RUN", help="A run's name, its id, or the id's beginning.")
]


@dataclass(frozen=True)
class Commands:
    """The four commands as typer sees them."""

    platform: Platform

    def run(
        self,
        file: Annotated[
            Path,
            typer.Argument(
                help="Python with @dsl.pipeline, compiled YAML, zip, tar.gz, or an Argo Workflow."
            ),
        ],
        param: Annotated[
            list[str] | None,
            typer.Option(
                "--param", "-p", metavar="NAME=VALUE", help="A parameter; may be given several times."
            ),
        ] = None,
        name: Annotated[str, typer.Option(help="The run's name. [default: the pipeline's]")] = "",
        pipeline: Annotated[str, typer.Option(help="Which pipeline of a Python file with several.")] = "",
        detach: Annotated[bool, typer.Option("--detach", "-d", help="Start it and return.")] = False,
        home: HomeOption = None,
    ) -> None:
        """Run a pipeline and watch it.

        Uses the running server, or starts one for as long as the run takes. Ends with 0 if the run succeeded.
        """
        console = Console(highlight=False)
        with told():
            with console.status("Reading the pipeline …") as status:

                def kfp_python() -> Path:
                    status.update("Getting the kfp SDK, since this Python has none …")
                    return self.platform.kfp_python(home)

                document = read_document(file, pipeline, kfp_python)
                parameters = read_parameters(document, param or [])
            with self._runs(home) as (runs, server):
                if server.own and not detach:
                    console.print("[dim]No server is running: this one ends with the run.[/]")
                if detach and server.own:
                    raise CommandError(
                        "no server is running, so nothing would go on: start one with `sampan up`"
                    )
                title = name or document.name
                run = runs.submit(document.to_json(), title, parameters=parameters)
                console.print(f"[bold]{title}[/]  [dim]{run.run_id}[/]", soft_wrap=True)
                if detach:
                    console.print(f"See it: sampan logs {run.run_id[:8]} -f")
                    return
                ended = _follow(console, runs, server, run)
                print_outcome(console, runs, ended)
                console.print(f"[dim]Again: sampan runs, sampan logs {run.run_id[:8]}[/]")
        if ended.state is not RuntimeState.SUCCEEDED:
            raise typer.Exit(1)

    def runs(
        self,
        limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many, newest first.")] = 20,
        home: HomeOption = None,
    ) -> None:
        """List runs, newest first."""
        with told(), self._runs(home) as (runs, _server):
            print_runs(Console(highlight=False), runs.newest(limit))

    def stop(self, run: RunArgument, home: HomeOption = None) -> None:
        """Stop a run: its steps are ended, what finished is kept."""
        console = Console(highlight=False)
        with told(), self._runs(home) as (runs, _server):
            found = find_run(runs, run)
            if found.state.is_final:
                raise CommandError(f"{found.name} has already ended: {found.state.lower()}")
            runs.terminate(found.run_id)
            ended = runs.wait(found.run_id, timeout_seconds=60, poll_seconds=_POLL_SECONDS)
            console.print(f"{ended.name}: {ended.state.lower()}")

    @contextmanager
    def _runs(self, home: Path | None) -> Iterator[tuple[Runs, Server]]:
        with self.platform.connect(home) as server, JsonClient(server.url) as http:
            yield Runs(http), server


def register(app: typer.Typer, platform: Platform) -> None:
    """Adds the commands to the command line."""
    commands = Commands(platform)
    for command in (commands.run, commands.runs, commands.stop):
        app.command(command.__name__, rich_help_panel="Pipelines")(command)


def _follow(console: Console, runs: Runs, server: Server, run: Run) -> Run:
    """Shows the run until it ends. Ctrl-C leaves it to a server of its own, and stops it with ours."""
    try:
        with Progress(console) as progress:
            while True:
                asked = time.monotonic()
                current = runs.get(run.run_id)
                progress.update(steps([task.raw for task in runs.tasks(run.run_id)]))
                if current.state.is_final:
                    return current
                # A run of thousands of steps takes long to show: looking must not slow it down.
                time.sleep(max(_POLL_SECONDS, _POLL_SHARE * (time.monotonic() - asked)))
    except KeyboardInterrupt:
        if server.own:
            console.print("\nStopping the run …")
            runs.terminate(run.run_id)
            runs.wait(run.run_id, timeout_seconds=60)
        else:
            console.print(f"\nThe run goes on. Stop it with: sampan stop {run.run_id[:8]}")
        raise typer.Exit(_INTERRUPTED) from None
