"""What the commands have in common: reaching a server, finding the run, following it, saying errors."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer
from rich.console import Console
from rich.markup import escape

from sampan.client.http import HttpError, JsonClient
from sampan.components.pipelines.api import ir, packages
from sampan.components.pipelines.api.errors import PipelinesError
from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.cli.output import print_outcome
from sampan.components.pipelines.cli.package import PackageError, read_package
from sampan.components.pipelines.cli.progress import Progress
from sampan.components.pipelines.cli.steps import FINAL_STATES, steps
from sampan.components.pipelines.sdk import Run, Runs

POLL_SECONDS = 0.2
_POLL_SHARE = 9
"""How much longer to wait than a look took: watching costs the server a tenth of its time at most."""
_INTERRUPTED = 130


class Server(Protocol):
    """A server that answers. `own` says that it was started for this command and ends with it."""

    @property
    def url(self) -> str: ...
    @property
    def own(self) -> bool: ...


class Platform(Protocol):
    """What the commands need of the machine, which a component may not know itself. Both raise RuntimeError."""

    def connect(self, home: Path | None) -> AbstractContextManager[Server]:
        """The running server, or one that is started for as long as the context lasts."""
        ...

    def kfp_python(self, home: Path | None) -> Path:
        """An interpreter that has the kfp SDK."""
        ...


class CommandError(Exception):
    """Said to the user as it is."""


HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home", help="The server's home. [default: $SAMPAN_HOME or ~/.sampan]", show_default=False
    ),
]
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


@contextmanager
def told() -> Iterator[None]:
    """Errors as one sentence on standard error."""
    try:
        yield
    except (CommandError, PackageError, HttpError, PipelinesError, TimeoutError, RuntimeError) as error:
        if isinstance(error, typer.Exit):
            raise
        console = Console(stderr=True, highlight=False)
        console.print("[bold red]error:[/] ", end="")
        console.print(str(error), soft_wrap=True, markup=False)
        raise typer.Exit(1) from error


def read_document(file: Path, pipeline: str, kfp_python: Callable[[], Path]) -> ir.PipelineDocument:
    content = read_package(file, pipeline, kfp_python)
    try:
        document = ir.load(packages.unpack(content))
        ir.validate(document)
    except PipelinesError as error:
        raise CommandError(f"{file}: {error.message}") from error
    return document


def read_parameters(
    document: ir.PipelineDocument, given: Sequence[str], *, complete: bool = True
) -> Mapping[str, Any]:
    """`name=value` texts as values of the declared types; all of them checked before anything starts.

    `complete`: what has no default must be among them.
    """
    values = {}
    for text in given:
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise CommandError(f"--param {text!r}: write it as NAME=VALUE")
        values[name] = ir.parse_parameter(document, name, value)
    try:
        ir.bind_parameters(document, values)
    except PipelinesError as error:
        raise CommandError(f"{error.message} (--param NAME=VALUE)") from error
    return values


def found_run(runs: Runs, text: str) -> Run:
    run = runs.find(text)
    if run is None:
        raise CommandError(f"no run is called {text!r}; `sampan runs` lists them")
    return run


def start_and_follow(console: Console, session: tuple[Runs, Server], run: Run, *, detach: bool) -> None:
    """Shows a run that was just started. Raises typer.Exit unless it succeeds, or is left to itself."""
    runs, server = session
    console.print(f"[bold]{escape(run.name)}[/]  [dim]{run.run_id}[/]", soft_wrap=True)
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
        raise typer.Exit(_INTERRUPTED) from None
