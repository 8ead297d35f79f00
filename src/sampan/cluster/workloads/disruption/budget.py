"""The status of a PodDisruptionBudget. Pure.

Source: kubernetes/pkg/controller/disruption/disruption.go, v1.34.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sampan.client.protocol import Object
from sampan.kube import conditions, intstr, meta, pods
from sampan.lib.clock import parse_rfc3339, rfc3339

_DELETION_TIMEOUT = timedelta(minutes=2)
"""A pod that was let go and is still there by then was not deleted after all."""


@dataclass(frozen=True, slots=True)
class Judged:
    status: dict[str, Any]
    again: timedelta | None
    """When a pod that was let go must have gone."""


def status(budget: Object, chosen: Sequence[Object], scale: int | None, now: datetime) -> Judged:
    """`chosen`: the pods it selects. `scale`: how many their controllers want; None where that is not known.

    Raises ValueError for a number that is neither number nor percentage.
    """
    alive = [pod for pod in chosen if not pods.is_terminal(pod)]
    disturbed, again = _still_disturbed(budget, alive, now)
    expected, desired = _wanted(meta.spec(budget), len(alive), scale)
    healthy = sum(
        1
        for pod in alive
        if pods.is_ready(pod) and not meta.is_deleting(pod) and meta.name(pod) not in disturbed
    )
    allowed = max(healthy - desired, 0) if expected > 0 else 0
    changed: Object = {"status": {**meta.status(budget)}}
    held = changed["status"].get("conditions") or ()
    changed["status"]["conditions"] = [dict(each) for each in held]
    reason = "SufficientPods" if allowed else "InsufficientPods"
    conditions.put(changed, "DisruptionAllowed", str(bool(allowed)), now=rfc3339(now), reason=reason)
    for each in changed["status"]["conditions"]:
        if each["type"] == "DisruptionAllowed":
            each.setdefault("message", "")
            each["observedGeneration"] = meta.generation(budget)
    after = {
        **changed["status"],
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "disruptionsAllowed": allowed,
        "expectedPods": expected,
        "observedGeneration": meta.generation(budget),
    }
    after.pop("disruptedPods", None)
    if disturbed:
        after["disruptedPods"] = disturbed
    return Judged(after, again)


def _wanted(spec: Mapping[str, Any], alive: int, scale: int | None) -> tuple[int, int]:
    """How many pods are expected, and how many of them must be healthy."""
    expected = alive if scale is None else scale
    if (most := spec.get("maxUnavailable")) is not None:
        return expected, max(expected - intstr.scaled(most, expected, round_up=True), 0)
    least = spec.get("minAvailable")
    if least is None:
        return alive, alive
    if isinstance(least, int):
        return alive, least
    return expected, intstr.scaled(least, expected, round_up=True)


def _still_disturbed(
    budget: Object, alive: Sequence[Object], now: datetime
) -> tuple[dict[str, str], timedelta | None]:
    present = {meta.name(pod) for pod in alive if not meta.is_deleting(pod)}
    kept: dict[str, str] = {}
    again: timedelta | None = None
    for name, since in (meta.status(budget).get("disruptedPods") or {}).items():
        left = parse_rfc3339(since) + _DELETION_TIMEOUT - now
        if name in present and left > timedelta():
            kept[name] = since
            again = left if again is None else min(again, left)
    return kept, again
