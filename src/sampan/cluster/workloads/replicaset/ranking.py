"""Which pods go first when a ReplicaSet has too many: those that are missed least. Pure.

Source: pkg/controller/controller_utils.go (ActivePodsWithRanks), v1.33.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sampan.client.protocol import Object
from sampan.kube import conditions, meta, pods
from sampan.lib.clock import parse_rfc3339

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_PHASES = {pods.PENDING: 0, pods.UNKNOWN: 1, pods.RUNNING: 2}


def first_to_go(
    active: Sequence[Object], related: Iterable[Object], count: int, now: datetime
) -> list[Object]:
    """`count` of `active`. `related`: active pods of all sets of the same owner, to be spread over nodes."""
    if count >= len(active):
        return list(active)
    crowds = Counter(node for pod in related if (node := pods.node_name(pod)))
    return sorted(active, key=lambda pod: _rank(pod, crowds, now))[:count]


def _rank(pod: Object, crowds: Counter[str], now: datetime) -> tuple[Any, ...]:
    node, ready = pods.node_name(pod), pods.is_ready(pod)
    since = (conditions.find(pod, "Ready") or {}).get("lastTransitionTime") if ready else None
    created = meta.metadata(pod).get("creationTimestamp")
    return (
        bool(node),
        _PHASES.get(pods.phase(pod), 2),
        ready,
        deletion_cost(pod),
        -crowds[node],
        _magnitude(since, now),
        -_restarts(pod),
        _magnitude(created, now),
        # Of pods of about the same age none is preferred for ever: the uid is as good as chance.
        meta.uid(pod),
    )


def deletion_cost(pod: Object) -> int:
    """0 for what is no 32-bit number, as upstream."""
    text = str(meta.annotations(pod).get(DELETION_COST, "0"))
    digits = text.removeprefix("-")
    if (
        not digits.isdecimal()
        or not digits.isascii()
        or len(digits) > 10
        or (digits[0] == "0" and text != "0")
    ):
        return 0
    cost = int(text)
    return cost if -(2**31) <= cost < 2**31 else 0


def _magnitude(since: Any, now: datetime) -> int:
    """How long ago, as a power of two: who came first matters little after a while."""
    if not since:
        return -1
    nanoseconds = (now - parse_rfc3339(str(since))).total_seconds() * 1e9
    return int(math.log2(nanoseconds)) if nanoseconds >= 1 else 0


def _restarts(pod: Object) -> int:
    statuses = meta.status(pod).get("containerStatuses") or ()
    return max((int(each.get("restartCount") or 0) for each in statuses), default=0)
