"""Endpoints in the search of the dashboard, and in its feed of what happened."""

from __future__ import annotations

from collections.abc import Sequence

from sampan.components.serving.ui import places, states
from sampan.components.serving.ui.summary import Endpoint, summarise
from sampan.kube import conditions, meta
from sampan.kube.meta import Object
from sampan.ui.api import Api
from sampan.ui.contract import Activity, Hit
from sampan.ui.objects import following

_MOST = 10


async def search(api: Api, namespace: str, text: str) -> Sequence[Hit]:
    """By name, label, model and uid."""
    sought = text.strip().lower()
    found = [each for each in await following.once(api, places.KINDS, namespace) if fits(each, sought)]
    found.sort(key=lambda each: not meta.name(each).lower().startswith(sought))
    return [hit(summarise(each)) for each in found[:_MOST]]


def fits(obj: Object, sought: str) -> bool:
    """Pure."""
    endpoint = summarise(obj)
    told = [endpoint.name, endpoint.serves, endpoint.source]
    told += [f"{key}={value}" for key, value in meta.labels(obj).items()]
    return endpoint.uid.lower().startswith(sought) or any(sought in each.lower() for each in told)


def hit(endpoint: Endpoint) -> Hit:
    """Pure."""
    parts = (states.shown(endpoint.state)[0], endpoint.kind, endpoint.serves)
    place = places.of(endpoint.kind, endpoint.namespace, endpoint.name)
    return Hit("Endpoint", endpoint.name, place, places.ICON, " · ".join(each for each in parts if each))


async def feed(api: Api, namespace: str, most: int) -> Sequence[Activity]:
    """Endpoints that were made, became ready or stopped being so, the newest first."""
    objects = await following.once(api, places.KINDS, namespace)
    told = [each for obj in objects for each in activities(obj)]
    return sorted(told, key=lambda each: each.at, reverse=True)[:most]


def activities(obj: Object) -> list[Activity]:
    """What happened to one. Pure."""
    endpoint = summarise(obj)
    path = places.of(endpoint.kind, endpoint.namespace, endpoint.name)
    text = f"Endpoint {endpoint.name} was created"
    found = [Activity(endpoint.created, text, places.ICON, path, "busy", "Endpoint")]
    ready = conditions.find(obj, "Ready")
    at = str((ready or {}).get("lastTransitionTime") or "")
    if ready is None or not at or ready.get("status") == "Unknown":
        return found
    word, tone, icon = states.shown(endpoint.state)
    icon = icon or {"ok": "check_circle", "bad": "error"}.get(tone, "pending")
    reason = f": {states.short(endpoint)}" if endpoint.why else ""
    text = f"Endpoint {endpoint.name} is {word.lower()}{reason}"
    return [*found, Activity(at, text, icon, path, tone, "Endpoint")]
