"""The status of a DaemonSet, from its pods. Pure.

Source: pkg/controller/daemon/daemon_controller.go (updateDaemonSetStatus), v1.33.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from sampan.cluster.workloads.daemonset.placement import node_of
from sampan.cluster.workloads.daemonset.plan import Situation
from sampan.kube import meta, pods


def status(situation: Situation, collisions: int) -> dict[str, Any]:
    alive = [pod for pod in situation.pods if not meta.is_deleting(pod) and not pods.is_terminal(pod)]
    first: dict[str, Any] = {}
    for pod in sorted(alive, key=situation.is_new, reverse=True):
        first.setdefault(node_of(pod), pod)
    placed = [pod for node, pod in first.items() if node in _meant(situation)]
    available = sum(map(situation.is_available, placed))
    wanted = situation.wanted
    result: dict[str, Any] = deepcopy(meta.status(situation.daemon_set))
    result |= {
        "currentNumberScheduled": len(placed),
        "numberMisscheduled": len(first) - len(placed),
        "desiredNumberScheduled": wanted,
        "numberReady": sum(map(pods.is_ready, placed)),
        "observedGeneration": meta.generation(situation.daemon_set),
    }
    counts = {
        "updatedNumberScheduled": sum(map(situation.is_new, placed)),
        "numberAvailable": available,
        "numberUnavailable": wanted - available,
        "collisionCount": collisions,
    }
    for key, value in counts.items():
        if value:
            result[key] = value
        else:
            result.pop(key, None)
    return result


def _meant(situation: Situation) -> set[str]:
    return {node for node, verdict in situation.verdicts.items() if verdict.should_run}
