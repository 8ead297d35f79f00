"""What starts runs by itself, and what runs leave: the part of the room's interface that is about records.

Its pages, navigation and links of upstream; `INTERFACE` takes them in.
"""

from __future__ import annotations

from pathlib import Path

from sampan.components.pipelines.ui import executions
from sampan.components.pipelines.ui.recurring import overview as recurring_runs
from sampan.components.pipelines.ui.recurring import page as recurring_run
from sampan.components.pipelines.ui.upkeep import archive, cache
from sampan.ui.contract import NavEntry, NavSection, Page

SECTIONS = (
    NavSection(
        "Automation",
        (NavEntry("Recurring runs", "/recurring-runs", "event_repeat"),),
        order=12,
    ),
    NavSection(
        "Records",
        (
            NavEntry("Executions", "/executions", "account_tree"),
            NavEntry("Archive", "/archive", "inventory_2"),
            NavEntry("Cache", "/cache", "bolt"),
        ),
        order=14,
    ),
)
PAGES = (
    Page("/recurring-runs", "Recurring runs", recurring_runs.build),
    Page("/recurring-runs/{recurring_run_id}", "Recurring run", recurring_run.build, "/recurring-runs"),
    Page("/executions", "Executions", executions.build),
    Page("/executions/{task_id}", "Execution", executions.build_one, "/executions"),
    Page("/archive", "Archive", archive.build),
    Page("/archive/experiments", "Experiments", archive.build_experiments, "/archive"),
    Page("/cache", "Cache", cache.build),
)
STYLES = (Path(__file__).parent / "records.css",)
UPSTREAM_LINKS = {
    "/recurringruns": "/recurring-runs",
    "/recurringrun/details/{recurring_run_id}": "/recurring-runs/{recurring_run_id}",
    "/executions": "/executions",
    "/executions/{task_id}": "/executions/{task_id}",
    "/archive/runs": "/archive",
    "/archive/experiments": "/archive/experiments",
}
