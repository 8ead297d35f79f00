"""From figures to how many pods there should be. Pure.

Source: kubernetes/pkg/controller/podautoscaler/{replica_calculator.go,metrics/utilization.go}, v1.34.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sampan.client.protocol import Object
from sampan.cluster.workloads.hpa.grouping import MetricsError, Sample, group, requests

DEFAULT_TOLERANCE = 0.1


@dataclass(frozen=True, slots=True)
class Tolerances:
    down: float = DEFAULT_TOLERANCE
    up: float = DEFAULT_TOLERANCE

    def hold(self, ratio: float) -> bool:
        """Whether it is not worth a change."""
        return 1.0 - self.down <= ratio <= 1.0 + self.up


@dataclass(frozen=True, slots=True)
class Proposal:
    replicas: int
    average: int
    """In thousandths, over the pods that count."""
    utilization: int | None = None
    """In per cent of what they asked for."""


@dataclass(frozen=True, slots=True)
class World:
    """What a proposal is made for."""

    current: int
    pods: Sequence[Object]
    """All that the target's selector chooses."""
    tolerances: Tolerances
    now: datetime


Ratio = Callable[[Mapping[str, int]], tuple[float, Proposal]]


def by_utilization(
    world: World, samples: Mapping[str, Sample], resource: str, container: str, target: int
) -> Proposal:
    """`target` in per cent. Raises MetricsError."""
    asked = requests(world.pods, container, resource) if world.pods else {}

    def ratio(values: Mapping[str, int]) -> tuple[float, Proposal]:
        known = [name for name in values if name in asked]
        total = sum(asked[name] for name in known)
        if not total:
            raise MetricsError("no metrics returned matched known pods")
        used = sum(values[name] for name in known)
        utilization = used * 100 // total
        return utilization / target, Proposal(world.current, used // len(values), utilization)

    # As much as it asked for, or as much as is aimed at where that is more.
    return _propose(
        world, samples, resource, ratio, lambda name: asked.get(name, 0) * max(100, target) // 100
    )


def by_value(world: World, samples: Mapping[str, Sample], resource: str, target: int) -> Proposal:
    """`target` in thousandths, for each pod. Raises MetricsError."""

    def ratio(values: Mapping[str, int]) -> tuple[float, Proposal]:
        average = sum(values.values()) // len(values)
        return average / target, Proposal(world.current, average)

    return _propose(world, samples, resource, ratio, lambda _: target)


def _propose(
    world: World,
    samples: Mapping[str, Sample],
    resource: str,
    ratio: Ratio,
    at_target: Callable[[str], int],
) -> Proposal:
    """`ratio` says how far the pods are from the target, and how that is told; `at_target` what a pod uses on it."""
    if not world.pods:
        raise MetricsError("no pods returned by selector while calculating replica count")
    groups = group(world.pods, samples, resource, world.now)
    left_out = groups.ignored | groups.unready
    values = {name: sample.value for name, sample in samples.items() if name not in left_out}
    if not values:
        raise MetricsError("did not receive metrics for targeted pods (pods might be unready)")
    found, told = ratio(values)
    counts_unready = bool(groups.unready) and found > 1.0
    if not counts_unready and not groups.missing:
        return _told(told, world.current if world.tolerances.hold(found) else math.ceil(found * groups.ready))
    # Whoever is not known, or not yet ready, must not make the change larger than it is.
    if found < 1.0:
        values.update({name: at_target(name) for name in groups.missing})
    elif found > 1.0:
        values.update(dict.fromkeys(groups.missing, 0))
    if counts_unready:
        values.update(dict.fromkeys(groups.unready, 0))
    again, _ = ratio(values)
    replicas = math.ceil(again * len(values))
    turns = (found < 1.0 < again) or (again < 1.0 < found)
    against = (again < 1.0 and replicas > world.current) or (again > 1.0 and replicas < world.current)
    if world.tolerances.hold(again) or turns or against:
        replicas = world.current
    return _told(told, replicas)


def _told(proposal: Proposal, replicas: int) -> Proposal:
    return Proposal(replicas, proposal.average, proposal.utilization)
