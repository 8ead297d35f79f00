"""How much room there is: CPU, memory, disk and GPUs, now and over the last hour. One sampler for all tabs.

It reads what any cluster has, `metrics.k8s.io`, the nodes and the requests of their pods, and of each node the
kubelet's `stats/summary`; what a cluster does not have stays unknown. The numbers are the whole cluster's: shown to
those only who may read them themselves (`may_see`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sampan.kube import pods as pod_facts
from sampan.kube import quantities
from sampan.kube.quotas import pod_resources
from sampan.lib.clock import Clock, rfc3339
from sampan.lib.log import get_logger
from sampan.ui.api import Api, ApiFailureError, segment

log = get_logger(__name__)

SAMPLE_SECONDS = 15.0
_KEPT = 240
"""An hour."""
_MOST_NODES = 50
"""Of which the kubelet is asked for its disk."""
_NODES = "/api/v1/nodes"
_METRICS = "/apis/metrics.k8s.io/v1beta1/nodes"
_PODS = "/api/v1/pods"
_LIVE_PODS = {"fieldSelector": "status.phase!=Succeeded,status.phase!=Failed"}

Amounts = Mapping[str, float]
"""`cpu` in cores, `memory` and `disk` in bytes, `gpu` in pieces; a name that is not there is not known."""


@dataclass(frozen=True, slots=True)
class Sample:
    at: str
    total: Amounts
    used: Amounts
    requested: Amounts


class Capacity:
    """For one event loop; `start` and `stop` once."""

    def __init__(self, api: Api, clock: Clock) -> None:
        """`api` as a user who may read nodes and all pods."""
        self._api = api
        self._clock = clock
        self._samples: deque[Sample] = deque(maxlen=_KEPT)
        self._sampling: asyncio.Task[None] | None = None

    @property
    def samples(self) -> Sequence[Sample]:
        """The oldest first."""
        return self._samples

    def start(self) -> None:
        self._sampling = asyncio.create_task(self._sample_on(), name="dashboard capacity")

    async def stop(self) -> None:
        if self._sampling is not None:
            self._sampling.cancel()
            await asyncio.wait([self._sampling])

    async def _sample_on(self) -> None:
        while True:
            try:
                self._samples.append(await self._sample())
            except ApiFailureError as error:
                log.debug("the capacity is not known", error=error.message)
            except Exception as error:
                log.error("the capacity could not be read", exc=error)
            await asyncio.sleep(SAMPLE_SECONDS)

    async def _sample(self) -> Sample:
        nodes = (await self._api.get(_NODES)).get("items", ())
        pods = (await self._api.get(_PODS, _LIVE_PODS)).get("items", ())
        metrics = await self._optional(_METRICS)
        names = [str(node["metadata"]["name"]) for node in nodes[:_MOST_NODES]]
        summaries = [await self._optional(f"{_NODES}/{segment(each)}/proxy/stats/summary") for each in names]
        disk = disk_of(summaries)
        return Sample(
            rfc3339(self._clock.now()),
            total_of(nodes) | disk.get("total", {}),
            used_of(metrics.get("items", ())) | disk.get("used", {}),
            requested_by(pods),
        )

    async def _optional(self, path: str) -> Any:
        try:
            return await self._api.get(path)
        except ApiFailureError:
            return {}


async def may_see(api: Api) -> bool:
    """Whether the user could read the same."""
    try:
        await api.get(_NODES, {"limit": "1"})
        await api.get(_PODS, {"limit": "1"})
    except ApiFailureError:
        return False
    return True


def is_gpu(resource: str) -> bool:
    """Every maker's device plug-in names its own: nvidia.com/gpu, amd.com/gpu, gpu.intel.com/i915."""
    return resource.endswith("/gpu") or resource.startswith("gpu.")


def total_of(nodes: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """What pods may have of all nodes that take some."""
    found = {"cpu": 0.0, "memory": 0.0}
    for node in nodes:
        if (node.get("spec") or {}).get("unschedulable"):
            continue
        _add(found, (node.get("status") or {}).get("allocatable") or {})
    return found


def requested_by(pods: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """By those that are on a node and have not ended."""
    found = {"cpu": 0.0, "memory": 0.0}
    for pod in pods:
        if pod_facts.node_name(pod) and not pod_facts.is_terminal(pod):
            _add(found, pod_resources(dict(pod), "requests"))
    return found


def used_of(metrics: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Nothing where nobody measures."""
    found: dict[str, float] = {}
    for each in metrics:
        _add(found, each.get("usage") or {})
    return found


def disk_of(summaries: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for summary in summaries:
        disk = (summary.get("node") or {}).get("fs") or {}
        if "capacityBytes" in disk and "availableBytes" in disk:
            capacity, available = float(disk["capacityBytes"]), float(disk["availableBytes"])
            for name, value in (("total", capacity), ("used", capacity - available)):
                found.setdefault(name, {"disk": 0.0})["disk"] += value
    return found


def _add(total: dict[str, float], amounts: Mapping[str, Any]) -> None:
    for name, value in amounts.items():
        key = "gpu" if is_gpu(name) else name
        if key in ("cpu", "memory", "gpu"):
            amount = value if isinstance(value, Decimal) else quantities.parse(value)
            total[key] = total.get(key, 0.0) + float(amount)
