"""The commands themselves. The assembly of the command line hands in how to reach a server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.cli.failed import FailedRuns
from sampan.components.pipelines.cli.frame import Platform, find_run, read_document, read_parameters, told
from sampan.components.pipelines.cli.output import print_runs
from sampan.components.pipelines.cli.session import (
    POLL_SECONDS,
    ParamOption,
    RunArgument,
    check_detach,
    open_runs,
    start_and_follow,
)
from sampan.console.frame import CommandError, HomeOption

_STOP_SECONDS = 60.0


@dataclass(frozen=True)
class Commands:
    """The commands as typer sees them."""

    platform: Platform

    def run(  # noqa: PLR0913  a command's options
        self,
        file: Annotated[
            Path,
            typer.Argument(
                metavar="FILE",
                help="Python with @dsl.pipeline, compiled YAML, zip, tar.gz, or an Argo Workflow.",
            ),
        ],
        param: ParamOption = None,
        name: Annotated[str, typer.Option(help="The run's name. \\[default: the pipeline's]")] = "",
        pipeline: Annotated[str, typer.Option(help="Which pipeline of a Python file with several.")] = "",
        detach: Annotated[bool, typer.Option("--detach", "-d", help="Start it and return.")] = False,
        pause_on_failure: Annotated[
            bool, typer.Option("--pause-on-failure", help="Wait for a word from you when a step has failed.")
        ] = False,
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
            with open_runs(self.platform, home) as (runs, server):
                check_detach(server, detach)
                if server.own:
                    console.print("[dim]No server is running: this one ends with the run.[/]")
                title = name or document.name
                run = runs.submit(
                    document.to_json(), title, parameters=parameters, pause_on_failure=pause_on_failure
                )
                start_and_follow(console, (runs, server), run, detach=detach)

    def runs(
        self,
        context: typer.Context,
        limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many, newest first.")] = 20,
        home: HomeOption = None,
    ) -> None:
        """List runs, newest first; or go on with one that has failed."""
        if context.invoked_subcommand:
            return
        with told(), open_runs(self.platform, home) as (runs, _server):
            print_runs(Console(highlight=False), runs.newest(limit))

    def stop(self, run: RunArgument, home: HomeOption = None) -> None:
        """Stop a run: its steps are ended, exit handlers run, what finished is kept.

        A second time it ends exit handlers too. A paused run fails for good.
        """
        console = Console(highlight=False)
        with told(), open_runs(self.platform, home) as (runs, _server):
            found = find_run(runs, run)
            if found.state.is_final:
                raise CommandError(f"{found.name} has already ended: {found.state.lower()}")
            again = found.state is RuntimeState.CANCELING
            runs.terminate(found.run_id)
            if not again:
                console.print("[dim]Its exit handlers may still run; `sampan stop` again ends those too.[/]")
            ended = runs.wait(found.run_id, timeout_seconds=_STOP_SECONDS, poll_seconds=POLL_SECONDS)
            console.print(f"{ended.name}: {ended.state.lower()}", markup=False)


def register(app: typer.Typer, platform: Platform) -> None:
    """Adds the commands to the command line."""
    commands = Commands(platform)
    for command in (commands.run, commands.stop):
        app.command(command.__name__, rich_help_panel="Pipelines")(command)
    group = typer.Typer(invoke_without_command=True)
    group.callback()(commands.runs)
    FailedRuns(platform).add_to(group)
    app.add_typer(group, name="runs", rich_help_panel="Pipelines")
