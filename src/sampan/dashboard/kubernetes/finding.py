"""The cluster's part of the search over everything, and of what happened lately."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sampan.dashboard.kubernetes import kinds, overview, tables
from sampan.dashboard.kubernetes.kinds import Catalogue, Kind, spaced
from sampan.dashboard.kubernetes.tables import Line
from sampan.ui.api import Api, ApiFailureError
from sampan.ui.contract import Activity, Hit

_SEARCHED: Mapping[str, str] = {
    "pods": "view_in_ar",
    "deployments": "layers",
    "statefulsets": "layers",
    "jobs": "work",
    "cronjobs": "schedule",
    "services": "lan",
    "configmaps": "description",
    "secrets": "key",
    "persistentvolumeclaims": "storage",
    "workflows.argoproj.io": "account_tree",
}
"""Kinds that are looked through, and their icons."""
_MOST_LOOKED_AT = "1000"
"""Of each kind: what a search costs is bounded, however much there is."""
_REMARKS = frozenset({"ImageSubstituted"})
"""Reasons of events that say how something is done, not that it goes wrong."""
_COMING_UP = ("Readiness probe failed", "Startup probe failed")
_OFTEN = 10
"""Probes that failed, from which on a pod does not only take its time."""
_MOST_HITS = 10


async def search(api: Api, namespace: str, text: str) -> Sequence[Hit]:
    """Objects whose names or labels say `text`; and kinds that are called so."""
    try:
        catalogue = await kinds.find(api)
    except ApiFailureError:
        return ()
    known = [
        (kind, icon) for key, icon in _SEARCHED.items() if (kind := catalogue.kinds.get(key)) is not None
    ]
    found = await asyncio.gather(*(_lines(api, kind, namespace) for kind, _ in known))
    hits = [
        hit for (kind, icon), lines in zip(known, found, strict=True) for hit in best(lines, kind, icon, text)
    ]
    return [*hits, *_kinds(catalogue, text)]


async def _lines(api: Api, kind: Kind, namespace: str) -> Sequence[Line]:
    query = {"limit": _MOST_LOOKED_AT}
    try:
        return tables.read(await api.get(kind.path(namespace), query, accept=tables.METADATA)).lines
    except ApiFailureError:
        # What one may not see is not found.
        return ()


def best(lines: Iterable[Line], kind: Kind, icon: str, text: str) -> list[Hit]:
    """Names that begin with it first, then those that hold it, then labels. Pure."""
    wanted = text.lower().strip()
    if not wanted:
        return []
    ranked: list[tuple[int, str, Hit]] = []
    for line in lines:
        name = line.name.lower()
        label = _label(line, wanted)
        if wanted not in name and not label and line.uid != wanted:
            continue
        rank = 0 if name == wanted else 1 if name.startswith(wanted) else 2 if wanted in name else 3
        detail = f"{line.namespace}, {label}" if label and rank == 3 else line.namespace
        ranked.append(
            (
                rank,
                line.name,
                Hit(spaced(kind.kind), line.name, kind.page(line.namespace, line.name), icon, detail),
            )
        )
    return [hit for _, _, hit in sorted(ranked, key=lambda each: each[:2])[:_MOST_HITS]]


def _label(line: Line, wanted: str) -> str:
    for key, value in line.labels.items():
        said = f"{key}={value}"
        if value.lower().startswith(wanted) or said.lower().startswith(wanted):
            return said
    return ""


def _kinds(catalogue: Catalogue, text: str) -> list[Hit]:
    wanted = text.lower().strip()
    found = [
        each
        for each in catalogue.kinds.values()
        if len(wanted) > 1 and (each.plural.startswith(wanted) or each.label.lower().startswith(wanted))
    ]
    return [Hit("List", each.label, each.page(), "list", each.group or "Kubernetes") for each in found[:3]]


async def feed(api: Api, namespace: str, most: int) -> Sequence[Activity]:
    """Warnings of the cluster; what goes well is not told."""
    try:
        catalogue = await kinds.find(api)
        events = catalogue.lookup("events")
        if events is None:
            return ()
        query = {"fieldSelector": "type=Warning", "limit": _MOST_LOOKED_AT}
        found = await api.get(events.path(namespace), query)
    except ApiFailureError:
        return ()
    news = [each for each in overview.latest(found.get("items") or ()) if is_news(each)]
    return [told(each, catalogue) for each in news[:most]]


def is_news(event: Mapping[str, Any]) -> bool:
    """Whether somebody should look: not so for what every pod of a model says while it comes up. Pure."""
    reason, message = str(event.get("reason") or ""), str(event.get("message") or event.get("note") or "")
    if reason == "Unhealthy" and message.startswith(_COMING_UP):
        return int(event.get("count") or 1) >= _OFTEN
    return reason not in _REMARKS


def told(event: Mapping[str, Any], catalogue: Catalogue) -> Activity:
    """Pure."""
    about = event.get("involvedObject") or event.get("regarding") or {}
    name, kind_name = str(about.get("name") or ""), str(about.get("kind") or "")
    kind = catalogue.of(str(about.get("apiVersion") or "v1"), kind_name)
    message = str(event.get("message") or event.get("note") or event.get("reason") or "")
    return Activity(
        overview.event_time(event),
        f"{spaced(kind_name)} {name}: {message[:300]}",
        "warning",
        kind.page(str(about.get("namespace") or ""), name) if kind is not None and name else "",
        "warn",
        "Cluster",
    )
