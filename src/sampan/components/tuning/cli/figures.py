"""`sampan tune best`, `logs`, `curve`, `importance`: what the web API of tuning knows (docs/tuning-api.md)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sampan.components.tuning.cli.frame import ExperimentArgument, Reached, reach, told
from sampan.components.tuning.sdk.experiments import Ref
from sampan.console.frame import INTERRUPTED, CommandError, HomeOption, NamespaceOption, Platform, check_form
from sampan.kube.errors import NotFoundError

_FORMS = ("json", "yaml", "env", "run", "experiment")
_TICKS = "▁▂▃▄▅▆▇█"
TrialArgument = Annotated[
    str, typer.Argument(metavar="TRIAL", help="A trial's name, or an experiment's for its best trial.")
]


@dataclass(frozen=True)
class Figures:
    """The commands as typer sees them."""

    platform: Platform

    def best(
        self,
        experiment: ExperimentArgument,
        form: Annotated[
            str,
            typer.Option(
                "--as",
                help="yaml, json or env: the parameters; run: the job with them; experiment: to do it again.",
            ),
        ] = "yaml",
        trial: Annotated[str, typer.Option(help="Another trial than the best.")] = "",
        namespace: NamespaceOption = "",
        home: HomeOption = None,
    ) -> None:
        """Print the best parameters, ready for use."""
        console = Console(highlight=False)
        with told():
            check_form(form, _FORMS, "--as")
            with reach(self.platform, home, namespace) as reached:
                ref = reached.find(experiment)
                query = {"as": form, **({"trial": trial} if trial else {})}
                try:
                    lines = list(reached.session.stream_lines(f"{_path(ref)}/best", query, "*/*"))
                except NotFoundError as error:
                    raise CommandError(f"{ref} has no best trial yet: {error.message}") from error
                console.out("\n".join(line.decode() for line in lines).rstrip(), highlight=False)

    def logs(
        self,
        trial: TrialArgument,
        tail: Annotated[int | None, typer.Option(min=0, help="The last lines.")] = None,
        follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until it has ended.")] = False,
        container: Annotated[
            str, typer.Option("--container", "-c", help="\\[default: the one that trains]")
        ] = "",
        namespace: NamespaceOption = "",
        home: HomeOption = None,
    ) -> None:
        """Print what a trial has printed, also when its pods are gone."""
        console = Console(highlight=False)
        with told(), reach(self.platform, home, namespace) as reached:
            name = _trial(reached, trial)
            query = {"container": container, "follow": "true" if follow else ""}
            query["tail"] = "" if tail is None else str(tail)
            asked = {key: value for key, value in query.items() if value}
            path = f"/tuning/v1/namespaces/{quote(reached.namespace)}/trials/{quote(name)}/log"
            try:
                for line in reached.session.stream_lines(path, asked, "text/plain"):
                    console.out(line.decode(errors="replace"), highlight=False)
            except KeyboardInterrupt:
                raise typer.Exit(INTERRUPTED) from None

    def curve(
        self,
        trial: TrialArgument,
        metric: Annotated[
            list[str] | None, typer.Option("--metric", help="\\[default: all]; several times.")
        ] = None,
        form: Annotated[str, typer.Option("--output", "-o", help="chart or json.")] = "chart",
        namespace: NamespaceOption = "",
        home: HomeOption = None,
    ) -> None:
        """Draw what a trial has measured on its way."""
        console = Console(highlight=False)
        with told(), reach(self.platform, home, namespace) as reached:
            name = _trial(reached, trial)
            path = f"/tuning/v1/namespaces/{quote(reached.namespace)}/trials/{quote(name)}/curves"
            answer = reached.session.read(path, own=True)
            curves = {key: each for key, each in _curves(answer, name).items() if not metric or key in metric}
            if form == "json":
                console.out(json.dumps(curves, indent=2), highlight=False)
                return
            if not curves:
                console.print(f"{name} has measured nothing{' of that' if metric else ''} yet.")
            for key, each in curves.items():
                _draw(console, key, each)

    def importance(
        self,
        experiment: ExperimentArgument,
        metric: Annotated[str, typer.Option("--metric", help="\\[default: the objective]")] = "",
        form: Annotated[str, typer.Option("--output", "-o", help="chart or json.")] = "chart",
        namespace: NamespaceOption = "",
        home: HomeOption = None,
    ) -> None:
        """Show how much each parameter matters."""
        console = Console(highlight=False)
        with told(), reach(self.platform, home, namespace) as reached:
            ref = reached.find(experiment)
            query = {"metric": metric} if metric else {}
            answer = reached.session.read(f"{_path(ref)}/importances", query, own=True)
            if form == "json":
                console.out(json.dumps(answer, indent=2), highlight=False)
                return
            found = answer.get("importances") or []
            if not found:
                console.print(str(answer.get("why") or "It cannot be told yet."), soft_wrap=True)
                return
            table = Table(box=None, show_header=False, pad_edge=False)
            for each in found:
                share = float(each["importance"])
                table.add_row(
                    Text(str(each["parameter"])), Text("█" * round(share * 40), "blue"), f"{share:.0%}"
                )
            console.print(f"[dim]For {answer.get('metric')}, from {answer.get('trials')} trials:[/]")
            console.print(table)


def _path(ref: Ref) -> str:
    return f"/tuning/v1/namespaces/{quote(ref.namespace)}/experiments/{quote(ref.name)}"


def _trial(reached: Reached, name: str) -> str:
    """Of an experiment its best trial, or its last where there is no best. Raises CommandError, also where there is
    neither of that name."""
    plain = name.removeprefix("trial/")
    ref = Ref(reached.namespace, plain.removeprefix("experiment/"))
    if not reached.experiments.exists(ref):
        if not reached.experiments.has_trial(Ref(reached.namespace, plain)):
            raise CommandError(f"no trial or experiment in namespace {reached.namespace} is called {plain!r}")
        return plain
    summary = reached.experiments.summary(ref)
    if summary.best is not None:
        return summary.best.trial
    found = reached.experiments.trials(ref)
    if not found:
        raise CommandError(f"{ref} has no trials yet")
    return found[-1].name


def _curves(answer: Any, trial: str) -> dict[str, Any]:
    found = (answer.get("trials") or {}).get(trial) or {}
    return {str(name): each for name, each in found.items()}


def _draw(console: Console, name: str, curve: Any) -> None:
    values = [each for each in curve.get("value") or () if each is not None]
    if not values:
        return
    width = max(min(console.size.width - 40, 100), 20)
    line = _ticks(_thinned(values, width))
    of = curve.get("of") or len(values)
    console.print(
        Text.assemble(
            (f"{name:<14}", "bold"),
            (line, "blue"),
            f"  {values[-1]:.6g}",
            (f"  from {min(values):.6g} to {max(values):.6g}, {of} values", "dim"),
        ),
        soft_wrap=True,
    )


def _thinned(values: Sequence[float], width: int) -> list[float]:
    if len(values) <= width:
        return list(values)
    return [values[round(at * (len(values) - 1) / (width - 1))] for at in range(width)]


def _ticks(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    room = high - low
    if room <= 0:
        return _TICKS[3] * len(values)
    return "".join(_TICKS[round((each - low) / room * (len(_TICKS) - 1))] for each in values)
