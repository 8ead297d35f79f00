"""What is done to all jobs that are picked in the list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nicegui import ui

from sampan.components.training.api.summary import State, Summary
from sampan.components.training.ui import actions
from sampan.ui import widgets, words
from sampan.ui.api import ApiFailureError
from sampan.ui.context import PageContext


@dataclass(frozen=True, slots=True)
class Action:
    name: str
    label: str
    icon: str
    past: str
    """Of what it was done to."""
    fits: Callable[[Summary], bool]


ACTIONS = (
    Action(
        "suspend",
        "Suspend",
        "pause_circle",
        "suspended",
        lambda job: not job.state.is_finished and job.state != State.SUSPENDED,
    ),
    Action("resume", "Resume", "play_circle", "resumed", lambda job: job.state == State.SUSPENDED),
    Action("delete", "Delete", "delete", "deleted", lambda job: True),
)
BY_NAME = {action.name: action for action in ACTIONS}


def ask(page: PageContext, action: Action, jobs: Sequence[Summary], after: Callable[[], Any]) -> None:
    """Asks where something would be lost, does it to those that it fits, and says what came of it."""
    fitting = [job for job in jobs if action.fits(job)]
    if not fitting:
        page.notify(f"None of the picked jobs can be {action.past}.", "warn")
        return

    async def go() -> None:
        failures = await _each(page, action, fitting)
        done = len(fitting) - len(failures)
        # Asked again at once, as after any change.
        await page.attempt(_nothing(), done=summary(action, done, len(jobs)))
        if failures:
            _tell(action, failures)
        after()

    if action.name == "resume":
        page.spawn(go(), "resume jobs")
        return
    count = words.counted(len(fitting), "job|jobs")
    names = words.listed([f"{job.name} ({job.kind})" for job in fitting])
    lost = (
        actions.lost_with(len(fitting))
        if action.name == "delete"
        else ["Their pods end: what they have not saved is lost. Resumed, they begin from what they saved."]
    )
    widgets.confirm(
        f"{action.label} {count}?",
        [*names, *lost],
        go,
        label=f"{action.label} {count}",
        danger=action.name == "delete",
    )


def summary(action: Action, done: int, picked: int) -> str:
    """Pure."""
    if not done:
        return ""
    of = f"{done} of {picked} jobs" if done < picked else words.counted(done, "job|jobs")
    return f"{of} {action.past}."


async def _each(page: PageContext, action: Action, jobs: Sequence[Summary]) -> list[tuple[str, str]]:
    """One after the other. The names of those that refused it, and why."""
    failures: list[tuple[str, str]] = []
    for job in jobs:
        try:
            if action.name == "delete":
                await actions.remove(page, job)
            else:
                await actions.set_suspended(page, job, action.name == "suspend")
        except ApiFailureError as error:
            failures.append((job.name, error.message))
    return failures


async def _nothing() -> None:
    """What was done is done; the page's `attempt` says so to whatever is live."""


def _tell(action: Action, failures: Sequence[tuple[str, str]]) -> None:
    window, content = widgets.dialog(f"Some jobs were not {action.past}")
    with content:
        widgets.pairs(dict(failures))
        with ui.element("div").classes("sp-dialog-actions"):
            widgets.button("Close", window.close, kind="primary")
