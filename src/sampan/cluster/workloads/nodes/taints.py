"""What a node's taints mean for the pods it runs, and the taint of a cordoned node. Pure.

Source: kubernetes/pkg/controller/tainteviction/taint_eviction.go, pkg/controller/nodelifecycle, v1.34.
"""

from __future__ import annotations

import math
from typing import Any

from sampan.client.protocol import Object
from sampan.cluster.scheduler.constraints import Taint, Toleration
from sampan.kube import meta

CORDONED = "node.kubernetes.io/unschedulable"


def stays_for(pod: Object, node: Object) -> float:
    """Seconds for which the pod may stay with the NoExecute taints of `node`: infinity for ever, 0 not at all.

    Raises ValueError, TypeError or AttributeError for what cannot be read.
    """
    taints = [
        taint for taint in map(Taint.read, meta.spec(node).get("taints") or ()) if taint.effect == "NoExecute"
    ]
    if not taints:
        return math.inf
    tolerations = tuple(map(Toleration.read, meta.spec(pod).get("tolerations") or ()))
    used: list[Toleration] = []
    for taint in taints:
        matching = [each for each in tolerations if each.tolerates(taint)]
        if not matching:
            return 0
        used += matching
    return min((float(each.seconds) for each in used if each.seconds is not None), default=math.inf)


def with_cordon(node: Object, now: str) -> list[dict[str, Any]] | None:
    """The node's taints as they should be, cordoned or not; None when they are so."""
    spec = meta.spec(node)
    taints: list[dict[str, Any]] = spec.get("taints") or []
    has = any(each.get("key") == CORDONED and each.get("effect") == "NoSchedule" for each in taints)
    if bool(spec.get("unschedulable")) == has:
        return None
    if has:
        return [each for each in taints if each.get("key") != CORDONED or each.get("effect") != "NoSchedule"]
    return [*taints, {"key": CORDONED, "effect": "NoSchedule", "timeAdded": now}]
