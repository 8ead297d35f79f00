"""metrics.k8s.io/v1beta1: what `kubectl top` and autoscalers read. Nothing is stored; the node is asked each time.

`http` hands the requests of this group here. Source: k8s.io/metrics/pkg/apis/metrics/v1beta1/types.go,
metrics-server v0.7, pkg/api (node.go, pod.go, table.go); kubelet/pkg/apis/stats/v1alpha1/types.go, v1.33.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sampan.client.protocol import ListOptions
from sampan.client.usage import NodeUsage, PodUsage, Usage, UsageProvider
from sampan.cluster.apiserver.queries import Selection
from sampan.cluster.apiserver.strategy import Column, Strategy
from sampan.cluster.apiserver.tables import table
from sampan.cluster.apiserver.verbs import Verbs
from sampan.kube import meta, quantities
from sampan.kube.errors import not_found
from sampan.kube.kinds import NODES, Resource
from sampan.kube.meta import Object
from sampan.lib.clock import rfc3339

GROUP, VERSION = "metrics.k8s.io", "v1beta1"
_VERBS = ("get", "list")
_API_VERSION = f"{GROUP}/{VERSION}"


def _quantities(usage: Usage) -> dict[str, str]:
    memory = f"{usage.memory_bytes // 1024}Ki" if usage.memory_bytes else "0"
    cpu = quantities.format_decimal(Decimal(usage.cpu_nanocores).scaleb(-9))
    return {"cpu": cpu, "memory": memory}


def _sum(obj: Object, name: str) -> str:
    usages = [obj["usage"]] if "usage" in obj else [each["usage"] for each in obj["containers"]]
    total = sum((quantities.parse(each[name]) for each in usages), Decimal(0))
    return quantities.format_decimal(total) if name == "cpu" else f"{int(total) // 1024}Ki"


def _column(name: str) -> Column:
    return Column(name, lambda obj, _: _sum(obj, name), format="quantity")


_COLUMNS = (
    Column("Name", lambda obj, _: meta.name(obj), format="name", description="Name of the resource"),
    _column("cpu"),
    _column("memory"),
    Column("Window", lambda obj, _: obj["window"], format="duration"),
)
NODE_METRICS = Resource(
    GROUP, VERSION, "NodeMetrics", "nodes", namespaced=False, subresources=(), verbs=_VERBS
)
POD_METRICS = Resource(GROUP, VERSION, "PodMetrics", "pods", subresources=(), verbs=_VERBS)
_STRATEGIES = {
    each.plural: Strategy(resource=each, built_in=False, columns=_COLUMNS)
    for each in (NODE_METRICS, POD_METRICS)
}


class MetricsApi:
    """For one event loop. `provider` is set once there is a node; until then nothing is known."""

    def __init__(self, verbs: Verbs) -> None:
        self.provider: UsageProvider | None = None
        self._verbs = verbs
        self._clock = verbs.clock

    async def get(self, resource: Resource, name: str, namespace: str | None) -> Object:
        """Raises NotFoundError for what does not run, too."""
        for found in await self._all(resource):
            if meta.name(found) == name and (not resource.namespaced or meta.namespace(found) == namespace):
                return found
        kind = "podmetrics" if resource is POD_METRICS else "nodemetrics"
        raise not_found(GROUP, kind, f"{namespace}/{name}" if resource.namespaced else name)

    async def collection(self, resource: Resource, namespace: str | None, options: ListOptions) -> Object:
        """Raises BadRequestError for selectors that cannot be read."""
        selection = Selection.parse(_STRATEGIES[resource.plural], options)
        items = [
            obj
            for obj in await self._all(resource)
            if (not namespace or meta.namespace(obj) == namespace)
            and (selection.name is None or meta.name(obj) == selection.name)
            and (selection.predicate is None or selection.predicate(obj))
        ]
        items.sort(key=lambda obj: (meta.namespace(obj), meta.name(obj)))
        return {
            "kind": resource.collection_kind,
            "apiVersion": _API_VERSION,
            "metadata": {},
            "items": items,
        }

    async def summary(self, node: str) -> Object:
        """What the kubelet answers at `/stats/summary`, of the node itself. Raises NotFoundError."""
        self._verbs.get(NODES, node, None)
        if self.provider is None or (found := await self.provider.node()).name != node:
            raise not_found("", "nodes", node)
        disk, now = await self.provider.disk(), rfc3339(self._clock.now())
        file_system = {
            "time": now,
            "capacityBytes": disk.capacity_bytes,
            "availableBytes": disk.available_bytes,
            "usedBytes": disk.used_bytes,
        }
        return {
            "node": {
                "nodeName": node,
                "cpu": {"time": now, "usageNanoCores": found.usage.cpu_nanocores},
                "memory": {"time": now, "workingSetBytes": found.usage.memory_bytes},
                "fs": file_system,
            },
            "pods": [],
        }

    def as_table(self, resource: Resource, document: Object, include: str) -> Object:
        """A list or an object as `kubectl get` wants it."""
        items = document.get("items", [document])
        return table(_STRATEGIES[resource.plural], items, {}, self._clock.now(), include)

    async def _all(self, resource: Resource) -> list[Object]:
        if self.provider is None:
            return []
        if resource is NODE_METRICS:
            return [self._node(await self.provider.node())]
        return [self._pod(each) for each in await self.provider.pods()]

    def _node(self, found: NodeUsage) -> Object:
        node = self._verbs.get(NODES, found.name, None).object()
        metadata = {"name": found.name, "labels": meta.labels(node)}
        usage = {"usage": _quantities(found.usage)}
        return self._object(NODE_METRICS, metadata, found.window_seconds, usage)

    def _pod(self, found: PodUsage) -> Object:
        metadata = {
            "name": meta.name(found.pod),
            "namespace": meta.namespace(found.pod),
            "labels": meta.labels(found.pod),
        }
        containers = [{"name": each.name, "usage": _quantities(each.usage)} for each in found.containers]
        return self._object(POD_METRICS, metadata, found.window_seconds, {"containers": containers})

    def _object(self, resource: Resource, metadata: Object, seconds: float, rest: dict[str, Any]) -> Object:
        now = rfc3339(self._clock.now())
        return {
            "kind": resource.kind,
            "apiVersion": _API_VERSION,
            "metadata": {**metadata, "creationTimestamp": now},
            "timestamp": now,
            "window": f"{seconds:.3f}".rstrip("0").rstrip(".") + "s",
            **rest,
        }
