"""The `status.conditions` list: one entry a type, whose time changes only with its status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sampan.kube.meta import Object


def find(obj: Mapping[str, Any], type_: str) -> dict[str, Any] | None:
    status = obj.get("status") or {}
    for condition in status.get("conditions") or ():
        if condition.get("type") == type_:
            found: dict[str, Any] = condition
            return found
    return None


def is_true(obj: Mapping[str, Any], type_: str) -> bool:
    condition = find(obj, type_)
    return condition is not None and condition.get("status") == "True"


def put(obj: Object, type_: str, status: str, *, now: str, reason: str = "", message: str = "") -> bool:
    """Sets the condition in place, at the time `now` (RFC 3339). Whether anything changed."""
    wanted: dict[str, Any] = {"type": type_, "status": status, "lastTransitionTime": now}
    if reason:
        wanted["reason"] = reason
    if message:
        wanted["message"] = message
    current = find(obj, type_)
    if current is None:
        obj.setdefault("status", {}).setdefault("conditions", []).append(wanted)
        return True
    if current.get("status") == status:
        wanted["lastTransitionTime"] = current.get("lastTransitionTime") or now
    before = dict(current)
    for key in ("reason", "message"):
        current.pop(key, None)
    current.update(wanted)
    return current != before


def remove(obj: Object, type_: str) -> bool:
    """Whether it was there."""
    status = obj.get("status") or {}
    kept = [condition for condition in status.get("conditions") or () if condition.get("type") != type_]
    if len(kept) == len(status.get("conditions") or ()):
        return False
    status["conditions"] = kept
    return True
