"""What is done to one run, with the question that goes before it: from the list, its page, and home."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sampan.ui import widgets
from sampan.ui.api import segment
from sampan.ui.context import PageContext

Run = Mapping[str, Any]
After = Callable[[], Any]


def path(run_id: str) -> str:
    return f"/apis/v2beta1/runs/{segment(run_id)}"


async def retry(page: PageContext, run: Run) -> None:
    """In the same run; what finished is kept."""
    await page.attempt(
        page.api.post(f"{path(run['run_id'])}:retry"), done=f"{run['display_name']} runs again."
    )


async def archive(page: PageContext, run: Run) -> None:
    done = f"{run['display_name']} is in the archive."
    await page.attempt(page.api.post(f"{path(run['run_id'])}:archive"), done=done)


async def unarchive(page: PageContext, run: Run) -> None:
    done = f"{run['display_name']} is back among the runs."
    await page.attempt(page.api.post(f"{path(run['run_id'])}:unarchive"), done=done)


def clone(page: PageContext, run: Run) -> None:
    page.go("/runs/new", clone=run["run_id"])


def stop(page: PageContext, run: Run) -> None:
    async def act() -> None:
        done = f"{run['display_name']} is being stopped."
        await page.attempt(page.api.post(f"{path(run['run_id'])}:terminate"), done=done)

    widgets.confirm(f"Stop the run {run['display_name']}?", stopped_by(run), act, label="Stop the run")


def delete(page: PageContext, run: Run, after: After | None = None) -> None:
    async def act() -> None:
        done = f"{run['display_name']} is deleted."
        if await page.attempt(page.api.delete(path(run["run_id"])), done=done) and after is not None:
            after()

    widgets.confirm(f"Delete the run {run['display_name']}?", lost_with(1), act, label="Delete the run")


def stopped_by(run: Run) -> list[str]:
    """What stopping it does."""
    if run.get("state") == "PAUSED":
        return ["The run ends as failed, with the step that it waits for.", "Exit handlers still run."]
    if run.get("state") == "CANCELING":
        return ["Exit handlers that still run are ended too."]
    return [
        "Steps that are running are ended; what they have not written yet is lost.",
        "Exit handlers still run. What has finished is kept, and Retry goes on from there.",
    ]


def lost_with(count: int) -> list[str]:
    """What goes with that many runs."""
    runs = "the run" if count == 1 else f"the {count} runs"
    return [
        f"{runs.capitalize()} with all steps, parameters and metrics",
        "The logs of the steps",
        "Artifacts that no other run uses, with their files",
    ]
