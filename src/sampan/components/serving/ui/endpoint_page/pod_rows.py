"""An endpoint's pods as rows of a table. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sampan.components.serving.api import labels
from sampan.components.serving.ui import places
from sampan.kube import meta
from sampan.ui.objects import health
from sampan.ui.table import cells
from sampan.ui.table.table import Column, Row

Href = Callable[[str], str]

COLUMNS = (
    Column("name", "Pod"),
    Column("state", "State"),
    Column("component", "Component"),
    Column("revision", "Revision"),
    Column("restarts", "Restarts", number=True),
    Column("created", "Created"),
)


def columns(pods: Iterable[Mapping[str, Any]]) -> tuple[Column, ...]:
    """Without those that none of them has anything in."""
    held = [meta.labels(each) for each in pods]
    has = {"component": labels.COMPONENT, "revision": labels.REVISION}
    return tuple(
        each for each in COLUMNS if each.key not in has or any(found.get(has[each.key]) for found in held)
    )


def row(pod: Mapping[str, Any], href: Href) -> Row:
    found = health.of(pod)
    held = meta.labels(pod)
    tone, word, why = (found.tone, found.word, found.why) if found is not None else ("idle", "Unknown", "")
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    restarts = sum(int(each.get("restartCount") or 0) for each in statuses)
    return Row(
        meta.name(pod),
        {
            "name": cells.link(meta.name(pod), href(places.pod(meta.namespace(pod), meta.name(pod)))),
            "state": cells.state(word, tone, "", why),
            "component": held.get(labels.COMPONENT, ""),
            "revision": held.get(labels.REVISION, ""),
            "restarts": cells.number(restarts, str(restarts)),
            "created": cells.time(str(meta.metadata(pod).get("creationTimestamp") or "")),
        },
        name=meta.name(pod),
    )


def is_ready(pod: Mapping[str, Any]) -> bool:
    if meta.is_deleting(pod):
        return False
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)
