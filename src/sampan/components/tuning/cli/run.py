"""`sampan tune run script.py`: a script's best parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from sampan.components.tuning.cli.frame import Reached, reach, told
from sampan.components.tuning.cli.spaces import read_params
from sampan.components.tuning.cli.watching import follow
from sampan.components.tuning.sdk import plan as plans
from sampan.components.tuning.sdk.plan import Plan, TuneError
from sampan.components.tuning.sdk.tune import Options, Templates
from sampan.console.frame import CommandError, HomeOption, NamespaceOption, Platform
from sampan.console.printing import print_document
from sampan.sent.sources import Sources, collect

_STYLES = ("equals", "space", "env")


@dataclass(frozen=True, slots=True)
class _Wanted:
    plan: Plan
    options: Options
    sources: Sources
    command: tuple[str, ...]


@dataclass(frozen=True)
class Run:
    """The command as typer sees it."""

    platform: Platform
    templates: Templates

    def run(  # noqa: PLR0913  a command's options
        self,
        script: Annotated[
            Path,
            typer.Argument(
                metavar="SCRIPT", help="Python that a trial runs; what follows is for it, always."
            ),
        ],
        arguments: Annotated[
            list[str] | None, typer.Argument(metavar="ARGUMENTS", help="Arguments of the script.")
        ] = None,
        param: Annotated[
            list[str] | None,
            typer.Option(
                "--param",
                "-p",
                metavar="NAME=SPACE",
                help="What is tuned: lr=log:1e-5..1e-1, layers=1..8, opt=sgd,adam. Several times.",
            ),
        ] = None,
        objective: Annotated[
            str,
            typer.Option("--objective", metavar="METRIC", help="What the script prints as METRIC=NUMBER."),
        ] = "objective",
        metric: Annotated[
            list[str] | None, typer.Option("--metric", help="A further metric to collect; several times.")
        ] = None,
        minimize: Annotated[bool, typer.Option("--minimize/--maximize", help="Which way is better.")] = False,
        goal: Annotated[float | None, typer.Option(help="Good enough: the experiment ends there.")] = None,
        most: Annotated[int, typer.Option("--max", "-n", min=1, help="How many trials.")] = 20,
        parallel: Annotated[int, typer.Option("--parallel", "-j", min=1, help="How many at a time.")] = 2,
        failures: Annotated[
            int | None, typer.Option(min=0, help="Failed trials that end it. \\[default: --max]")
        ] = None,
        algorithm: Annotated[str, typer.Option(help="tpe, random, grid, cmaes, …")] = "tpe",
        setting: Annotated[
            list[str] | None,
            typer.Option("--setting", metavar="NAME=VALUE", help="Of the algorithm; several times."),
        ] = None,
        seed: Annotated[int | None, typer.Option(help="The same one gives the same suggestions.")] = None,
        early_stopping: Annotated[str, typer.Option("--early-stopping", help="medianstop, asha, …")] = "",
        style: Annotated[
            str,
            typer.Option(
                "--as", help="How the script gets them: equals (--lr=1), space (--lr 1) or env (LR)."
            ),
        ] = "equals",
        where: Annotated[
            str, typer.Option("--kind", help="Of the trials' jobs: job, pytorchjob, trainjob, …")
        ] = "job",
        nodes: Annotated[int, typer.Option("--nodes", min=1, max=1000, help="Of each trial.")] = 1,
        nproc: Annotated[int | None, typer.Option("--nproc", min=1, help="Processes on each node.")] = None,
        runtime: Annotated[str, typer.Option(help="Of a trainjob.")] = "",
        image: Annotated[str, typer.Option(help="\\[default: a Python, or the framework's]")] = "",
        package: Annotated[
            list[str] | None, typer.Option("--package", help="To install before; several times.")
        ] = None,
        include: Annotated[
            list[Path] | None,
            typer.Option(help="A file or folder that comes along, beside what the script imports."),
        ] = None,
        env: Annotated[
            list[str] | None, typer.Option("--env", "-e", metavar="NAME=VALUE", help="Several times.")
        ] = None,
        cpu: Annotated[str, typer.Option(help="Of each trial, as 2 or 500m.")] = "",
        memory: Annotated[str, typer.Option(help="Of each trial, as 4Gi.")] = "",
        gpu: Annotated[int, typer.Option(min=0, help="Of each trial.")] = 0,
        timeout: Annotated[int | None, typer.Option(min=1, help="Seconds that a trial may take.")] = None,
        name: Annotated[str, typer.Option(help="\\[default: the script's, and five letters]")] = "",
        namespace: NamespaceOption = "",
        detach: Annotated[bool, typer.Option("--detach", "-d", help="Return at once.")] = False,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be created.")] = False,
        form: Annotated[
            str, typer.Option("--output-format", "-o", help="Of --dry-run: yaml or json.")
        ] = "yaml",
        home: HomeOption = None,
    ) -> None:
        """Search for the best parameters of a script, and follow the search.

        Each trial is a job that runs the script with parameters of its own.

        What it prints as METRIC=NUMBER is collected. Ends with 0 if the experiment succeeds.
        """
        console = Console(highlight=False)
        with told():
            space = read_params(param or ())
            if style not in _STYLES:
                raise TuneError(f"--as {style!r}: it is one of {', '.join(_STYLES)}")
            sources = collect(script, tuple(include or ()))
            settings = _pairs("--setting", setting)
            if seed is not None:
                settings["random_state"] = str(seed)
            plan = Plan(
                name=plans.check_name(name) if name else plans.made_name(script.stem),
                namespace="",
                space=space,
                objective=plans.read_objective(
                    [objective, *(metric or ())], "minimize" if minimize else "maximize", goal
                ),
                algorithm=plans.Algorithm(algorithm, settings),
                budget=plans.read_budget(most, parallel, failures),
                early_stopping=plans.Algorithm(early_stopping) if early_stopping else None,
                metrics_format="",
            )
            variables = _pairs("--env", env)
            words, more = _told(list(space), style)
            options = Options(
                where=where,
                image=image,
                packages=tuple(package or ()),
                resources={"cpu": cpu, "memory": memory, "gpu": gpu},
                env={**variables, **more},
                nodes=nodes,
                processes=nproc,
                runtime=runtime,
                timeout_seconds=timeout,
            )
            command = ("python", sources.script, *(arguments or ()), *words)
            wanted = _Wanted(plan, options, sources, command)
            with reach(self.platform, home, namespace) as reached:
                self._start(console, reached, wanted, (dry_run, form, detach))

    def _start(
        self, console: Console, reached: Reached, wanted: _Wanted, how: tuple[bool, str, bool]
    ) -> None:
        dry_run, form, detach = how
        if detach and reached.server.own and not dry_run:
            raise CommandError("no server is running, so nothing would go on: start one with `sampan up`")
        plan = wanted.plan
        names = (plan.name, reached.namespace)
        template = self.templates(
            reached.session,
            wanted.options,
            names,
            wanted.command,
            wanted.sources.archive(),
            wanted.sources.imported,
        )
        experiment = plans.experiment_of(
            replace(plan, namespace=reached.namespace), template.run, template.container
        )
        if dry_run:
            print_document(console, [*template.code, experiment], form)
            return
        ref = reached.experiments.submit(experiment, template.code)
        console.print(
            f"[bold]{escape(ref.name)}[/]  {plan.algorithm.name}, {plan.budget.trials} trials of a "
            f"{template.run['kind']}, {plan.budget.parallel} at a time",
            soft_wrap=True,
        )
        if reached.server.own:
            console.print("[dim]No server is running: this one ends with the experiment.[/]")
        else:
            console.print(
                f"[dim]Watch it: {reached.server.url}/ui/tuning/experiments/{ref.namespace}/{ref.name}[/]",
                soft_wrap=True,
            )
        if detach:
            console.print(f"See it: sampan tune watch {ref.name}")
            return
        follow(console, reached, ref)


def _told(names: Sequence[str], style: str) -> tuple[list[str], dict[str, str]]:
    """Words of the command, and variables, with placeholders in them."""
    if style == "env":
        return [], {name.upper().replace("-", "_"): f"${{trialParameters.{name}}}" for name in names}
    if style == "space":
        return [word for name in names for word in (f"--{name}", f"${{trialParameters.{name}}}")], {}
    return [f"--{name}=${{trialParameters.{name}}}" for name in names], {}


def _pairs(option: str, given: Sequence[str] | None) -> dict[str, str]:
    """`NAME=VALUE` each. Raises TuneError."""
    found = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise TuneError(f"{option} {text!r}: write it as NAME=VALUE")
        found[name] = value
    return found
