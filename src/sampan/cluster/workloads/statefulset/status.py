"""The status of a StatefulSet, from its pods. Pure.

Source: pkg/controller/statefulset/stateful_set_control.go (updateStatus, completeRollingUpdate), v1.33.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from sampan.cluster.workloads.podcontrol import is_available
from sampan.cluster.workloads.statefulset.identity import ordinal_of, revision_of
from sampan.cluster.workloads.statefulset.plan import Situation
from sampan.kube import meta, pods


def status(situation: Situation, collisions: int) -> dict[str, Any]:
    spec = situation.spec
    mine = [pod for pod in situation.pods if ordinal_of(situation.stateful_set, pod) is not None]
    alive = [pod for pod in mine if not meta.is_deleting(pod) and not pods.is_terminal(pod)]
    ready = [pod for pod in mine if pods.phase(pod) == pods.RUNNING and pods.is_ready(pod)]
    available = [pod for pod in ready if is_available(pod, spec.min_ready_seconds, situation.now)]
    at_current = sum(revision_of(pod) == situation.current for pod in alive)
    at_update = sum(revision_of(pod) == situation.update for pod in alive)
    current = situation.current
    if spec.rolling and at_update == len(mine) == len(ready) == spec.replicas:
        # The rollout is complete: from now on the new revision is the one that the set is at.
        current, at_current = situation.update, at_update
    result: dict[str, Any] = deepcopy(meta.status(situation.stateful_set))
    result |= {
        "observedGeneration": meta.generation(situation.stateful_set),
        "replicas": len(mine),
        "availableReplicas": len(available),
        "currentRevision": current,
        "updateRevision": situation.update,
        "collisionCount": collisions,
    }
    counts = {"readyReplicas": len(ready), "currentReplicas": at_current, "updatedReplicas": at_update}
    for key, value in counts.items():
        if value:
            result[key] = value
        else:
            result.pop(key, None)
    return result
