"""Above a run's graph: which step failed and why, or what is waited for, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from nicegui import ui

from sampan.components.pipelines.ui import messages, run_actions
from sampan.components.pipelines.ui.run_page import model
from sampan.components.pipelines.ui.run_page.command import command
from sampan.components.pipelines.ui.run_page.model import Step
from sampan.components.pipelines.ui.states import is_final
from sampan.ui import widgets
from sampan.ui.context import PageContext

_LOG_LINES = 8
_MOST_CHARACTERS = 600
_MOST_OTHERS = 5


class Banner:
    def __init__(self, page: PageContext, open_step: Callable[[str], Any], resume: Callable[[], Any]) -> None:
        self._page = page
        self._open_step = open_step
        self._resume = resume
        self._drawn: Any = None
        self._place = ui.element("div")

    def show(self, run: Mapping[str, Any], steps: Sequence[Step]) -> None:
        state = run.get("state", "")
        broken = model.failed(steps) if state in ("FAILED", "PAUSED", "RUNNING", "CANCELING") else []
        waits = [] if is_final(state) else model.waits_told(steps)
        error = str((run.get("error") or {}).get("message", "")) if state != "SUCCEEDED" else ""
        drawn = (
            state,
            [(step.task_id, step.message) for step in broken[: _MOST_OTHERS + 1]],
            len(broken),
            waits,
            error,
        )
        if drawn == self._drawn:
            return
        self._drawn = drawn
        self._place.clear()
        with self._place:
            if broken:
                self._build_failure(run, broken)
            elif error:
                self._build_error(state, error)
            if waits:
                self._build_waits(waits)

    def _build_failure(self, run: Mapping[str, Any], broken: Sequence[Step]) -> None:
        first = broken[0]
        head, log = messages.split(first.message)
        with ui.element("section").classes("sp-notice sp-tone-bad").props('aria-label="Why it failed"'):
            with ui.element("div").classes("sp-notice-head"):
                ui.icon("error").props("aria-hidden=true")
                widgets.heading(_title(run, first))
            if head:
                widgets.paragraph(messages.line(first.message, _MOST_CHARACTERS) if log else head, "sp-pre")
            if log:
                with (
                    ui.element("pre")
                    .classes("sp-notice-log")
                    .props('tabindex="0" aria-label="End of the log"') as quoted
                ):
                    quoted._text = messages.end_of(log, _LOG_LINES)
            with ui.element("div").classes("sp-row"):
                self._build_ways(run, first)
            command(debug_command(run, first))
            self._build_others(broken[1:])

    def _build_ways(self, run: Mapping[str, Any], step: Step) -> None:
        if step.attempts:
            widgets.button("Log", partial(self._open_step, step.task_id), icon="notes")
        if run.get("state") == "PAUSED":
            widgets.button("Continue with a fix", self._resume, icon="play_arrow")
        elif is_final(run.get("state", "")):
            widgets.button("Resume with a fix", self._resume, icon="redo")
            widgets.button("Retry", partial(run_actions.retry, self._page, run), icon="replay")

    def _build_others(self, others: Sequence[Step]) -> None:
        if not others:
            return
        with ui.element("div").classes("sp-row"):
            widgets.text("Also failed:", "sp-muted")
            for step in others[:_MOST_OTHERS]:
                widgets.button(step.label, partial(self._open_step, step.task_id))
            if len(others) > _MOST_OTHERS:
                widgets.text(f"and {len(others) - _MOST_OTHERS} more", "sp-muted")

    def _build_error(self, state: str, error: str) -> None:
        """What no step is to blame for."""
        tone = "bad" if state == "FAILED" else "warn"
        with ui.element("section").classes(f"sp-notice sp-tone-{tone}").props('aria-label="What is wrong"'):
            with ui.element("div").classes("sp-notice-head"):
                ui.icon("error" if state == "FAILED" else "warning").props("aria-hidden=true")
                widgets.heading("The run failed" if state == "FAILED" else "The run cannot go on as it is")
            widgets.paragraph(messages.plain(error), "sp-pre")

    def _build_waits(self, waits: Sequence[str]) -> None:
        with ui.element("section").classes("sp-notice sp-tone-warn").props('aria-label="What it waits for"'):
            with ui.element("div").classes("sp-notice-head"):
                ui.icon("hourglass_top").props("aria-hidden=true")
                widgets.heading("Waiting")
            for line in waits:
                widgets.paragraph(line)


def debug_command(run: Mapping[str, Any], step: Step) -> str:
    return f"sampan debug {run['run_id'][:8]} {step.name}"


def _title(run: Mapping[str, Any], step: Step) -> str:
    if run.get("state") == "PAUSED":
        return f"{step.label} failed, and the run waits for you"
    return (
        f"{step.label} failed" if is_final(run.get("state", "")) else f"{step.label} failed; the run goes on"
    )
