"""An experiment as it goes on, at a terminal, and what becomes of it when its user goes away."""

from __future__ import annotations

import typer
from rich.console import Console

from sampan.components.tuning.api.summary import State, TrialState
from sampan.components.tuning.cli.frame import Reached
from sampan.components.tuning.sdk.experiments import Ref
from sampan.components.tuning.sdk.progress import show
from sampan.console.frame import INTERRUPTED
from sampan.kube.errors import NotFoundError


def follow(console: Console, reached: Reached, ref: Ref) -> None:
    """Raises typer.Exit: 1 unless it succeeds, 130 when the user goes away."""
    try:
        summary = show(reached.experiments, ref, console)
    except KeyboardInterrupt:
        if reached.server.own:
            console.print("\n[dim]The server was started for this experiment, and ends with it.[/]")
            reached.experiments.stop(ref)
        else:
            console.print(f"\nThe experiment goes on. Back to it: sampan tune watch {ref.name}")
            console.print(f"Stop it: sampan tune stop {ref.name}")
        raise typer.Exit(INTERRUPTED) from None
    except NotFoundError:
        console.print(f"[yellow]{ref.name} was deleted.[/]")
        raise typer.Exit(1) from None
    if summary.state is not State.SUCCEEDED:
        if summary.counts.get(TrialState.METRICS_UNAVAILABLE):
            metric = summary.objective.metric
            console.print(
                f"What a trial measures it prints as {metric}=0.93, on a line of its own; --objective names another.",
                markup=False,
            )
        console.print(f"[dim]More: sampan tune trials {ref.name}, sampan tune logs TRIAL[/]")
        raise typer.Exit(1)
    console.print(f"[dim]Use it: sampan tune best {ref.name} --as yaml|env|run[/]")
