"""A job as it goes on, at a terminal: its state, what it waits for, what its ranks say, how it ends."""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass

import typer
from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.text import Text

from sampan.components.training.api.summary import State, Summary
from sampan.components.training.cli.frame import Reached
from sampan.components.training.cli.output import log_text, state_text, took_seconds, waiting_for
from sampan.components.training.sdk.jobs import JobRef, LogLine, summary_of
from sampan.console.frame import INTERRUPTED
from sampan.console.printing import duration
from sampan.kube.errors import ApiError, NotFoundError

_LOOK_SECONDS = 0.5
_LAST_WORDS_SECONDS = 5.0
"""How long the end of the log is waited for once the job has ended."""


@dataclass(frozen=True, slots=True)
class _LogEnd:
    error: ApiError | None = None


def start_following(console: Console, reached: Reached, ref: JobRef) -> None:
    """Raises typer.Exit: 1 unless the job succeeds, 130 when the user goes away."""
    try:
        summary = follow(console, reached, ref)
    except KeyboardInterrupt:
        if reached.server.own:
            console.print("\n[dim]The server was started for this job, and ends: the job is deleted.[/]")
            reached.jobs.delete(ref)
        else:
            console.print(f"\nThe job goes on. Back to it: sampan train logs {ref.name} -f")
            console.print(f"Stop it: sampan train delete {ref.name}")
        raise typer.Exit(INTERRUPTED) from None
    except NotFoundError:
        console.print(f"[yellow]{ref.name} was deleted.[/]")
        raise typer.Exit(1) from None
    print_end(console, summary)
    if summary.state is not State.SUCCEEDED:
        raise typer.Exit(1)


def follow(console: Console, reached: Reached, ref: JobRef) -> Summary:
    """Prints until the job has ended. Raises NotFoundError once it is deleted."""
    lines: queue.Queue[LogLine | _LogEnd] = queue.Queue(maxsize=1000)
    stopping = threading.Event()
    threading.Thread(target=_read, args=(reached, ref, lines, stopping), daemon=True).start()
    status = console.status("Waiting for its pods …")
    status.start()
    try:
        return _Follower(console, reached, ref, status).run(lines)
    finally:
        stopping.set()
        status.stop()


class _Follower:
    def __init__(self, console: Console, reached: Reached, ref: JobRef, status: Status) -> None:
        self._console = console
        self._reached = reached
        self._ref = ref
        self._status = status
        self._said: set[str] = set()
        self._width = 0

    def run(self, lines: queue.Queue[LogLine | _LogEnd]) -> Summary:
        looked, ended_at = 0.0, 0.0
        summary = self._look()
        has_ended = False
        while True:
            now = time.monotonic()
            if not has_ended and now - looked >= _LOOK_SECONDS:
                looked, summary = now, self._look()
                has_ended = summary.state.is_finished
                ended_at = now if has_ended else 0.0
            try:
                item = lines.get(timeout=0.1)
            except queue.Empty:
                if has_ended and now - ended_at > _LAST_WORDS_SECONDS:
                    return summary
                continue
            if isinstance(item, _LogEnd):
                if item.error is not None:
                    self._console.print(f"[yellow]the log broke off: {escape(item.error.message)}[/]")
                return self._finished(summary)
            self._status.stop()
            self._console.print(log_text(item, self._width), soft_wrap=True)

    def _finished(self, summary: Summary) -> Summary:
        """The log is over: its pods have ended, and the job is about to."""
        while not summary.state.is_finished:
            time.sleep(_LOOK_SECONDS)
            summary = self._look()
        return summary

    def _look(self) -> Summary:
        """Raises NotFoundError."""
        job = self._reached.jobs.get(self._ref)
        summary = summary_of(job)
        roles = [each.role.lower() for each in summary.replicas]
        self._width = max((len(role) + 3 for role in roles), default=8) if summary.wanted > 1 else 0
        if summary.state in (State.RESTARTING, State.SUSPENDED):
            self._say(Text.assemble(state_text(summary.state), f"  {summary.message}"))
        elif summary.state is State.PENDING:
            for reason in waiting_for(job, self._reached.jobs.pods(self._ref)):
                self._say(Text.assemble(("waits  ", "yellow"), reason))
        return summary

    def _say(self, text: Text) -> None:
        """Once."""
        if text.plain not in self._said:
            self._said.add(text.plain)
            self._console.print(text, soft_wrap=True)


def _read(
    reached: Reached, ref: JobRef, lines: queue.Queue[LogLine | _LogEnd], stopping: threading.Event
) -> None:
    """In a thread of its own: the log comes when it comes."""
    end = _LogEnd()
    try:
        for line in reached.jobs.log(ref, follow=True):
            while not stopping.is_set():
                try:
                    lines.put(line, timeout=0.2)
                    break
                except queue.Full:
                    continue
            if stopping.is_set():
                return
    except ApiError as error:
        end = _LogEnd(None if isinstance(error, NotFoundError) else error)
    except Exception:
        # The session was closed under it.
        return
    lines.put(end)


def print_end(console: Console, summary: Summary) -> None:
    took = duration(took_seconds(summary))
    console.print()
    console.print(Text.assemble(state_text(summary.state), f" after {took}"))
    if summary.state is not State.SUCCEEDED:
        if summary.message:
            console.print(summary.message, soft_wrap=True, markup=False)
        console.print(f"[dim]More: sampan train get {summary.name}, sampan train events {summary.name}[/]")
