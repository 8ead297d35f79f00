"""What is done to all runs that are picked in the list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nicegui import ui

from sampan.components.pipelines.ui import run_actions
from sampan.components.pipelines.ui.run_actions import Run
from sampan.components.pipelines.ui.states import is_final
from sampan.ui import widgets
from sampan.ui.context import PageContext

MOST_COMPARED = 10
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Action:
    name: str
    label: str
    icon: str
    verb: str
    """Of the API, after the run's path; `delete` for the method."""
    past: str
    """Of what it was done to."""
    fits: Callable[[Run], bool]
    """Whether it can be done to this run."""


ACTIONS = (
    Action(
        "retry", "Retry", "replay", ":retry", "retried", lambda run: run["state"] in ("FAILED", "CANCELED")
    ),
    Action("stop", "Stop", "stop_circle", ":terminate", "stopped", lambda run: not is_final(run["state"])),
    Action("archive", "Archive", "archive", ":archive", "archived", lambda run: True),
    Action("delete", "Delete", "delete", "delete", "deleted", lambda run: True),
)


def lost(action: Action, runs: Sequence[Run]) -> list[str]:
    """What the question before it names."""
    names = [str(run["display_name"]) for run in runs[:_SHOWN]]
    more = [f"and {len(runs) - _SHOWN} more"] if len(runs) > _SHOWN else []
    what = {
        "stop": ["Steps that are running are ended; exit handlers still run."],
        "delete": run_actions.lost_with(len(runs)),
    }
    return [*names, *more, *what.get(action.name, ())]


def ask(page: PageContext, action: Action, runs: Sequence[Run], after: Callable[[], Any]) -> None:
    """Asks where something would be lost, does it to those that it fits, and says what came of it."""
    fitting = [run for run in runs if action.fits(run)]
    if not fitting:
        page.notify(f"None of the picked runs can be {action.past}.", "warn")
        return

    async def go() -> None:
        failures = await run_actions.each(fitting, lambda run: _do(page, action, run))
        # Asked again at once, as after any change.
        await page.attempt(_nothing(), done=summary(action, len(fitting) - len(failures), len(runs)))
        if failures:
            _tell(action, failures)
        after()

    if action.name in ("retry", "archive"):
        page.spawn(go(), f"{action.name} runs")
        return
    count = f"{len(fitting)} run{'s' if len(fitting) != 1 else ''}"
    widgets.confirm(f"{action.label} {count}?", lost(action, fitting), go, label=f"{action.label} {count}")


def summary(action: Action, done: int, picked: int) -> str:
    if not done:
        return ""
    of = f"{done} of {picked} runs" if done < picked else f"{done} run{'s' if done != 1 else ''}"
    return f"{of} {action.past}."


async def _do(page: PageContext, action: Action, run: Run) -> None:
    path = run_actions.path(run["run_id"])
    if action.verb == "delete":
        await page.api.delete(path)
    else:
        await page.api.post(path + action.verb)


async def _nothing() -> None:
    """What was done is done; the page's `attempt` says so to whatever is live."""


def _tell(action: Action, failures: Sequence[tuple[str, str]]) -> None:
    window, content = widgets.dialog(f"Some runs were not {action.past}")
    with content:
        with ui.element("dl").classes("sp-pairs"):
            for name, why in failures:
                widgets.Text("dt", name)
                widgets.Text("dd", why)
        with ui.element("div").classes("sp-dialog-actions"):
            widgets.button("Close", window.close, kind="primary")
