"""What each metric of an autoscaler proposes, and how that is told.

Resources are measured here. Nobody serves custom and external metrics, and that is said in Kubernetes' words.
Source: kubernetes/pkg/controller/podautoscaler/horizontal.go (computeReplicasForMetrics), v1.34.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sampan.client.protocol import Object
from sampan.cluster.workloads.hpa import proposals
from sampan.cluster.workloads.hpa.grouping import MetricsError, milli
from sampan.cluster.workloads.hpa.proposals import World
from sampan.cluster.workloads.hpa.usage import Usages
from sampan.kube import meta, quantities

_CUSTOM = "unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered"
_EXTERNAL = (
    "unable to fetch metrics from external metrics API: "
    "no external metrics API (external.metrics.k8s.io) registered"
)


@dataclass(frozen=True, slots=True)
class Measured:
    replicas: int
    name: str
    """Of the metric, for people."""
    status: Object


@dataclass(frozen=True, slots=True)
class Failed:
    reason: str
    message: str
    kind: str
    """What failed, as the whole's error begins."""

    @property
    def error(self) -> str:
        return f"failed to get {self.kind} value: {self.message}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`best` is None where the metrics say too little to go by, and `failure` is the first that failed."""

    best: Measured | None
    statuses: list[Object]
    failure: Failed | None
    failures: int


async def measure(usages: Usages, autoscaler: Object, world: World) -> Outcome:
    metrics: Sequence[Object] = meta.spec(autoscaler).get("metrics") or ()
    best: Measured | None = None
    statuses: list[Object] = []
    failed: list[Failed] = []
    for metric in metrics:
        found = await _one(usages, metric, world, meta.namespace(autoscaler))
        if isinstance(found, Failed):
            failed.append(found)
            statuses.append({"type": ""})
            continue
        statuses.append(found.status)
        if best is None or found.replicas > best.replicas:
            best = found
    # With a part of them only more is believed.
    if failed and (best is None or best.replicas < world.current):
        best = None
    return Outcome(best, statuses, failed[0] if failed else None, len(failed))


async def _one(usages: Usages, metric: Object, world: World, namespace: str) -> Measured | Failed:
    kind = metric["type"]
    if kind == "Resource":
        source = metric["resource"]
        try:
            return await _resource(usages, world, metric, "")
        except MetricsError as error:
            return Failed("FailedGetResourceMetric", str(error), f"{source['name']} resource metric")
    if kind == "ContainerResource":
        source = metric["containerResource"]
        try:
            return await _resource(usages, world, metric, source["container"])
        except MetricsError as error:
            kind = f"{source['container']} container metric"
            return Failed("FailedGetContainerResourceMetric", str(error), kind)
    return _unserved(metric, namespace)


async def _resource(usages: Usages, world: World, metric: Object, container: str) -> Measured:
    key = "containerResource" if container else "resource"
    source: Mapping[str, Any] = metric[key]
    resource, target = source["name"], source["target"]
    is_raw = target.get("averageValue") is not None
    try:
        samples = await usages.samples(resource, container, world.pods)
        if is_raw:
            found = proposals.by_value(world, samples, resource, milli(target["averageValue"]))
        else:
            found = proposals.by_utilization(
                world, samples, resource, container, target["averageUtilization"]
            )
    except MetricsError as error:
        what = "usage" if is_raw else "utilization"
        raise MetricsError(f"failed to get {resource} {what}: {error}") from error
    current: Object = {"averageValue": quantities.canonical(f"{found.average}m")}
    if found.utilization is not None:
        current["averageUtilization"] = found.utilization
    told = {"name": resource, "current": current} | ({"container": container} if container else {})
    name = f"{resource} resource" + ("" if is_raw else " utilization (percentage of request)")
    return Measured(found.replicas, name, {"type": metric["type"], key: told})


def _unserved(metric: Object, namespace: str) -> Failed:
    kind = metric["type"]
    if kind == "Pods":
        message = f"unable to get metric {metric['pods']['metric']['name']}: {_CUSTOM}"
        return Failed("FailedGetPodsMetric", message, "pods metric")
    if kind == "Object":
        source = metric["object"]
        of = source["describedObject"]
        name = source["metric"]["name"]
        message = f"unable to get metric {name}: {of['kind']} on {namespace} {of['name']}/{_CUSTOM}"
        return Failed("FailedGetObjectMetric", message, "object metric")
    name = metric["external"]["metric"]["name"]
    message = f"unable to get external metric {namespace}/{name}: {_EXTERNAL}"
    return Failed(
        "FailedGetExternalMetric",
        f"failed to get {name} external metric: {message}",
        f"{name} external metric",
    )
