"""The status of a ReplicaSet, from its active pods. Pure.

Source: pkg/controller/replicaset/replica_set_utils.go, v1.33.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any

from sampan.client.protocol import Object
from sampan.cluster.workloads.podcontrol import available_in
from sampan.kube import conditions, meta, pods
from sampan.lib.clock import rfc3339

REPLICA_FAILURE = "ReplicaFailure"


def status(
    replica_set: Object, active: Sequence[Object], failure: tuple[str, str] | None, now: datetime
) -> dict[str, Any]:
    """`failure`: reason and message of what could not be created or deleted."""
    spec = meta.spec(replica_set)
    labels = meta.labels(spec.get("template") or {}).items()
    counts = {
        "fullyLabeledReplicas": sum(1 for pod in active if labels <= meta.labels(pod).items()),
        "readyReplicas": sum(map(pods.is_ready, active)),
        "availableReplicas": sum(1 for pod in active if _wait(replica_set, pod, now) == timedelta()),
    }
    holder = {"status": deepcopy(meta.status(replica_set))}
    result = holder["status"]
    for key, value in counts.items():
        if value:
            result[key] = value
        else:
            result.pop(key, None)
    result["replicas"] = len(active)
    result["observedGeneration"] = meta.generation(replica_set)
    if failure is None:
        if conditions.remove(holder, REPLICA_FAILURE) and not result["conditions"]:
            del result["conditions"]
    elif not conditions.is_true(holder, REPLICA_FAILURE):
        reason, message = failure
        conditions.put(holder, REPLICA_FAILURE, "True", now=rfc3339(now), reason=reason, message=message)
    return result


def look_again(replica_set: Object, active: Sequence[Object], now: datetime) -> timedelta | None:
    """When time alone makes another pod available."""
    waits = [wait for pod in active if (wait := _wait(replica_set, pod, now))]
    return min(waits, default=None)


def _wait(replica_set: Object, pod: Object, now: datetime) -> timedelta | None:
    return available_in(pod, int(meta.spec(replica_set).get("minReadySeconds") or 0), now)
