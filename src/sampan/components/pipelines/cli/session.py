"""Commands that start runs, or let them go on: what they have in common."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from sampan.client.http import JsonClient
from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.cli.frame import Platform
from sampan.components.pipelines.cli.output import print_outcome
from sampan.components.pipelines.cli.progress import Progress
from sampan.components.pipelines.cli.steps import FINAL_STATES, steps
from sampan.components.pipelines.sdk import Run, Runs
from sampan.console.frame import INTERRUPTED, CommandError, Server

POLL_SECONDS = 0.2
_POLL_SHARE = 9
"""How much longer to wait than a look took: watching costs the server a tenth of its time at most."""


ParamOption = Annotated[
    list[str] | None,
    typer.Option("--param", "-p", metavar="NAME=VALUE", help="A parameter; may be given several times."),
]
RunArgument = Annotated[
    str, typer.Argument(metavar="RUN", help="A run's name, its id, or the id's beginning.")
]


@contextmanager
def open_runs(platform: Platform, home: Path | None) -> Iterator[tuple[Runs, Server]]:
    with platform.connect(home) as server, JsonClient(server.url) as http:
        yield Runs(http), server


def start_and_follow(console: Console, session: tuple[Runs, Server], run: Run, *, detach: bool) -> None:
    """Shows a run that was just started. Raises typer.Exit unless it succeeds, or is left to itself."""
    runs, server = session
    console.print(f"[bold]{escape(run.name)}[/]  [dim]{run.run_id}[/]", soft_wrap=True)
    if not server.own:
        console.print(f"[dim]Watch it: {server.url}/ui/runs/{run.run_id}[/]", soft_wrap=True)
    if detach:
        console.print(f"See it: sampan logs {run.run_id[:8]} -f")
        return
    ended = follow(console, runs, server, run)
    print_outcome(console, runs, ended)
    print_hints(console, ended)
    if ended.state is not RuntimeState.SUCCEEDED:
        raise typer.Exit(1)


def check_detach(server: Server, detach: bool) -> None:
    """Raises CommandError where nothing would go on."""
    if detach and server.own:
        raise CommandError("no server is running, so nothing would go on: start one with `sampan up`")


def print_hints(console: Console, run: Run) -> None:
    """What can be done with a run that does not go on by itself."""
    short = run.run_id[:8]
    if run.state is RuntimeState.PAUSED:
        console.print(f"[dim]Go on, once it is mended: sampan runs continue {short} [--step NAME.image=…][/]")
        console.print(f"[dim]Look into it: sampan debug {short} STEP    Give it up: sampan stop {short}[/]")
    elif run.state is RuntimeState.FAILED:
        console.print(f"[dim]Again: sampan runs retry {short}[/]")
        console.print(f"[dim]With mended code: sampan runs resume {short} --from-pipeline FILE[/]")
    else:
        console.print(f"[dim]Again: sampan runs, sampan logs {short}[/]")


def follow(console: Console, runs: Runs, server: Server, run: Run) -> Run:
    """Shows the run until it ends or waits for its user. Ctrl-C leaves it to a server of its own, and stops it with
    ours."""
    try:
        with Progress(console) as progress:
            while True:
                asked = time.monotonic()
                current = runs.get(run.run_id)
                shown = steps([task.raw for task in runs.tasks(run.run_id)])
                progress.update(shown)
                waits = current.state is RuntimeState.PAUSED
                if current.state.is_final or (waits and all(step.state in FINAL_STATES for step in shown)):
                    return current
                # A run of thousands of steps takes long to show: looking must not slow it down.
                time.sleep(max(POLL_SECONDS, _POLL_SHARE * (time.monotonic() - asked)))
    except KeyboardInterrupt:
        if server.own:
            console.print("\nStopping the run …")
            runs.terminate(run.run_id)
            runs.wait(run.run_id, timeout_seconds=60)
        else:
            console.print(f"\nThe run goes on. Stop it with: sampan stop {run.run_id[:8]}")
        raise typer.Exit(INTERRUPTED) from None
