"""Asking before a pipeline or a version is deleted: what goes, and what uses it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sampan.components.pipelines.ui.pipelines.rows import filter_of, predicate
from sampan.ui import widgets
from sampan.ui.api import segment
from sampan.ui.context import PageContext

_API = "/apis/v2beta1"
_NAMED = 5
"""So many are named, the rest is counted."""


async def ask_pipeline(page: PageContext, pipeline_id: str, then: Callable[[], Any]) -> None:
    """Deletes it with all its versions, once that is confirmed."""
    path = f"{_API}/pipelines/{segment(pipeline_id)}"
    pipeline = await page.api.get(path)
    query = {"view": "BASIC", "page_size": "200", "sort_by": "created_at desc"}
    listed = await page.api.get(f"{path}/versions", query)
    versions = [each["display_name"] for each in listed.get("pipeline_versions", ())]
    total = int(listed.get("total_size", len(versions)))
    schedules = await _schedules(page, "pipeline_id", pipeline_id)

    async def delete() -> None:
        done = f"Pipeline {pipeline['display_name']} is deleted."
        if await page.attempt(page.api.delete(path, {"cascade": "true"}), done):
            then()

    widgets.confirm(
        f"Delete the pipeline {pipeline['display_name']}?",
        lost_with_pipeline(versions, total, schedules),
        delete,
        label="Delete",
    )


async def ask_version(page: PageContext, pipeline_id: str, version_id: str, then: Callable[[], Any]) -> None:
    path = f"{_API}/pipelines/{segment(pipeline_id)}/versions/{segment(version_id)}"
    version = await page.api.get(path)
    schedules = await _schedules(page, "pipeline_version_id", version_id)

    async def delete() -> None:
        if await page.attempt(page.api.delete(path), f"Version {version['display_name']} is deleted."):
            then()

    lost = [f"Version {version['display_name']}", *users_of(schedules), _RUNS_STAY]
    widgets.confirm(f"Delete the version {version['display_name']}?", lost, delete, label="Delete")


def lost_with_pipeline(versions: Sequence[str], total: int, schedules: Sequence[str]) -> list[str]:
    """What the question names."""
    count = "Its one version" if total == 1 else f"All {total} versions"
    found = [f"{count}: {_listed(versions, total)}"] if total else ["It has no versions"]
    return [*found, *users_of(schedules), _RUNS_STAY]


def users_of(schedules: Sequence[str]) -> list[str]:
    if not schedules:
        return []
    named = _listed(schedules, len(schedules))
    if len(schedules) == 1:
        return [f"The recurring run that uses it will start no more runs: {named}"]
    return [f"{len(schedules)} recurring runs that use it will start no more runs: {named}"]


_RUNS_STAY = "Runs that were started stay: each keeps its own copy of what it ran"


def _listed(names: Sequence[str], total: int) -> str:
    shown = ", ".join(names[:_NAMED])
    return f"{shown} and {total - _NAMED} more" if total > _NAMED else shown


async def _schedules(page: PageContext, key: str, value: str) -> list[str]:
    query = {"filter": filter_of(predicate(key, value)), "page_size": "50", "namespace": page.namespace}
    found = await page.api.get(f"{_API}/recurringruns", query)
    return [str(each["display_name"]) for each in found.get("recurringRuns", ())]
