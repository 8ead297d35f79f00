"""A Deployment's spec as numbers, and what its ReplicaSets are marked with. Pure.

Source: pkg/controller/deployment/util/deployment_util.go, v1.33.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sampan.client.protocol import Object
from sampan.kube import intstr, meta

REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas"
MAX_REPLICAS = "deployment.kubernetes.io/max-replicas"
HASH = "pod-template-hash"
_NO_DEADLINE = 2**31 - 1


@dataclass(frozen=True, slots=True)
class DeploymentSpec:
    replicas: int
    rolling: bool
    max_surge: int
    """Pods above `replicas` while it rolls."""
    max_unavailable: int
    paused: bool
    min_ready_seconds: int
    deadline_seconds: int | None
    """None: it may take as long as it will."""
    history_limit: int | None

    @property
    def max_replicas(self) -> int:
        return self.replicas + self.max_surge


def read_spec(deployment: Object) -> DeploymentSpec:
    """Raises ValueError, TypeError or AttributeError for a spec that no API server would have taken."""
    spec = meta.spec(deployment)
    replicas = int(1 if spec.get("replicas") is None else spec["replicas"])
    strategy = spec.get("strategy") or {}
    rolling = (strategy.get("type") or "RollingUpdate") == "RollingUpdate"
    surge, unavailable = _fenceposts(strategy.get("rollingUpdate") or {}, replicas) if rolling else (0, 0)
    deadline, limit = spec.get("progressDeadlineSeconds"), spec.get("revisionHistoryLimit")
    return DeploymentSpec(
        replicas=replicas,
        rolling=rolling,
        max_surge=surge,
        max_unavailable=min(unavailable, replicas),
        paused=bool(spec.get("paused")),
        min_ready_seconds=int(spec.get("minReadySeconds") or 0),
        deadline_seconds=None if deadline is None or deadline == _NO_DEADLINE else int(deadline),
        history_limit=None if limit is None or limit == _NO_DEADLINE else int(limit),
    )


def _fenceposts(rolling: Mapping[str, Any], replicas: int) -> tuple[int, int]:
    """Surge is rounded up and unavailability down; both may not come out as 0, or nothing would ever move."""
    surge = intstr.scaled(rolling.get("maxSurge", "25%"), replicas, round_up=True)
    unavailable = intstr.scaled(rolling.get("maxUnavailable", "25%"), replicas, round_up=False)
    return (surge, unavailable) if surge or unavailable else (0, 1)


def size(replica_set: Object) -> int:
    """How many pods it is told to have."""
    return int(meta.spec(replica_set).get("replicas") or 0)


def counted(replica_sets: Iterable[Object], key: str) -> int:
    """The sum of a number in their status."""
    return sum(int(meta.status(each).get(key) or 0) for each in replica_sets)


def total(replica_sets: Iterable[Object]) -> int:
    return sum(map(size, replica_sets))


def active(replica_sets: Iterable[Object]) -> list[Object]:
    return [each for each in replica_sets if size(each) > 0]


def revision(obj: Object) -> int:
    return number(obj, REVISION)


def number(obj: Object, annotation: str) -> int:
    """0 for an annotation that is missing or no number."""
    text = str(meta.annotations(obj).get(annotation) or "")
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 19 else 0


def age_key(replica_set: Object) -> tuple[str, str]:
    """Sorts by age, the oldest first."""
    return str(meta.metadata(replica_set).get("creationTimestamp") or ""), meta.name(replica_set)
