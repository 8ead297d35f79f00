"""Volumes of a pod's template and where its containers see them. Changes what it is given.

Source: kserve/kserve v0.20.0 pkg/utils/storage.go (AddModelMount), pkg/utils/utils.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Spec = dict[str, Any]
"""Of a pod."""


@dataclass(frozen=True, slots=True)
class Show:
    """A volume, and how it is shown."""

    volume: Mapping[str, Any]
    path: str
    sub_path: str = ""
    is_read_only: bool = True
    is_shared: bool = False
    """Whether a container may see it at several places."""


def container(spec: Spec, name: str) -> dict[str, Any] | None:
    return next((each for each in spec.get("containers") or () if each.get("name") == name), None)


def show(spec: Spec, what: Show, containers: Iterable[dict[str, Any]]) -> None:
    """To each container that has no mount of that volume yet, or, where it is shared, none there."""
    for each in containers:
        add_mount(each, what)
    add_volume(spec, what.volume)


def add_mount(holder: dict[str, Any], what: Show) -> None:
    name = what.volume["name"]
    mounts = holder.get("volumeMounts") or []
    there = [each.get("mountPath") for each in mounts if each.get("name") == name]
    if what.path in there or (there and not what.is_shared):
        return
    mount: dict[str, Any] = {"name": name, "mountPath": what.path}
    if what.sub_path:
        mount["subPath"] = what.sub_path
    if what.is_read_only:
        mount["readOnly"] = True
    holder["volumeMounts"] = [*mounts, mount]


def add_volume(spec: Spec, volume: Mapping[str, Any]) -> None:
    volumes = spec.get("volumes") or []
    if all(each.get("name") != volume["name"] for each in volumes):
        spec["volumes"] = [*volumes, dict(volume)]


def empty(name: str) -> dict[str, Any]:
    return {"name": name, "emptyDir": {}}


def claimed(name: str, claim: str) -> dict[str, Any]:
    return {"name": name, "persistentVolumeClaim": {"claimName": claim}}


def of_claim(spec: Spec, name: str, claim: str) -> dict[str, Any]:
    """The pod's own volume of the claim, else one of that name: kubelets wait for ever for a claim's second volume
    (kubernetes/kubernetes#82526)."""
    for each in spec.get("volumes") or ():
        if (each.get("persistentVolumeClaim") or {}).get("claimName") == claim:
            return dict(each)
    return claimed(name, claim)


def set_variable(holder: dict[str, Any], name: str, value: str) -> None:
    """In place of whatever the container has under that name."""
    others = [each for each in holder.get("env") or () if each.get("name") != name]
    holder["env"] = [*others, {"name": name, "value": value}]


def default_variables(holder: dict[str, Any], variables: Mapping[str, str]) -> None:
    """Those that the container has not."""
    env = list(holder.get("env") or ())
    there = {each.get("name") for each in env}
    env.extend({"name": name, "value": text} for name, text in variables.items() if name not in there)
    holder["env"] = env
