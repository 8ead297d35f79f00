"""The logs of pods' containers, as sources of the log viewer. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sampan.kube import meta
from sampan.ui.api import segment
from sampan.ui.logview.logview import LogSource
from sampan.ui.objects import health

Object = Mapping[str, Any]


def sources(pods: Sequence[Object], *, with_pod: bool) -> list[LogSource]:
    """Each container's log, and that of its last run before where there was one."""
    found = []
    for pod in pods:
        status, path = pod.get("status") or {}, _path(pod)
        is_over = status.get("phase") in ("Succeeded", "Failed")
        restarts = {
            each.get("name"): each.get("restartCount") or 0
            for part in ("initContainerStatuses", "containerStatuses")
            for each in status.get(part) or ()
        }
        for name in containers(pod):
            shown = f"{meta.name(pod)}, {name}" if with_pod else name
            key = f"{meta.name(pod)}.{name}" if with_pod else name
            file = f"{meta.name(pod)}-{name}"
            query = {"container": name}
            found.append(LogSource(key, shown, path, query, not is_over, f"{file}.txt"))
            if restarts.get(name):
                before = {**query, "previous": "true"}
                label = f"{shown}, the run before"
                found.append(LogSource(f"{key}.previous", label, path, before, False, f"{file}-previous.txt"))
    return found


def first(pods: Sequence[Object]) -> str:
    """The key of the log that is looked for most likely: of what failed, else of the first container."""
    if len(pods) != 1:
        return f"{meta.name(pods[0])}.{containers(pods[0])[-1]}" if pods and containers(pods[0]) else ""
    pod = pods[0]
    status = pod.get("status") or {}
    for each in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        if health.container(each) is not None:
            return str(each.get("name"))
    declared = (pod.get("spec") or {}).get("containers") or ()
    return str(declared[0].get("name")) if declared else ""


def containers(pod: Object) -> list[str]:
    """Their names, those that run first first."""
    spec = pod.get("spec") or {}
    parts = ("initContainers", "containers", "ephemeralContainers")
    return [str(each.get("name")) for part in parts for each in spec.get(part) or ()]


def _path(pod: Object) -> str:
    return f"/api/v1/namespaces/{segment(meta.namespace(pod))}/pods/{segment(meta.name(pod))}/log"
