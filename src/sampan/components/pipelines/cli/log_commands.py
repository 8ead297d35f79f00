"""`sampan logs` as typer sees it. What it does is in `logs`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console

from sampan.client.http import JsonClient
from sampan.components.pipelines.cli import logs
from sampan.components.pipelines.cli.frame import Platform, find_run, told
from sampan.components.pipelines.cli.steps import steps
from sampan.components.pipelines.sdk import Runs
from sampan.console.frame import CommandError, HomeOption


@dataclass(frozen=True)
class LogCommands:
    platform: Platform

    def logs(  # noqa: PLR0913  a command has a parameter for each of its options
        self,
        run: Annotated[
            str, typer.Argument(metavar="RUN", help="A run's name, its id, or the id's beginning.")
        ] = "",
        step: Annotated[
            str,
            typer.Argument(
                metavar="STEP", help="A step's name; several match in a loop. \\[default: all steps]"
            ),
        ] = "",
        follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run ends.")] = False,
        attempt: Annotated[
            int, typer.Option(min=0, help="Only this attempt. \\[default: all]", show_default=False)
        ] = 0,
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
        with told(), self.platform.connect(home) as server, JsonClient(server.url) as http:
            runs = Runs(http)
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
            found = find_run(runs, run)
            wanted = logs.Wanted(step, attempt, numbers, moment, tail, timestamps)
            if not logs.print_logs(console, runs, found, wanted, follow=follow):
                names = dict.fromkeys(
                    known.name for known in steps([task.raw for task in runs.tasks(found.run_id)])
                )
                asked = f"step {step!r}" if step else "steps"
                where = f" in iteration {iteration}" if iteration else ""
                raise CommandError(f"the run has no {asked}{where}; it has: {', '.join(names) or 'none yet'}")


def register(app: typer.Typer, platform: Platform) -> None:
    """Adds the command to the command line."""
    app.command("logs", rich_help_panel="Pipelines")(LogCommands(platform).logs)


def _parsed(parse: Callable[..., Any], option: str, text: str, example: str) -> Any:
    try:
        return parse(text, datetime.now(UTC)) if option == "--since" else parse(text)
    except ValueError as error:
        raise CommandError(f"{option} {text!r}: write it as {example}") from error


def _search_query(runs: Runs, pipeline: str, run: str, step: str, since: str) -> dict[str, str | int]:
    query: dict[str, str | int] = {}
    if run:
        query["run_id"] = find_run(runs, run).run_id
    if pipeline:
        query["pipeline_id"] = runs.pipeline_id(pipeline)
        if not query["pipeline_id"]:
            raise CommandError(f"no pipeline is called {pipeline!r}")
    if step:
        query["step"] = step
    if since:
        query["since_time"] = since
    return query
