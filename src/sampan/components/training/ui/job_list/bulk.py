"""What is done to jobs: to one, and to all that are picked in the list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from sampan.components.training.api.summary import State, Summary
from sampan.components.training.ui import actions
from sampan.ui.context import PageContext
from sampan.ui.table.acting import Acted, Action

JOBS: Acted[Summary] = Acted("job|jobs", lambda job: job.name, lambda job: f"{job.name} ({job.kind})")
ACTIONS: tuple[Action[Summary], ...] = (
    Action(
        "suspend",
        "Suspend",
        "pause_circle",
        "suspended",
        fits=lambda job: not job.state.is_finished and job.state != State.SUSPENDED,
        act=partial(actions.set_suspended, suspended=True),
        lost=lambda count: (
            "Their pods end: what they have not saved is lost. Resumed, they begin from what they saved.",
        ),
        danger=False,
    ),
    Action(
        "resume",
        "Resume",
        "play_circle",
        "resumed",
        fits=lambda job: job.state == State.SUSPENDED,
        act=partial(actions.set_suspended, suspended=False),
    ),
    Action(
        "delete",
        "Delete",
        "delete",
        "deleted",
        fits=lambda job: True,
        act=actions.remove,
        lost=actions.lost_with,
    ),
)
BY_NAME = {action.name: action for action in ACTIONS}


def ask(
    page: PageContext, action: Action[Summary], jobs: Sequence[Summary], after: Callable[[], Any]
) -> None:
    JOBS.ask(page, action, jobs, after)
