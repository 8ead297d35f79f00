"""The records' part of the global search and of the activity feed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sampan.components.pipelines.ui.artifacts import model as artifacts
from sampan.components.pipelines.ui.events import notification_model as notifications
from sampan.components.pipelines.ui.events import trigger_model as triggers
from sampan.components.pipelines.ui.recurring import model as recurring
from sampan.ui.api import Api
from sampan.ui.contract import Activity, Hit

_API = "/apis/v2beta1"
_MOST = 10
_ID = re.compile("[0-9a-f]{6,8}(-[0-9a-f-]{0,27})?")
"""The beginning of an id, as people copy it."""


async def search_recurring_runs(api: Api, namespace: str, text: str) -> Sequence[Hit]:
    return await _found(
        api, namespace, text, ("recurringruns", "recurringRuns", "recurring_run_id"), recurring.hit
    )


async def search_triggers(api: Api, namespace: str, text: str) -> Sequence[Hit]:
    return await _found(api, namespace, text, ("triggers", "triggers", "trigger_id"), triggers.hit)


async def search_notifications(api: Api, namespace: str, text: str) -> Sequence[Hit]:
    names = ("notifications", "notifications", "notification_id")
    return await _found(api, namespace, text, names, notifications.hit)


async def search_artifacts(api: Api, namespace: str, text: str) -> Sequence[Hit]:
    query = {
        "namespace": namespace,
        "view": "FULL",
        "search": text,
        "page_size": str(_MOST),
        "sort_by": "created_at desc",
    }
    found = await api.get(f"{_API}/artifacts", query=query)
    return [artifacts.hit(each) for each in found.get("artifacts", ())]


async def feed(api: Api, namespace: str, most: int) -> Sequence[Activity]:
    """What cannot start runs or tell of them, and since when. What was started by itself is told as runs."""
    query = {"namespace": namespace, "page_size": "200", "sort_by": "updated_at desc"}
    schedules = (await api.get(f"{_API}/recurringruns", query=query)).get("recurringRuns", ())
    found = [recurring_activity(each) for each in schedules if each.get("error")]
    for kind, key in (("triggers", "trigger_id"), ("notifications", "notification_id")):
        things = (await api.get(f"{_API}/{kind}", query=query)).get(kind, ())
        found += [event_activity(each, kind, str(each[key])) for each in things if each.get("error")]
    return sorted(found, key=lambda each: each.at, reverse=True)[:most]


def recurring_activity(schedule: Mapping[str, Any]) -> Activity:
    """Of one whose last tick could not start a run."""
    return Activity(
        at=str(schedule.get("updated_at") or schedule["created_at"]),
        text=f"{schedule['display_name']} cannot start runs: {schedule['error']['message']}",
        icon="event_busy",
        path=f"/recurring-runs/{schedule['recurring_run_id']}",
        tone="bad",
        kind="Recurring run",
    )


def event_activity(thing: Mapping[str, Any], kind: str, key: str) -> Activity:
    """Of a trigger whose event started no run, or of a notification that was not taken."""
    is_trigger = kind == "triggers"
    what = "started no run" if is_trigger else f"could not tell {notifications.to_whom(thing)}"
    return Activity(
        at=str(thing.get("error_at") or thing["updated_at"]),
        text=f"{thing['display_name']} {what}: {triggers.state({**thing, 'status': 'ENABLED'})[3]}",
        icon="webhook" if is_trigger else "notifications_off",
        path=f"/{kind}/{key}",
        tone="bad",
        kind="Trigger" if is_trigger else "Notification",
    )


async def _found(
    api: Api, namespace: str, text: str, names: tuple[str, str, str], hit: Callable[[Mapping[str, Any]], Hit]
) -> list[Hit]:
    """`names` are the path's, the answer's and the id's. By a part of the name, and by the beginning of an id."""
    path, items, key = names
    found: dict[str, Mapping[str, Any]] = {}
    for field in (key, "name"):
        if field == key and not _ID.fullmatch(text.lower()):
            continue
        predicate = {"operation": "IS_SUBSTRING", "key": field, "string_value": text}
        query = {
            "namespace": namespace,
            "page_size": str(_MOST),
            "sort_by": "updated_at desc",
            "filter": json.dumps({"predicates": [predicate]}),
        }
        answered = await api.get(f"{_API}/{path}", query=query)
        found |= {str(each[key]): each for each in answered.get(items, ())}
    return [hit(each) for each in list(found.values())[:_MOST]]
