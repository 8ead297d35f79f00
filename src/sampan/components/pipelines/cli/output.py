"""What the commands print: the end of a run, the list of runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.cli.logs import log_lines
from sampan.components.pipelines.cli.steps import Result, Step, duration, results, steps
from sampan.components.pipelines.sdk import Run, Runs

_STYLES = {
    RuntimeState.SUCCEEDED: "green",
    RuntimeState.FAILED: "bold red",
    RuntimeState.CANCELED: "yellow",
    RuntimeState.RUNNING: "blue",
}
_LOG_TAIL = 40


def print_outcome(console: Console, runs: Runs, run: Run) -> None:
    """Results as a table, or the log of what failed; then one line that says how it ended."""
    raw = [task.raw for task in runs.tasks(run.run_id)]
    shown = steps(raw)
    for step in shown:
        if step.state == "FAILED":
            _print_failure(console, runs, run, step)
    lines = results(raw)
    if lines:
        _print_results(console, lines)
    took = duration(_seconds(run))
    console.print()
    console.print(Text.assemble((run.state.value.lower(), _STYLES.get(run.state, "")), f" after {took}"))
    if run.error and run.state is not RuntimeState.SUCCEEDED:
        console.print(_first_line(run.error), soft_wrap=True, markup=False)


def _print_results(console: Console, lines: Sequence[Result]) -> None:
    """By step. Values are left to the terminal to wrap, so that a path can be copied whole."""
    names = max(len(line.name) for line in lines)
    kinds = max(len(line.kind) for line in lines)
    step = ""
    for line in lines:
        if line.step != step:
            step = line.step
            console.print(Text.assemble("\n", (step, "bold")))
        shown = Text.assemble(
            f"  {line.name:<{names}}  ", (f"{line.kind:<{kinds}}", "dim"), f"  {line.value}"
        )
        console.print(shown, soft_wrap=True)


def _print_failure(console: Console, runs: Runs, run: Run, step: Step) -> None:
    console.print(Text.assemble("\n", (f"{step.label} failed", "bold red")))
    lines = list(log_lines(runs, run, step.pods[-1])) if step.pods else []
    if step.message:
        # The message quotes the end of the log, which stands below in full.
        console.print(_first_line(step.message) if lines else step.message, soft_wrap=True, markup=False)
    if len(lines) > _LOG_TAIL:
        console.print(
            f"[dim]… {len(lines) - _LOG_TAIL} lines before: sampan logs {run.run_id[:8]} {step.name}[/]"
        )
    for line in lines[-_LOG_TAIL:]:
        console.print(Text.assemble(("  │ ", "dim"), line), soft_wrap=True)


def print_runs(console: Console, found: Sequence[Run]) -> None:
    if not found:
        console.print("No runs yet. Start one: sampan run pipeline.py")
        return
    table = Table("id", "name", "state", "started", "took", box=None, header_style="bold", pad_edge=False)
    for run in found:
        started = datetime.fromisoformat(run.created_at).astimezone()
        state = Text(run.state.value.lower(), _STYLES.get(run.state, ""))
        table.add_row(
            run.run_id[:8], Text(run.name), state, f"{started:%Y-%m-%d %H:%M:%S}", duration(_seconds(run))
        )
    console.print(table)


def _first_line(message: str) -> str:
    return message.partition("\n")[0].removesuffix("; the end of its log:")


def _seconds(run: Run) -> float:
    end = datetime.fromisoformat(run.finished_at) if run.finished_at else datetime.now(UTC)
    return (end - datetime.fromisoformat(run.created_at)).total_seconds()
