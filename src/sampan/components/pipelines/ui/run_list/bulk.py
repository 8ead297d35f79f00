"""What is done to all runs that are picked in the list."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from sampan.components.pipelines.ui import run_actions
from sampan.components.pipelines.ui.run_actions import Run
from sampan.components.pipelines.ui.states import is_final
from sampan.ui.context import PageContext
from sampan.ui.table.acting import Acted, Action

MOST_COMPARED = 10


def _told(run: Run) -> str:
    return str(run["display_name"])


def _post(verb: str) -> Callable[[PageContext, Run], Awaitable[Any]]:
    async def act(page: PageContext, run: Run) -> None:
        await page.api.post(f"{run_actions.path(run['run_id'])}:{verb}")

    return act


async def _delete(page: PageContext, run: Run) -> None:
    await page.api.delete(run_actions.path(run["run_id"]))


RUNS: Acted[Run] = Acted("run|runs", _told, _told)
ACTIONS: tuple[Action[Run], ...] = (
    Action(
        "retry",
        "Retry",
        "replay",
        "retried",
        fits=lambda run: run["state"] in ("FAILED", "CANCELED"),
        act=_post("retry"),
    ),
    Action(
        "stop",
        "Stop",
        "stop_circle",
        "stopped",
        fits=lambda run: not is_final(run["state"]),
        act=_post("terminate"),
        lost=lambda count: ("Steps that are running are ended; exit handlers still run.",),
    ),
    Action("archive", "Archive", "archive", "archived", fits=lambda run: True, act=_post("archive")),
    Action(
        "delete",
        "Delete",
        "delete",
        "deleted",
        fits=lambda run: True,
        act=_delete,
        lost=run_actions.lost_with,
    ),
)


def ask(page: PageContext, action: Action[Run], runs: Sequence[Run], after: Callable[[], Any]) -> None:
    RUNS.ask(page, action, runs, after)
