"""The log of a step: every attempt of it, on the run's page and on a page of its own."""

from __future__ import annotations

import re
from typing import Any

from sampan.ui import widgets
from sampan.ui.api import segment
from sampan.ui.context import PageContext
from sampan.ui.logview.logview import LogSource, LogViewer

_FINAL = frozenset({"SUCCEEDED", "FAILED", "SKIPPED", "CANCELED", "CACHED"})
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


def sources(task: Any) -> list[LogSource]:
    """A task as the API gives it with `view=FULL`, or alone: one log for each attempt, the first one first. Pure."""
    pods = [pod for pod in task.get("pods", ()) if pod.get("type", "EXECUTOR") == "EXECUTOR"]
    path = f"/apis/v2beta1/runs/{segment(task['run_id'])}/nodes/{segment(task['task_id'])}/log"
    name = (
        _NOT_IN_NAMES.sub("-", task.get("display_name") or task.get("name") or "step").strip("-.") or "step"
    )
    is_over = task.get("state") in _FINAL
    return [
        LogSource(
            key=str(number),
            label=f"Attempt {number}" if number < len(pods) or number == 1 else f"Attempt {number}, the last",
            path=path,
            query={"attempt": str(number)},
            follow=not (is_over or number < len(pods)),
            file_name=f"{name}-{number}.log",
        )
        for number in range(1, len(pods) + 1)
    ]


def no_log(task: Any) -> str:
    """Why there is none to show; empty where there is one. Pure."""
    if sources(task):
        return ""
    return {
        "CACHED": "This step's results came from the cache: it did not run, and printed nothing.",
        "SKIPPED": "This step was skipped, and printed nothing.",
        "PENDING": "This step has not started yet. Its log appears here as soon as it does.",
        "RUNNING": "This step has not started yet. Its log appears here as soon as it does.",
        "FAILED": "This step failed before it could start, and printed nothing.",
    }.get(task.get("state", ""), "This step printed nothing: it needed no program of its own.")


class StepLog:
    """The viewer, or why there is nothing to view. Give it the task again whenever that has changed."""

    def __init__(self, page: PageContext, task: Any) -> None:
        self._page = page
        self._viewer: LogViewer | None = None
        self._shown: list[LogSource] = []
        with widgets.Text("div", "").classes("sp-step-log") as self._place:
            self._build(task)

    def show(self, task: Any) -> None:
        found = sources(task)
        # That an attempt has ended is not worth reading it again: its stream ends by itself.
        if [each.path + each.key for each in found] == [each.path + each.key for each in self._shown]:
            return
        if self._viewer is not None and found:
            was_last = self._shown[-1].key if self._shown else ""
            self._shown = found
            follows = self._viewer.chosen == was_last
            self._viewer.set_sources(found, found[-1].key if follows else "")
            return
        self._place.clear()
        with self._place:
            self._build(task)

    def _build(self, task: Any) -> None:
        self._shown = sources(task)
        self._viewer = None
        if self._shown:
            label = f"Log of {task.get('display_name') or task.get('name') or 'the step'}"
            chosen = self._page.query.get("attempt", "")
            self._viewer = LogViewer(self._page, self._shown, chosen=chosen, label=label)
        else:
            widgets.empty_state("notes", "No log", no_log(task))


async def build(page: PageContext) -> None:
    """The page of one log."""
    run_id, task_id = page.params["run_id"], page.params["task_id"]
    run = await page.api.get(f"/apis/v2beta1/runs/{segment(run_id)}")
    path = f"/apis/v2beta1/runs/{segment(run_id)}/tasks/{segment(task_id)}"
    task = await page.api.get(path)
    name = task.get("display_name") or task.get("name") or task_id
    run_path = f"/runs/{segment(run_id)}"
    page.set_title(f"Log of {name}", [("Runs", "/runs"), (run["display_name"], run_path)])
    with widgets.page_header(f"Log of {name}"):
        widgets.button("Step", icon="arrow_back", href=page.href(run_path, task=task_id))
    log = StepLog(page, task)
    await page.live(path, log.show)
