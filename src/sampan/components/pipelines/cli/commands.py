"""The commands themselves. The assembly of the command line hands in how to reach a server."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer
from rich.console import Console

from sampan.client.http import HttpError, JsonClient
from sampan.components.pipelines.api import ir, packages
from sampan.components.pipelines.api.errors import PipelinesError
from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.cli import logs
from sampan.components.pipelines.cli.output import print_outcome, print_runs
from sampan.components.pipelines.cli.package import PackageError, read_package
from sampan.components.pipelines.cli.progress import Progress
from sampan.components.pipelines.cli.steps import steps
from sampan.components.pipelines.sdk import Run, Runs

_POLL_SECONDS = 0.2
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
            Path, typer.Argument(help="Python with @dsl.pipeline, or compiled YAML, zip, tar.gz.")
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
        with _told():
            with console.status("Reading the pipeline …") as status:

                def kfp_python() -> Path:
                    status.update("Getting the kfp SDK, since this Python has none …")
                    return self.platform.kfp_python(home)

                document = _document(file, pipeline, kfp_python)
                parameters = _parameters(document, param or [])
            with self._runs(home) as (runs, server):
                if server.own and not detach:
                    console.print("[dim]No server is running: this one ends with the run.[/]")
                if detach and server.own:
                    raise CommandError(
                        "no server is running, so nothing would go on: start one with `sampan up`"
                    )
                title = name or document.pipeline.name
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
        with _told(), self._runs(home) as (runs, _server):
            print_runs(Console(highlight=False), runs.newest(limit))

    def logs(  # noqa: PLR0913  a command has a parameter for each of its options
        self,
        run: Annotated[
            str, typer.Argument(metavar="[RUN]", help="A run's name, its id, or the id's beginning.")
        ] = "",
        step: Annotated[
            str, typer.Argument(help="A step's name; several match in a loop. [default: all steps]")
        ] = "",
        follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run ends.")] = False,
        attempt: Annotated[int, typer.Option(min=0, help="Only this attempt. [default: all]")] = 0,
        iteration: Annotated[
            str, typer.Option(metavar="I[.J]", help="Only this iteration of the loops around.")
        ] = "",
        since: Annotated[str, typer.Option(metavar="10m|TIME", help="Only what was said since.")] = "",
        tail: Annotated[int | None, typer.Option(min=0, help="Only so many lines of each log.")] = None,
        timestamps: Annotated[bool, typer.Option(help="Show when each line was said.")] = False,
        search: Annotated[
            str, typer.Option(metavar="TEXT", help="Lines that hold it, of all runs, or of RUN.")
        ] = "",
        regex: Annotated[bool, typer.Option("--regex", "-E", help="TEXT is an expression of RE2.")] = False,
        ignore_case: Annotated[bool, typer.Option("--ignore-case", "-i")] = False,
        pipeline: Annotated[str, typer.Option(help="Search runs of this pipeline only.")] = "",
        home: HomeOption = None,
    ) -> None:
        """Show what steps printed; without STEP all of them, each line named. Or search in it.

        Logs stay when their pods are gone, until their run is deleted.
        """
        console = Console(highlight=False)
        with _told(), self._runs(home) as (runs, _server):
            moment = _parsed(logs.since, "--since", since, "10m, 2h, 1d, or a time as 2026-01-31T12:00")
            if search:
                query = _search_query(runs, pipeline, run, step, moment)
                query |= {"regex": "true"} if regex else {}
                query |= {"ignore_case": "true"} if ignore_case else {}
                if not logs.print_matches(console, runs.search_logs(search, query)):
                    raise typer.Exit(1)
                return
            if not run:
                raise CommandError("name a RUN, or what to --search for; `sampan runs` lists them")
            numbers = _parsed(logs.iteration, "--iteration", iteration, "2, or 2.0 for a loop in a loop")
            found = _found(runs, run)
            wanted = logs.Wanted(step, attempt, numbers, moment, tail, timestamps)
            if not logs.print_logs(console, runs, found, wanted, follow=follow):
                names = dict.fromkeys(
                    known.name for known in steps([task.raw for task in runs.tasks(found.run_id)])
                )
                asked = f"step {step!r}" if step else "steps"
                where = f" in iteration {iteration}" if iteration else ""
                raise CommandError(f"the run has no {asked}{where}; it has: {', '.join(names) or 'none yet'}")

    def stop(self, run: RunArgument, home: HomeOption = None) -> None:
        """Stop a run: its steps are ended, what finished is kept."""
        console = Console(highlight=False)
        with _told(), self._runs(home) as (runs, _server):
            found = _found(runs, run)
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
    for command in (commands.run, commands.runs, commands.logs, commands.stop):
        app.command(command.__name__, rich_help_panel="Pipelines")(command)


@contextmanager
def _told() -> Iterator[None]:
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


def _document(file: Path, pipeline: str, kfp_python: Callable[[], Path]) -> ir.PipelineDocument:
    content = read_package(file, pipeline, kfp_python)
    try:
        document = ir.load(packages.unpack(content))
        ir.validate(document)
    except PipelinesError as error:
        raise CommandError(f"{file}: {error.message}") from error
    return document


def _parameters(document: ir.PipelineDocument, given: Sequence[str]) -> Mapping[str, Any]:
    """`name=value` texts as values of the declared types; all of them checked before anything starts."""
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


def _parsed(parse: Callable[..., Any], option: str, text: str, example: str) -> Any:
    try:
        return parse(text, datetime.now(UTC)) if option == "--since" else parse(text)
    except ValueError as error:
        raise CommandError(f"{option} {text!r}: write it as {example}") from error


def _search_query(runs: Runs, pipeline: str, run: str, step: str, since: str) -> dict[str, str | int]:
    query: dict[str, str | int] = {}
    if run:
        query["run_id"] = _found(runs, run).run_id
    if pipeline:
        query["pipeline_id"] = runs.pipeline_id(pipeline)
        if not query["pipeline_id"]:
            raise CommandError(f"no pipeline is called {pipeline!r}")
    if step:
        query["step"] = step
    if since:
        query["since_time"] = since
    return query


def _found(runs: Runs, text: str) -> Run:
    run = runs.find(text)
    if run is None:
        raise CommandError(f"no run is called {text!r}; `sampan runs` lists them")
    return run


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
