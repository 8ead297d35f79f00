"""What containers use now: one look for all autoscalers that ask at about the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime

from sampan.client.protocol import Object
from sampan.client.usage import PodUsage, UsageProvider
from sampan.cluster.workloads.hpa.grouping import MetricsError, Sample
from sampan.kube import meta
from sampan.lib.clock import Clock

Provider = Callable[[], UsageProvider | None]

_FRESH_SECONDS = 5.0
CPU, MEMORY = "cpu", "memory"


class Usages:
    """For one event loop."""

    def __init__(self, provider: Provider, clock: Clock) -> None:
        self._provider = provider
        self._clock = clock
        self._lock = asyncio.Lock()
        self._pods: list[PodUsage] = []
        self._at: datetime | None = None

    async def samples(self, resource: str, container: str, chosen: Iterable[Object]) -> dict[str, Sample]:
        """Of the chosen pods that run, by their names; of one container where `container` names it.

        Raises MetricsError when there are none.
        """
        if resource not in (CPU, MEMORY):
            raise MetricsError(f"unable to get metrics for resource {resource}: it is not measured")
        wanted = {meta.uid(pod) for pod in chosen}
        found: dict[str, Sample] = {}
        for each in await self._all():
            if meta.uid(each.pod) in wanted:
                value = _value(each, resource, container)
                # What was asked for a moment ago is of that moment.
                found[meta.name(each.pod)] = Sample(value, each.window_seconds, self._at or self._clock.now())
        if not found:
            raise MetricsError(
                f"unable to get metrics for resource {resource}: no metrics returned from resource metrics API"
            )
        return found

    async def _all(self) -> list[PodUsage]:
        async with self._lock:
            provider = self._provider()
            now = self._clock.now()
            if provider is None:
                return []
            if self._at is None or (now - self._at).total_seconds() >= _FRESH_SECONDS:
                self._pods = await provider.pods()
                self._at = self._clock.now()
            return self._pods


def _value(used: PodUsage, resource: str, container: str) -> int:
    """In thousandths: of a core, of a byte."""
    counted = [each for each in used.containers if not container or each.name == container]
    if container and not counted:
        where = f"{meta.namespace(used.pod)}/{meta.name(used.pod)}"
        raise MetricsError(f"container {container} not present in metrics for pod {where}")
    if resource == CPU:
        return sum(-(-each.usage.cpu_nanocores // 1_000_000) for each in counted)
    return sum(each.usage.memory_bytes * 1000 for each in counted)
