"""Which of a target's pods count, and what they asked for. Pure.

Source: kubernetes/pkg/controller/podautoscaler/replica_calculator.go (groupPods, calculatePodRequests), v1.34;
periods as kube-controller-manager has them by default.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sampan.client.protocol import Object
from sampan.kube import conditions, meta, pods, quantities
from sampan.lib.clock import parse_rfc3339

_CPU_INITIALIZATION = timedelta(minutes=5)
_INITIAL_READINESS_DELAY = timedelta(seconds=30)
_CPU = "cpu"


class MetricsError(Exception):
    """Why a metric has no value, for people."""


@dataclass(frozen=True, slots=True)
class Sample:
    value: int
    """In thousandths."""
    window_seconds: float
    at: datetime


@dataclass(slots=True)
class Groups:
    """By name."""

    ready: int = 0
    unready: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)
    """Of which there are no figures."""
    ignored: set[str] = field(default_factory=set)


def group(chosen: Iterable[Object], samples: Mapping[str, Sample], resource: str, now: datetime) -> Groups:
    groups = Groups()
    for pod in chosen:
        name = meta.name(pod)
        sample = samples.get(name)
        if meta.is_deleting(pod) or pods.phase(pod) == pods.FAILED:
            groups.ignored.add(name)
        elif pods.phase(pod) == pods.PENDING:
            groups.unready.add(name)
        elif sample is None:
            groups.missing.add(name)
        elif resource == _CPU and _is_unready(pod, sample, now):
            groups.unready.add(name)
        else:
            groups.ready += 1
    return groups


def _is_unready(pod: Object, sample: Sample, now: datetime) -> bool:
    """Whether what it uses is but its start."""
    ready = conditions.find(pod, "Ready")
    started = meta.status(pod).get("startTime")
    if ready is None or not started:
        return True
    begun, is_false = parse_rfc3339(started), ready.get("status") == "False"
    changed = parse_rfc3339(ready.get("lastTransitionTime") or started)
    if begun + _CPU_INITIALIZATION > now:
        return is_false or sample.at < changed + timedelta(seconds=sample.window_seconds)
    # It has never been ready.
    return is_false and begun + _INITIAL_READINESS_DELAY > changed


def requests(chosen: Sequence[Object], container: str, resource: str) -> dict[str, int]:
    """In thousandths, by the pods' names. Raises MetricsError when a container says nothing."""
    found: dict[str, int] = {}
    for pod in chosen:
        spec = meta.spec(pod)
        sidecars = [each for each in spec.get("initContainers") or () if pods.is_sidecar(each)]
        total = 0
        for each in (*(spec.get("containers") or ()), *sidecars):
            if container and each.get("name") != container:
                continue
            asked = ((each.get("resources") or {}).get("requests") or {}).get(resource)
            if asked is None:
                raise MetricsError(
                    f"missing request for {resource} in container {each.get('name')} of Pod {meta.name(pod)}"
                )
            total += milli(asked)
        found[meta.name(pod)] = total
    return found


def milli(quantity: str | int | float) -> int:
    """Rounded up, as Kubernetes does."""
    return math.ceil(quantities.parse(quantity) * 1000)


def ready_count(chosen: Iterable[Object]) -> int:
    return sum(1 for pod in chosen if pods.phase(pod) == pods.RUNNING and pods.is_ready(pod))
