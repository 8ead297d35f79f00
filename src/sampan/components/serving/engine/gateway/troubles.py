"""Why a pod that requests wait for will not come by itself. Pure.

What may still turn out well by waiting, such as an image that is being installed, is no trouble.
Source of the reasons: pkg/kubelet/images/types.go, pkg/kubelet/kuberuntime/kuberuntime_container.go, v1.31.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sampan.components.serving.api.routing import Private
from sampan.kube import meta
from sampan.kube.meta import Object

_STUCK = frozenset(
    {
        *("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"),
        *("CreateContainerConfigError", "CreateContainerError", "RunContainerError", "CrashLoopBackOff"),
    }
)
_MOST_WORDS = 400


def of_pod(pod: Object) -> str:
    """Empty where there is none."""
    status = meta.status(pod)
    for key in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(key) or ():
            waiting = (container.get("state") or {}).get("waiting") or {}
            if waiting.get("reason") in _STUCK:
                words = _line(f"container {container.get('name')}: {_why(container, waiting)}")
                return Private(words, str(waiting["reason"]))
    return ""


def waits(pod: Object) -> str:
    """What a pod that has no trouble waits for, if it says so."""
    for condition in meta.status(pod).get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return _line(f"{condition.get('reason')}: {condition.get('message') or 'it is not scheduled'}")
    for container in meta.status(pod).get("containerStatuses") or ():
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("message"):
            return _line(f"container {container.get('name')}: {waiting['message']}")
    return ""


def of_deployment(deployment: Object) -> str:
    """Pods that could not even be made."""
    for condition in meta.status(deployment).get("conditions") or ():
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            reason = str(condition.get("reason"))
            return Private(_line(f"{reason}: {condition.get('message')}"), reason)
    return ""


def _why(container: Mapping[str, Any], waiting: Mapping[str, Any]) -> str:
    reason = str(waiting["reason"])
    ended = (container.get("lastState") or {}).get("terminated") or {}
    if reason == "CrashLoopBackOff" and ended:
        said = str(ended.get("message") or "").strip()
        return f"{reason}: it ended with exit code {ended.get('exitCode')}" + (f": {said}" if said else "")
    return f"{reason}: {waiting.get('message') or 'no message'}"


def _line(text: str) -> str:
    return " ".join(text.split())[:_MOST_WORDS]
