"""An experiment as it goes on: a live table and a bar on a terminal, a line for each trial that ends elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sampan.components.tuning.api.summary import State, Summary, TrialState, TrialSummary, number
from sampan.components.tuning.sdk.experiments import Experiments, Ref

STYLES = {
    State.SUCCEEDED: "green",
    State.FAILED: "bold red",
    State.RUNNING: "blue",
    State.RESTARTING: "yellow",
}
MARKS = {
    TrialState.SUCCEEDED: ("✓", "green"),
    TrialState.EARLY_STOPPED: ("⊘", "yellow"),
    TrialState.RUNNING: ("●", "blue"),
    TrialState.PENDING: ("·", "dim"),
    TrialState.FAILED: ("✗", "bold red"),
    TrialState.METRICS_UNAVAILABLE: ("?", "bold red"),
    TrialState.KILLED: ("■", "yellow"),
}
_RUNNING = "Experiment is running"
"""What its condition says before it says more."""
_LOOK_SECONDS = 0.25
_LOOK_SHARE = 9
"""How much longer to wait than a look took: watching costs the server a tenth of its time at most."""


def show(experiments: Experiments, ref: Ref, console: Console | None = None) -> Summary:
    """Until it has ended. Raises ApiError, KeyboardInterrupt."""
    said = console or Console(highlight=False)
    with Progress(said) as progress:
        while True:
            asked = time.monotonic()
            summary = experiments.summary(ref)
            progress.update(summary, experiments.trials(ref))
            if summary.is_over:
                return summary
            time.sleep(max(_LOOK_SECONDS, _LOOK_SHARE * (time.monotonic() - asked)))


class Progress:
    """Use as a context manager; `update` at every look."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._seen: set[str] = set()
        self._said = ""
        self._summary: Summary | None = None
        self._trials: Sequence[TrialSummary] = ()
        self._live = (
            Live(get_renderable=self._view, console=console, refresh_per_second=4, transient=True)
            if console.is_terminal
            else None
        )

    def __enter__(self) -> Progress:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_error: object) -> None:
        if self._live is not None:
            self._live.stop()
        if self._summary is not None:
            print_end(self._console, self._summary)

    def update(self, summary: Summary, trials: Sequence[TrialSummary]) -> None:
        self._summary, self._trials = summary, trials
        if self._live is not None:
            return
        for each in trials:
            if each.state.is_finished and each.name not in self._seen:
                self._seen.add(each.name)
                self._console.print(line(each, summary), soft_wrap=True)
        waits = waiting_for(summary)
        if waits and waits != self._said:
            self._said = waits
            self._console.print(Text.assemble(("waits  ", "yellow"), waits), soft_wrap=True)

    def _view(self) -> RenderableType:
        if self._summary is None:
            return Text("")
        room = max(self._console.size.height - 8, 4)
        return view(self._summary, self._trials, room)


def waiting_for(summary: Summary) -> str:
    """Why it does not go on, in its condition's words; empty while trials run, and for one that has ended."""
    if summary.state.is_finished or summary.counts.get(TrialState.RUNNING):
        return ""
    return summary.message.removeprefix(_RUNNING).removeprefix(": ")


def view(summary: Summary, trials: Sequence[TrialSummary], limit: int) -> RenderableType:
    """At most `limit` trials: those that run, then the latest."""
    running = [each for each in trials if not each.state.is_finished]
    ended = [each for each in trials if each.state.is_finished]
    room = max(limit - len(running), 1)
    shown = [*ended[-room:], *running[: limit - 1]]
    return Group(head(summary), table(summary, shown), foot(summary))


def head(summary: Summary) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    bar = ProgressBar(
        total=summary.most_trials or None, completed=summary.done, width=30, pulse=not summary.most_trials
    )
    count = f"{summary.done}/{summary.most_trials}" if summary.most_trials else str(summary.done)
    took = duration(seconds_of(summary.started or summary.created, summary.ended))
    grid.add_row(Text(summary.name, "bold"), bar, count, state_text(summary.state), took)
    return grid


def foot(summary: Summary) -> RenderableType:
    parts: list[RenderableType] = []
    if summary.best is not None:
        parts.append(best_text(summary))
    if waits := waiting_for(summary):
        parts.append(Text.assemble(("waits  ", "yellow"), waits))
    return Group(*parts)


def table(summary: Summary, trials: Sequence[TrialSummary], *, names: bool = False) -> Table:
    parameters = [each.name for each in summary.parameters]
    found = Table(box=None, header_style="bold", pad_edge=False)
    found.add_column("")
    found.add_column("trial")
    found.add_column(summary.objective.metric, justify="right")
    for name in (*summary.objective.additional, *parameters):
        found.add_column(name, justify="right")
    found.add_column("took", justify="right")
    for each in trials:
        mark, style = MARKS[each.state]
        is_best = summary.best is not None and summary.best.trial == each.name
        metrics = (summary.objective.metric, *summary.objective.additional)
        found.add_row(
            Text(mark, style),
            Text(each.name if names else short(each.name, summary.name), "bold green" if is_best else ""),
            *(Text(figure(each.values.get(name, "")), "bold green" if is_best else "") for name in metrics),
            *(Text(figure(each.assignments.get(name, ""))) for name in parameters),
            duration(seconds_of(each.started, each.ended)) if each.started else "",
        )
    return found


def line(trial: TrialSummary, summary: Summary) -> Text:
    """A trial that has ended."""
    mark, style = MARKS[trial.state]
    metrics = (summary.objective.metric, *summary.objective.additional)
    values = [f"{name}={figure(trial.values[name])}" for name in metrics if trial.values.get(name)]
    parameters = ", ".join(f"{name}={figure(value)}" for name, value in trial.assignments.items())
    said = f"  {trial.message}" if trial.state not in (TrialState.SUCCEEDED, TrialState.EARLY_STOPPED) else ""
    return Text.assemble(
        "  ", (mark, style), f" {trial.name}  ", (" ".join(values), "bold"), f"  {parameters}", said
    )


def print_end(console: Console, summary: Summary) -> None:
    console.print()
    took = duration(seconds_of(summary.started or summary.created, summary.ended))
    counts = ", ".join(f"{count} {state.value.lower()}" for state, count in summary.counts.items())
    console.print(
        Text.assemble(state_text(summary.state), f" after {took}" + (f": {counts}" if counts else ""))
    )
    if summary.state is State.FAILED and summary.message:
        console.print(summary.message, soft_wrap=True, markup=False)
    if summary.best is not None:
        console.print(best_text(summary), soft_wrap=True)


def best_text(summary: Summary, width: int = 4) -> Text:
    """`width` of the word before it."""
    assert summary.best is not None
    values = " ".join(f"{name}={figure(text)}" for name, text in summary.best.values.items())
    parameters = ", ".join(f"{name}={figure(text)}" for name, text in summary.best.assignments.items())
    gap = "  " if width <= len("best") else ""
    return Text.assemble((f"{'best':<{width}}{gap}", "dim"), (values, "bold green"), f"  {parameters}")


def state_text(state: State) -> Text:
    return Text(state.value.lower(), STYLES.get(state, ""))


def short(name: str, experiment: str) -> str:
    return name.removeprefix(f"{experiment}-")


def figure(text: str) -> str:
    """A number in few digits; anything else as it is."""
    found = number(text)
    return text if found is None or len(text) <= 7 else f"{found:.6g}"


def seconds_of(start: str, end: str) -> float:
    if not start:
        return 0.0
    last = datetime.fromisoformat(end) if end else datetime.now(UTC)
    return max(0.0, (last - datetime.fromisoformat(start)).total_seconds())


def duration(seconds: float) -> str:
    """Times of objects have whole seconds: nothing is known of tenths."""
    if seconds < 1:
        return "< 1 s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
