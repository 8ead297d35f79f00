"""Adding to a container what a policy wants of it: by name, or in place of what is there. Changes lists in place.

For the plugins. Source: kubeflow/trainer pkg/apply/apply.go, v2.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sampan.kube.meta import Object


def upsert_env(container: Object, variables: Iterable[Object]) -> None:
    """By name. A variable that was there keeps its place."""
    _upsert(container, "env", variables, lambda old, new: old.get("name") == new.get("name"))


def upsert_port(container: Object, number: int, **more: Any) -> None:
    """By number; two without a name are not the same one."""
    port = {"containerPort": number, **more}
    _upsert(container, "ports", [port], _is_same_port)


def upsert_volumes(pod_spec: Object, volumes: Iterable[Object]) -> None:
    """By name."""
    _upsert(pod_spec, "volumes", volumes, lambda old, new: old.get("name") == new.get("name"))


def upsert_mounts(container: Object, mounts: Iterable[Object]) -> None:
    """By the path at which they appear."""
    _upsert(container, "volumeMounts", mounts, lambda old, new: old.get("mountPath") == new.get("mountPath"))


def value(name: str, text: str | int) -> Object:
    return {"name": name, "value": str(text)}


def from_field(name: str, path: str) -> Object:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def _is_same_port(old: Object, new: Object) -> bool:
    if old.get("containerPort") == new.get("containerPort"):
        return True
    return bool(new.get("name")) and old.get("name") == new.get("name")


def _upsert(
    holder: Object, key: str, items: Iterable[Object], is_same: Callable[[Object, Object], bool]
) -> None:
    added = [dict(item) for item in items]
    if not added:
        return
    held: list[Object] = holder.setdefault(key, [])
    for item in added:
        at = next((at for at, old in enumerate(held) if is_same(old, item)), None)
        if at is None:
            held.append(item)
        else:
            held[at] = item
