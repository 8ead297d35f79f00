"""`sampan tune list`, `create`, `get`, `watch`, `trials`, `edit`, `stop`, `resume`, `delete`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sampan.components.tuning.api import kinds
from sampan.components.tuning.api.summary import State, Summary, TrialState
from sampan.components.tuning.cli.frame import (
    ExperimentArgument,
    Reached,
    reach,
    told,
)
from sampan.components.tuning.cli.watching import follow
from sampan.components.tuning.sdk.experiments import Ref
from sampan.components.tuning.sdk.progress import best_text, figure, foot, state_text, table, waiting_for
from sampan.console.frame import (
    CommandError,
    EverywhereOption,
    FormOption,
    HomeOption,
    NamespaceOption,
    Platform,
    check_form,
    one_of,
)
from sampan.console.printing import age, local_time, print_as, print_document
from sampan.kube import meta

_LABEL = 11
"""How wide the words before what `get` shows are."""


@dataclass(frozen=True)
class Acts:
    """The commands as typer sees them."""

    platform: Platform

    def list_experiments(
        self,
        state: Annotated[str, typer.Option(help="In one state only: running, succeeded, failed, …")] = "",
        limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many, newest first.")] = 50,
        everywhere: EverywhereOption = False,
        form: FormOption = "table",
        namespace: NamespaceOption = "",
        home: HomeOption = None,
    ) -> None:
        """List experiments, newest first."""
        console = Console(highlight=False)
        with told():
            check_form(form)
            wanted = one_of("--state", state, State)
            with reach(self.platform, home, namespace) as reached:
                found = reached.experiments.newest(None if everywhere else reached.namespace)
                found = [each for each in found if wanted in (None, each.state)][:limit]
                print_as(
                    console,
                    form,
                    table=lambda: _print_list(console, found, namespaces=everywhere),
                    names=lambda: [f"experiment/{each.name}" for each in found],
                    document=lambda: [
                        reached.experiments.get(Ref(each.namespace, each.name)) for each in found
                    ],
                )

    def create(
        self,
        file: Annotated[
            Path, typer.Option("--filename", "-f", help="An Experiment as YAML or JSON; - for stdin.")
        ],
        watch: Annotated[bool, typer.Option("--watch", "-w", help="Follow it.")] = False,
        namespace: NamespaceOption = "",
        home: HomeOption = None,
    ) -> None:
        """Create an experiment that is written down. What else is in the file is created with it."""
        console = Console(highlight=False)
        with told():
            documents = _read(file)
            with reach(self.platform, home, namespace) as reached:
                made = [_created(reached, each, namespace) for each in documents]
                for each in made:
                    console.print(f"{each} created", markup=False)
                if watch:
                    for each in made:
                        follow(console, reached, each)

    def get(
        self,
        experiment: ExperimentArgument,
        form: FormOption = "table",
        namespace: NamespaceOption = "",
        home: HomeOption = None,
    ) -> None:
        """Show an experiment: its state, how far it is, the best trial, and what it waits for."""
        console = Console(highlight=False)
        with told():
            check_form(form)
            with reach(self.platform, home, namespace) as reached:
                ref = reached.find(experiment)
                print_as(
                    console,
                    form,
                    table=lambda: _print_one(console, reached.experiments.summary(ref)),
                    names=lambda: [str(ref)],
                    document=lambda: reached.experiments.get(ref),
                )

    def watch(
        self, experiment: ExperimentArgument, namespace: NamespaceOption = "", home: HomeOption = None
    ) -> None:
        """Follow an experiment: its trials, how far it is, and the best so far. Ends with 0 if it succeeds."""
        console = Console(highlight=False)
        with told(), reach(self.platform, home, namespace) as reached:
            follow(console, reached, reached.find(experiment))

    def trials(  # noqa: PLR0913  a command's options
        self,
        experiment: ExperimentArgument,
        state: Annotated[
            str, typer.Option(help="In one state only: succeeded, failed, earlystopped, …")
        ] = "",
        sort: Annotated[str, typer.Option(help="best: by the objective; new: the newest first.")] = "",
        limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many.")] = 200,
        form: FormOption = "table",
        namespace: NamespaceOption = "",
        home: HomeOption = None,
    ) -> None:
        """List the trials of an experiment, as they came."""
        console = Console(highlight=False)
        with told():
            check_form(form)
            wanted = one_of("--state", state, TrialState)
            if sort not in ("", "best", "new"):
                raise CommandError(f"--sort {sort!r}: it is best or new")
            with reach(self.platform, home, namespace) as reached:
                ref = reached.find(experiment)
                if form in ("yaml", "json"):
                    print_document(console, reached.experiments.trial_objects(ref), form)
                    return
                summary = reached.experiments.summary(ref)
                found = [each for each in reached.experiments.trials(ref) if wanted in (None, each.state)]
                found = _sorted(found, summary, sort)[:limit]
                if form == "name":
                    for each in found:
                        console.out(f"trial/{each.name}")
                elif not found:
                    console.print("No trials.")
                else:
                    console.print(table(summary, found, names=True))
                    for each in found:
                        if each.message and each.state in (TrialState.FAILED, TrialState.METRICS_UNAVAILABLE):
                            console.print(
                                Text.assemble((f"{each.name}: ", "red"), each.message), soft_wrap=True
                            )

    def edit(
        self,
        experiment: ExperimentArgument,
        most: Annotated[int | None, typer.Option("--max-trials", min=1, help="maxTrialCount.")] = None,
        parallel: Annotated[int | None, typer.Option("--parallel", min=1, help="parallelTrialCount.")] = None,
        failures: Annotated[
            int | None, typer.Option("--max-failed", min=0, help="maxFailedTrialCount.")
        ] = None,
        namespace: NamespaceOption = "",
        home: HomeOption = None,
    ) -> None:
        """Change how many trials an experiment may have; one that has had all of them goes on."""
        with told():
            counts = {
                "maxTrialCount": most,
                "parallelTrialCount": parallel,
                "maxFailedTrialCount": failures,
            }
            if all(value is None for value in counts.values()):
                raise CommandError("say what to change: --max-trials, --parallel or --max-failed")
            with reach(self.platform, home, namespace) as reached:
                ref = reached.find(experiment)
                reached.experiments.edit(ref, counts)
                Console(highlight=False).print(f"{ref} edited", markup=False)

    def stop(
        self, experiment: ExperimentArgument, namespace: NamespaceOption = "", home: HomeOption = None
    ) -> None:
        """End an experiment and what runs of it. What it has found stays."""
        with told(), reach(self.platform, home, namespace) as reached:
            ref = reached.find(experiment)
            reached.experiments.stop(ref)
            Console(highlight=False).print(
                f"{ref} stopped; on again: sampan tune resume {ref.name} --trials 10", markup=False
            )

    def resume(
        self,
        experiment: ExperimentArgument,
        trials: Annotated[int, typer.Option("--trials", "-n", min=1, help="How many more.")] = 10,
        namespace: NamespaceOption = "",
        home: HomeOption = None,
    ) -> None:
        """Let an experiment that was stopped, or has had all its trials, have more."""
        with told(), reach(self.platform, home, namespace) as reached:
            ref = reached.find(experiment)
            reached.experiments.resume(ref, trials)
            Console(highlight=False).print(
                f"{ref} goes on; watch it: sampan tune watch {ref.name}", markup=False
            )

    def delete(
        self,
        experiments: Annotated[list[str], typer.Argument(metavar="EXPERIMENT", help="Experiments' names.")],
        namespace: NamespaceOption = "",
        home: HomeOption = None,
    ) -> None:
        """Delete experiments with their trials."""
        with told(), reach(self.platform, home, namespace) as reached:
            refs = [reached.find(each) for each in experiments]
            for ref in refs:
                reached.experiments.delete(ref)
                Console(highlight=False).print(f"{ref} deleted", markup=False)


def _print_list(console: Console, found: list[Summary], *, namespaces: bool) -> None:
    if not found:
        console.print("No experiments. Start one: sampan tune run --param lr=log:1e-5..1e-1 script.py")
        return
    columns = ["name", "state", "trials", "algorithm", "objective", "best", "age"]
    shown = Table(*(["namespace"] * namespaces), *columns, box=None, header_style="bold", pad_edge=False)
    for each in found:
        count = f"{each.done}/{each.most_trials}" if each.most_trials else str(each.done)
        best = each.best.values.get(each.objective.metric, "") if each.best is not None else ""
        shown.add_row(
            *([each.namespace] * namespaces),
            Text(each.name),
            state_text(each.state),
            count,
            Text(each.algorithm),
            Text(each.objective.metric),
            Text(figure(best)),
            age(each.created),
        )
    console.print(shown)


def _print_one(console: Console, summary: Summary) -> None:
    counts = ", ".join(f"{count} {state.value.lower()}" for state, count in summary.counts.items())
    rows: list[tuple[str, Any]] = [
        ("namespace", summary.namespace),
        ("state", state_text(summary.state)),
        # What it waits for stands below.
        ("why", "" if summary.best is None and waiting_for(summary) else summary.message),
        ("algorithm", summary.algorithm),
        ("stopping", summary.early_stopping),
        ("objective", f"{summary.objective.type} {summary.objective.metric}" + _goal(summary)),
        (
            "trials",
            f"{summary.done} of {summary.most_trials or 'any number'}" + (f": {counts}" if counts else ""),
        ),
        ("at a time", str(summary.parallel)),
        ("created", local_time(summary.created)),
        ("ended", local_time(summary.ended)),
    ]
    console.print(Text(summary.name, "bold"))
    for name, value in rows:
        if value:
            console.print(Text.assemble((f"  {name:<{_LABEL}}", "dim"), value), soft_wrap=True)
    if summary.best is not None:
        console.print(Text.assemble("  ", best_text(summary, width=_LABEL)), soft_wrap=True)
    else:
        console.print(foot(summary))


def _goal(summary: Summary) -> str:
    return f", until {summary.objective.goal:g}" if summary.objective.goal is not None else ""


def _sorted(found: list[Any], summary: Summary, sort: str) -> list[Any]:
    if sort == "new":
        return found[::-1]
    if sort == "best":
        sign = -1 if summary.objective.type == "maximize" else 1
        metric = summary.objective.metric

        def key(trial: Any) -> tuple[bool, float]:
            try:
                return False, sign * float(trial.values.get(metric, ""))
            except ValueError:
                return True, 0.0

        return sorted(found, key=key)
    return found


def _read(file: Path) -> list[Any]:
    """Raises CommandError."""
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        found = [each for each in yaml.safe_load_all(text) if each is not None]
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise CommandError(f"{file} is no YAML: {error}") from error
    for each in found:
        if not isinstance(each, dict) or each.get("kind") != kinds.EXPERIMENTS.kind:
            kind = each.get("kind") if isinstance(each, dict) else type(each).__name__
            raise CommandError(f"{file}: only Experiments are created so, not {kind}; use kubectl create")
    if not found:
        raise CommandError(f"{file} holds no Experiment")
    return found


def _created(reached: Reached, document: Any, namespace: str) -> Ref:
    metadata = document.setdefault("metadata", {})
    if not isinstance(metadata, dict):
        raise CommandError("metadata must be an object")
    if namespace or not metadata.get("namespace"):
        metadata["namespace"] = reached.namespace
    document.setdefault("apiVersion", kinds.EXPERIMENTS.api_version)
    made = reached.session.create(kinds.EXPERIMENTS, document)
    return Ref(meta.namespace(made), meta.name(made))
