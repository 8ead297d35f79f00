"""What starts runs by itself, and what runs leave: the part of the room's interface that is about records.

Its pages, navigation and links of upstream; `INTERFACE` takes them in.
"""

from __future__ import annotations

from pathlib import Path

from sampan.components.pipelines.ui import executions, record_finds
from sampan.components.pipelines.ui.artifacts import overview as artifacts
from sampan.components.pipelines.ui.artifacts import page as artifact
from sampan.components.pipelines.ui.events import (
    notification_form,
    notification_overview,
    notification_page,
    trigger_form,
    trigger_overview,
    trigger_page,
)
from sampan.components.pipelines.ui.recurring import overview as recurring_runs
from sampan.components.pipelines.ui.recurring import page as recurring_run
from sampan.components.pipelines.ui.upkeep import archive, cache, disk
from sampan.ui.contract import NavEntry, NavSection, Page

SECTIONS = (
    NavSection(
        "Automation",
        (
            NavEntry("Recurring runs", "/recurring-runs", "event_repeat", key="s"),
            NavEntry("Triggers", "/triggers", "webhook", key="t"),
            NavEntry("Notifications", "/notifications", "notifications"),
        ),
        order=12,
    ),
    NavSection(
        "Records",
        (
            NavEntry("Artifacts", "/artifacts", "category", key="a"),
            NavEntry("Executions", "/executions", "checklist", key="x"),
            NavEntry("Archive", "/archive", "inventory_2"),
            NavEntry("Cache", "/cache", "bolt"),
        ),
        order=14,
    ),
)
PAGES = (
    Page("/recurring-runs", "Recurring runs", recurring_runs.build),
    Page("/recurring-runs/{recurring_run_id}", "Recurring run", recurring_run.build, "/recurring-runs"),
    Page("/triggers", "Triggers", trigger_overview.build),
    Page("/triggers/new", "New trigger", trigger_form.build, "/triggers"),
    Page("/triggers/{trigger_id}", "Trigger", trigger_page.build, "/triggers"),
    Page("/triggers/{trigger_id}/edit", "Edit", trigger_form.build_edit, "/triggers"),
    Page("/notifications", "Notifications", notification_overview.build),
    Page("/notifications/new", "New notification", notification_form.build, "/notifications"),
    Page("/notifications/{notification_id}", "Notification", notification_page.build, "/notifications"),
    Page("/notifications/{notification_id}/edit", "Edit", notification_form.build_edit, "/notifications"),
    Page("/artifacts", "Artifacts", artifacts.build),
    Page("/artifacts/{artifact_id}", "Artifact", artifact.build, "/artifacts"),
    Page("/executions", "Executions", executions.build),
    Page("/executions/{task_id}", "Execution", executions.build_one, "/executions"),
    Page("/archive", "Archive", archive.build),
    Page("/archive/experiments", "Experiments", archive.build_experiments, "/archive"),
    Page("/cache", "Cache", cache.build),
    Page("/cache/disk", "Disk use", disk.build, "/cache"),
)
SEARCHES = (
    record_finds.search_artifacts,
    record_finds.search_recurring_runs,
    record_finds.search_triggers,
    record_finds.search_notifications,
)
FEEDS = (record_finds.feed,)
STYLES = (Path(__file__).parent / "records.css",)
UPSTREAM_LINKS = {
    "/recurringruns": "/recurring-runs",
    "/recurringrun/details/{recurring_run_id}": "/recurring-runs/{recurring_run_id}",
    "/artifacts": "/artifacts",
    "/artifacts/{artifact_id}": "/artifacts/{artifact_id}",
    "/executions": "/executions",
    "/executions/{task_id}": "/executions/{task_id}",
    "/archive/runs": "/archive",
    "/archive/experiments": "/archive/experiments",
}
