"""How fast the number of pods may change: bounds, policies, and what was proposed lately. Pure: it is told the time.

Source: kubernetes/pkg/controller/podautoscaler/horizontal.go (normalizeDesiredReplicas, …WithBehaviors), v1.34.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

_STABILIZATION_SECONDS = 300
"""Before fewer are taken where no behaviour says otherwise; kube-controller-manager's default."""
_UP_FACTOR, _UP_LEAST = 2, 4
_NO_LIMIT = 2**31 - 1

WITHIN = ("DesiredWithinRange", "the desired count is within the acceptable range")
_TOO_FEW = ("TooFewReplicas", "the desired replica count is less than the minimum replica count")
_TOO_MANY = ("TooManyReplicas", "the desired replica count is more than the maximum replica count")
_TOO_FAST_UP = (
    "ScaleUpLimit",
    "the desired replica count is increasing faster than the maximum scale rate",
)
_TOO_FAST_DOWN = (
    "ScaleDownLimit",
    "the desired replica count is decreasing faster than the maximum scale rate",
)
_READY = ("ReadyForNewScale", "recommended size matches current size")
_STABILIZED_UP = (
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
)
_STABILIZED_DOWN = (
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent recommendation",
)

Said = tuple[str, str]
"""Reason and message of a condition."""
Timed = tuple[int, datetime]


@dataclass(slots=True)
class History:
    """Of one autoscaler, since the server started."""

    recommendations: list[Timed] = field(default_factory=list)
    ups: list[Timed] = field(default_factory=list)
    """By how many, when."""
    downs: list[Timed] = field(default_factory=list)

    def changed(self, before: int, after: int, behavior: Mapping[str, Any] | None, now: datetime) -> None:
        if behavior is None:
            return
        events, rules = (
            (self.ups, behavior["scaleUp"]) if after > before else (self.downs, behavior["scaleDown"])
        )
        longest = max((each["periodSeconds"] for each in rules.get("policies") or ()), default=0)
        events[:] = [each for each in events if each[1] >= now - timedelta(seconds=longest)]
        events.append((abs(after - before), now))


@dataclass(frozen=True, slots=True)
class Bounds:
    current: int
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Normalized:
    replicas: int
    able: Said
    limited: Said
    is_limited: bool


def normalize(
    desired: int, bounds: Bounds, behavior: Mapping[str, Any] | None, history: History, now: datetime
) -> Normalized:
    """What comes of `desired`, which is remembered."""
    if behavior is None:
        stable, able = _stabilized_down(desired, history, now), _STABILIZED_DOWN
        replicas, said = _within(stable, bounds)
    else:
        stable = _stabilized(desired, bounds.current, behavior, history, now)
        able = _STABILIZED_UP if desired >= bounds.current else _STABILIZED_DOWN
        replicas, said = _within_policies(stable, bounds, behavior, history, now)
    return Normalized(replicas, able if stable != desired else _READY, said, replicas != stable)


def _stabilized_down(desired: int, history: History, now: datetime) -> int:
    cutoff = now - timedelta(seconds=_STABILIZATION_SECONDS)
    history.recommendations[:] = [each for each in history.recommendations if each[1] >= cutoff]
    most = max([desired, *(value for value, _ in history.recommendations)])
    history.recommendations.append((desired, now))
    return most


def _stabilized(
    desired: int, current: int, behavior: Mapping[str, Any], history: History, now: datetime
) -> int:
    up, down = (
        now - timedelta(seconds=_window(behavior, key, default))
        for key, default in (("scaleUp", 0), ("scaleDown", _STABILIZATION_SECONDS))
    )
    kept = history.recommendations
    for_up = min([desired, *(value for value, at in kept if at > up)])
    for_down = max([desired, *(value for value, at in kept if at > down)])
    kept[:] = [each for each in kept if not (each[1] < up and each[1] < down)]
    kept.append((desired, now))
    return min(max(current, for_up), for_down)


def _window(behavior: Mapping[str, Any], key: str, default: int) -> int:
    seconds = behavior[key].get("stabilizationWindowSeconds")
    return default if seconds is None else int(seconds)


def _within(desired: int, bounds: Bounds) -> tuple[int, Said]:
    fastest = max(_UP_FACTOR * bounds.current, _UP_LEAST)
    most, said = (fastest, _TOO_FAST_UP) if bounds.most > fastest else (bounds.most, _TOO_MANY)
    if desired < bounds.least:
        return bounds.least, _TOO_FEW
    return (most, said) if desired > most else (desired, WITHIN)


def _within_policies(
    desired: int, bounds: Bounds, behavior: Mapping[str, Any], history: History, now: datetime
) -> tuple[int, Said]:
    if desired > bounds.current:
        limit = max(up_limit(bounds.current, behavior["scaleUp"], history, now), bounds.current)
        most, said = (limit, _TOO_FAST_UP) if bounds.most > limit else (bounds.most, _TOO_MANY)
        if desired > most:
            return most, said
    elif desired < bounds.current:
        limit = min(down_limit(bounds.current, behavior["scaleDown"], history, now), bounds.current)
        least, said = (limit, _TOO_FAST_DOWN) if bounds.least < limit else (bounds.least, _TOO_FEW)
        if desired < least:
            return least, said
    return desired, WITHIN


def up_limit(current: int, rules: Mapping[str, Any], history: History, now: datetime) -> int:
    """The most there may be now."""
    choice = rules.get("selectPolicy")
    if choice == "Disabled":
        return current
    proposed = [
        start + policy["value"]
        if policy["type"] == "Pods"
        # Up, or a small number would never grow.
        else math.ceil(start * (1 + policy["value"] / 100))
        for policy in rules.get("policies") or ()
        for start in (_at_start(current, policy, history, now),)
    ]
    if choice == "Min":
        return min(proposed, default=_NO_LIMIT)
    return max(proposed, default=-_NO_LIMIT)


def down_limit(current: int, rules: Mapping[str, Any], history: History, now: datetime) -> int:
    """The fewest there may be now."""
    choice = rules.get("selectPolicy")
    if choice == "Disabled":
        return current
    proposed = [
        start - policy["value"] if policy["type"] == "Pods" else int(start * (1 - policy["value"] / 100))
        for policy in rules.get("policies") or ()
        for start in (_at_start(current, policy, history, now),)
    ]
    if choice == "Min":
        return max(proposed, default=-_NO_LIMIT)
    return min(proposed, default=_NO_LIMIT)


def _at_start(current: int, policy: Mapping[str, Any], history: History, now: datetime) -> int:
    """How many there were when the policy's period began."""
    cutoff = now - timedelta(seconds=policy["periodSeconds"])
    return current - _changes(history.ups, cutoff) + _changes(history.downs, cutoff)


def _changes(events: Sequence[Timed], cutoff: datetime) -> int:
    return sum(change for change, at in events if at > cutoff)
