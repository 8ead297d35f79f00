"""Commands for runs that have failed: try again, go on with mended code, continue a paused one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.cli import documents
from sampan.components.pipelines.cli.documents import Document
from sampan.components.pipelines.cli.frame import Platform, find_run, read_document, read_parameters, told
from sampan.components.pipelines.cli.plans import print_plan
from sampan.components.pipelines.cli.session import (
    ParamOption,
    RunArgument,
    check_detach,
    open_runs,
    start_and_follow,
)
from sampan.components.pipelines.sdk import Change, Run, Runs
from sampan.console.frame import CommandError, HomeOption

DetachOption = Annotated[bool, typer.Option("--detach", "-d", help="Start it and return.")]
FromOption = Annotated[
    Path | None,
    typer.Option("--from-pipeline", "-f", metavar="FILE", help="The new version: Python, YAML, zip, tar.gz."),
]
PipelineOption = Annotated[str, typer.Option(help="Which pipeline of a Python file with several.")]
StepOption = Annotated[
    list[str] | None,
    typer.Option(
        "--step",
        metavar="STEP.WHAT=VALUE",
        help="Of one step: image, cpu, memory or env.NAME. STEP may be left out where one has failed.",
    ),
]


@dataclass(frozen=True)
class FailedRuns:
    platform: Platform

    def add_to(self, group: typer.Typer) -> None:
        group.command("resume")(self.resume)
        group.command("retry")(self.retry)
        group.command("continue")(self.proceed)

    def resume(  # noqa: PLR0913  a command's options
        self,
        run: RunArgument,
        from_pipeline: FromOption = None,
        pipeline: PipelineOption = "",
        param: ParamOption = None,
        step: StepOption = None,
        name: Annotated[str, typer.Option(help="The new run's name.")] = "",
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would run.")] = False,
        detach: DetachOption = False,
        home: HomeOption = None,
    ) -> None:
        """Go on from a run that has ended, as a new run, with another version of its pipeline.

        What succeeded and is unchanged is reused; what changed or failed, and all that comes after it, runs.
        """
        console = Console(highlight=False)
        with told(), open_runs(self.platform, home) as session:
            runs, server = session
            found = find_run(runs, run)
            document = self._document(console, from_pipeline, pipeline, home)
            change = Change(
                spec=document.to_json() if document else None,
                parameters=_parameters(runs, found, document, param or []),
                steps=_step_changes(runs, found, step or []),
            )
            if dry_run:
                print_plan(console, runs.plan_resume(found.run_id, change))
                return
            check_detach(server, detach)
            new, plan = runs.resume(found.run_id, change, name=name)
            print_plan(console, plan)
            console.print()
            start_and_follow(console, session, new, detach=detach)

    def retry(self, run: RunArgument, detach: DetachOption = False, home: HomeOption = None) -> None:
        """Run a failed or stopped run's failed steps again, in the same run; what finished is kept."""
        console = Console(highlight=False)
        with told(), open_runs(self.platform, home) as session:
            runs, server = session
            found = find_run(runs, run)
            check_detach(server, detach)
            runs.retry(found.run_id)
            start_and_follow(console, session, found, detach=detach)

    def proceed(
        self,
        run: RunArgument,
        from_pipeline: FromOption = None,
        pipeline: PipelineOption = "",
        step: StepOption = None,
        detach: DetachOption = False,
        home: HomeOption = None,
    ) -> None:
        """Let a paused run go on: its failed steps run again, with what is changed in them."""
        console = Console(highlight=False)
        with told(), open_runs(self.platform, home) as session:
            runs, server = session
            found = find_run(runs, run)
            if found.state is not RuntimeState.PAUSED:
                raise CommandError(
                    f"{found.name} is {found.state.lower()}; only a paused run can be continued"
                )
            document = self._document(console, from_pipeline, pipeline, home)
            check_detach(server, detach)
            steps = _step_changes(runs, found, step or [])
            runs.proceed(found.run_id, Change(spec=document.to_json() if document else None, steps=steps))
            start_and_follow(console, session, found, detach=detach)

    def _document(
        self, console: Console, file: Path | None, pipeline: str, home: Path | None
    ) -> Document | None:
        if file is None:
            return None
        with console.status("Reading the pipeline …") as status:

            def kfp_python() -> Path:
                status.update("Getting the kfp SDK, since this Python has none …")
                return self.platform.kfp_python(home)

            return read_document(file, pipeline, kfp_python)


def _parameters(runs: Runs, run: Run, document: Document | None, given: Sequence[str]) -> Mapping[str, Any]:
    """Of their declared types. What the run had already counts on, so nothing has to be said twice."""
    if not given:
        return {}
    return read_parameters(document or documents.of(runs.specification(run)), given, complete=False)


def _step_changes(runs: Runs, run: Run, given: Sequence[str]) -> dict[str, dict[str, Any]]:
    changes: dict[str, dict[str, Any]] = {}
    for text in given:
        what, equals, value = text.partition("=")
        step, dot, key = what.rpartition(".env.") if ".env." in what else what.rpartition(".")
        if what.startswith("env."):
            step, dot, key = "", ".env.", what.removeprefix("env.")
        is_env = dot == ".env."
        if not equals or not value or (not is_env and key not in ("image", "cpu", "memory")):
            raise CommandError(
                f"--step {text!r}: write it as STEP.image=IMAGE; image, cpu, memory and env.NAME can be changed"
            )
        change = changes.setdefault(step or _failed_step(runs, run), {})
        if is_env:
            change.setdefault("env", {})[key] = value
        else:
            change[key] = value
    return changes


def _failed_step(runs: Runs, run: Run) -> str:
    tasks = runs.tasks(run.run_id)
    failed = {task.path.removeprefix("root.").replace(".", "/") for task in tasks
              if task.is_step and task.state is RuntimeState.FAILED}  # fmt: skip
    places = {"/".join(part for part in path.split("/") if not part.isdigit()) for path in failed}
    if len(places) != 1:
        raise CommandError(
            f"--step: name the step, as in STEP.image=…; {len(places) or 'none'} of {run.name}'s steps have failed"
        )
    return places.pop()
