"""`sampan logs`: what steps printed, live or kept, and the search in it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from rich.console import Console
from rich.text import Text

from sampan.client.http import HttpError
from sampan.components.pipelines.cli.steps import Step, steps
from sampan.components.pipelines.sdk import LogMatch, Query, Run, Runs

_POLL_SECONDS = 0.3
_DURATION = re.compile(r"(\d+)(s|m|h|d)\Z")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which steps, and what of their logs."""

    step: str = ""
    attempt: int = 0
    """0 for all."""
    iteration: tuple[int, ...] = ()
    """Of the loops around a step, the outermost first; empty for all."""
    since: str = ""
    """RFC 3339."""
    tail: int | None = None
    timestamps: bool = False

    def matches(self, step: Step) -> bool:
        if self.iteration and step.iteration[: len(self.iteration)] != self.iteration:
            return False
        return not self.step or self.step in (step.name, step.label, step.task_id, step.path, *step.pods)

    def attempts(self, step: Step) -> list[tuple[int, str]]:
        numbered = list(enumerate(step.pods, start=1))
        return [each for each in numbered if each[0] == self.attempt] if self.attempt else numbered

    def query(self, *, tail: bool) -> Query:
        asked: dict[str, str | int] = {}
        if self.since:
            asked["since_time"] = self.since
        if self.timestamps:
            asked["timestamps"] = "true"
        if tail and self.tail is not None:
            asked["tail_lines"] = self.tail
        return asked


def since(text: str, now: datetime) -> str:
    """`10m`, `2h`, `1d`, or a moment, as RFC 3339; empty stays so. Raises ValueError."""
    if not text:
        return ""
    if found := _DURATION.match(text):
        moment = now - timedelta(**{_UNITS[found[2]]: int(found[1])})
    else:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.astimezone()
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def iteration(text: str) -> tuple[int, ...]:
    """`2` or `2.0`. Raises ValueError."""
    parts = text.split(".") if text else []
    if not all(part.isdigit() for part in parts):
        raise ValueError(text)
    return tuple(int(part) for part in parts)


@dataclass(slots=True)
class _Printer:
    console: Console
    runs: Runs
    run: Run
    wanted: Wanted
    printed: dict[str, int] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)

    def look(self, shown: Sequence[Step], *, is_first: bool, follow: bool) -> None:
        """Prints what is new in all of `shown`."""
        several = not self.wanted.step or sum(len(self.wanted.attempts(step)) for step in shown) > 1
        for step in shown:
            for number, pod in self.wanted.attempts(step):
                if pod in self.done:
                    continue
                prefix = _prefix(step, number) if several else ""
                lines = list(log_lines(self.runs, self.run, pod, self.wanted.query(tail=not follow)))
                begin = self.printed.get(pod, 0)
                if is_first and follow and self.wanted.tail is not None:
                    begin = max(len(lines) - self.wanted.tail, 0)
                for line in lines[begin:]:
                    self.line(prefix, line)
                self.printed[pod] = len(lines)
                if step.finished is not None or number < len(step.pods):
                    self.done.add(pod)

    def line(self, prefix: str, line: str) -> None:
        self.console.print(Text.assemble((prefix, "cyan"), line), soft_wrap=True)


def print_logs(console: Console, runs: Runs, run: Run, wanted: Wanted, *, follow: bool) -> bool:
    """Every attempt of every step that matches; False if none does. Lines are named when there are several steps."""
    printer, matched, is_first = _Printer(console, runs, run, wanted), False, True
    while True:
        # Asked before reading: what an ended run said is then surely read.
        is_over = runs.get(run.run_id).state.is_final
        shown = [
            step for step in steps([task.raw for task in runs.tasks(run.run_id)]) if wanted.matches(step)
        ]
        matched = matched or bool(shown)
        printer.look(shown, is_first=is_first, follow=follow)
        is_first = False
        if not follow or is_over or (wanted.step and not matched):
            return matched or not (wanted.step or wanted.iteration)
        time.sleep(_POLL_SECONDS)


def log_lines(runs: Runs, run: Run, pod: str, query: Query | None = None) -> Iterator[str]:
    """Nothing for a pod that has not started or left no log."""
    try:
        yield from runs.log(run.run_id, pod, query=query)
    except HttpError as error:
        if error.status not in (400, 404):
            raise


def print_matches(console: Console, found: Iterator[LogMatch]) -> int:
    """As they come, under a heading for each step; how many there were."""
    count, heading = 0, None
    for match in found:
        count += 1
        if heading != (heading := (match.run_id, match.task_id, match.attempt)):
            attempt = f", attempt {match.attempt}" if match.attempt > 1 else ""
            place = match.path.removeprefix("root/")
            console.print(
                Text.assemble(
                    (match.run_name, "bold"), f"  {match.run_id[:8]}  ", (f"{place}{attempt}", "cyan")
                ),
                soft_wrap=True,
            )
        moment = f"{match.time[:19].replace('T', ' ')}  " if match.time else ""
        console.print(
            Text.assemble((f"  {match.line_number:>6}  {moment}", "dim"), match.text), soft_wrap=True
        )
    return count


def _prefix(step: Step, number: int) -> str:
    return f"{step.label}  " if number == 1 else f"{step.label} (attempt {number})  "
