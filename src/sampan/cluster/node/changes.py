"""What of a pod in the API its worker heeds, each as a value to compare. Pure; called by `pod_sync`."""

from __future__ import annotations

from typing import Any

from sampan.client.protocol import Object
from sampan.kube import meta


def deletion(pod: Object) -> tuple[Any, Any]:
    metadata = meta.metadata(pod)
    return metadata.get("deletionTimestamp"), metadata.get("deletionGracePeriodSeconds")


def told(pod: Object) -> tuple[Any, Any]:
    return meta.labels(pod), meta.annotations(pod)


def gates(pod: Object) -> list[Any]:
    """The conditions of others that the pod's readiness waits for."""
    wanted = {each.get("conditionType") for each in meta.spec(pod).get("readinessGates") or ()}
    if not wanted:
        return []
    return [
        (each.get("type"), each.get("status"))
        for each in meta.status(pod).get("conditions") or ()
        if each.get("type") in wanted
    ]
