"""Runs in the search of the dashboard, and in its feed of what happened."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sampan.components.pipelines.ui.run_list import rows
from sampan.components.pipelines.ui.states import shown
from sampan.ui.api import Api, ApiFailureError
from sampan.ui.contract import Activity, Hit

_RUNS = "/apis/v2beta1/runs"
_MOST = 10
_LEAST_OF_ID = 4
"""Characters of an id that are worth looking for."""
_ID = frozenset("0123456789abcdef-")


async def search(api: Api, namespace: str, text: str) -> Sequence[Hit]:
    """By name, by the beginning of the id, and by the name of the pipeline."""
    text = text.strip()
    found: dict[str, Mapping[str, Any]] = {}
    run: Mapping[str, Any]
    for predicate in predicates(text):
        for run in await _listed(api, namespace, [predicate], _MOST):
            found.setdefault(run["run_id"], run)
    if len(found) < _MOST:
        for run in await _of_pipelines(api, namespace, text):
            found.setdefault(run["run_id"], run)
    return [hit(run) for run in list(found.values())[:_MOST]]


def predicates(text: str) -> list[dict[str, Any]]:
    """What runs are asked for. An id's beginning is part of it: what has it elsewhere is sorted out. Pure."""
    named = {"key": "name", "operation": "IS_SUBSTRING", "string_value": text}
    if len(text) >= _LEAST_OF_ID and set(text.lower()) <= _ID:
        return [{"key": "run_id", "operation": "IS_SUBSTRING", "string_value": text.lower()}, named]
    return [named]


async def feed(api: Api, namespace: str, most: int) -> Sequence[Activity]:
    """Runs that began and ended, the newest first."""
    began = await _listed(api, namespace, [], most)
    ended = await _listed(api, namespace, [], most, "finished_at desc")
    runs = {run["run_id"]: run for run in [*began, *ended]}
    told = [activity for run in runs.values() for activity in activities(run)]
    return sorted(told, key=lambda activity: activity.at, reverse=True)[:most]


def activities(run: Mapping[str, Any]) -> list[Activity]:
    """What happened to one run. Pure."""
    name, path = run["display_name"], f"/runs/{run['run_id']}"
    found = [Activity(run["created_at"], f"Run {name} started", "play_circle", path, "busy", "Run")]
    state, at = run.get("state", ""), rows.ended(run)
    if at:
        word, tone, icon = shown(state)
        why = rows.explanation(run) if state == "FAILED" else ""
        what = "was stopped" if state == "CANCELED" else word.lower()
        text = f"Run {name} {what}" + (f": {why}" if why else "")
        found.append(Activity(at, text, icon or _ICONS.get(tone, "circle"), path, tone, "Run"))
    return found


_ICONS = {"ok": "check_circle", "bad": "error"}


def hit(run: Mapping[str, Any]) -> Hit:
    """Pure."""
    origin = run.get("origin", {})
    words = [shown(run.get("state", ""))[0], origin.get("pipeline", ""), run["run_id"][:8]]
    detail = " · ".join(word for word in words if word)
    return Hit("Run", run["display_name"], f"/runs/{run['run_id']}", "play_circle", detail)


async def _of_pipelines(api: Api, namespace: str, text: str) -> Sequence[Mapping[str, Any]]:
    """The newest runs of a pipeline of that name."""
    named = {"predicates": [{"key": "display_name", "operation": "IS_SUBSTRING", "string_value": text}]}
    try:
        listed = await api.get(
            "/apis/v2beta1/pipelines", {"namespace": namespace, "page_size": "3", "filter": json.dumps(named)}
        )
    except ApiFailureError:
        # Not everybody may list pipelines.
        return []
    found: list[Mapping[str, Any]] = []
    for pipeline in listed.get("pipelines", ()):
        of = {"key": "pipeline_id", "operation": "EQUALS", "string_value": pipeline["pipeline_id"]}
        found += await _listed(api, namespace, [of], 3)
    return found


async def _listed(
    api: Api, namespace: str, wanted: Sequence[Mapping[str, Any]], most: int, order: str = "created_at desc"
) -> list[dict[str, Any]]:
    asked = {
        "namespace": namespace,
        "page_size": str(most),
        "sort_by": order,
        "include": "origin",
        "filter": json.dumps({"predicates": list(wanted)}) if wanted else "",
    }
    found: list[dict[str, Any]] = (await api.get(_RUNS, asked)).get("runs", [])
    return found
