"""A run as it happens: a live table on a terminal, a line for each change elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sampan.components.pipelines.cli.steps import FINAL_STATES, Step, duration

_MARKS = {
    "SUCCEEDED": ("✓", "green"),
    "CACHED": ("✓", "cyan"),
    "RUNNING": ("●", "blue"),
    "FAILED": ("✗", "bold red"),
    "CANCELED": ("■", "yellow"),
    "SKIPPED": ("-", "dim"),
    "PENDING": ("·", "dim"),
}
_WORDS = {"CACHED": "from cache"}


class Progress:
    """Shows steps until the run has ended. Use as a context manager; `update` at every look."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._seen: dict[str, str] = {}
        self._steps: Sequence[Step] = ()
        self._live = (
            Live(get_renderable=self._table, console=console, refresh_per_second=8, transient=True)
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
            self._console.print(table(self._steps, limit=200))

    def update(self, steps: Sequence[Step]) -> None:
        self._steps = steps
        if self._live is not None:
            return
        for step in steps:
            if step.state != self._seen.get(step.task_id) and (step.state != "PENDING"):
                self._seen[step.task_id] = step.state
                self._console.print(_line(step), soft_wrap=True)

    def _table(self) -> RenderableType:
        return table(self._steps, limit=max(self._console.size.height - 6, 5))


def table(steps: Sequence[Step], *, limit: int) -> RenderableType:
    """At most `limit` steps: what runs or failed first, then the latest; the rest as a count."""
    shown, hidden = _chosen(steps, limit)
    grid = Table.grid(padding=(0, 2))
    now = datetime.now(UTC)
    for step in shown:
        mark, style = _MARKS.get(step.state, ("?", ""))
        word = _word(step)
        grid.add_row(Text(f"  {mark}", style), step.label, Text(word, style), duration(step.seconds(now)))
    if not hidden:
        return grid
    done = sum(step.state in FINAL_STATES for step in steps)
    return Group(grid, Text(f"  … and {hidden} more; {done} of {len(steps)} have ended", "dim"))


def _chosen(steps: Sequence[Step], limit: int) -> tuple[list[Step], int]:
    if len(steps) <= limit:
        return list(steps), 0
    urgent = [step for step in steps if step.state in ("FAILED", "RUNNING")][:limit]
    kept = {step.task_id for step in urgent}
    for step in reversed(steps):
        if len(kept) >= limit:
            break
        if step.state != "PENDING":
            kept.add(step.task_id)
    shown = [step for step in steps if step.task_id in kept]
    return shown, len(steps) - len(shown)


def _word(step: Step) -> str:
    return "reused" if step.is_reused else _WORDS.get(step.state, step.state.lower())


def _line(step: Step) -> Text:
    mark, style = _MARKS.get(step.state, ("?", ""))
    word = _word(step)
    took = duration(step.seconds(datetime.now(UTC))) if step.state in FINAL_STATES else ""
    return Text.assemble("  ", (mark, style), f" {step.label}  ", (word, style), f"  {took}" if took else "")
