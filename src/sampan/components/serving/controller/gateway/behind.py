"""Which pods stand behind the pools' Services, and which pools a pod, without looking at the others.

A Service is found by one of the labels by which it selects, the one that the fewest others have: a thousand endpoints
have labels in common, and each has one of its own. Used by `watching`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sampan.client.protocol import Object
from sampan.components.serving.controller.gateway.core import PoolKey
from sampan.components.serving.engine.gateway.places import selects
from sampan.kube import meta
from sampan.reconcile.cache import Cache

_BY_LABEL = "gateway-label"


class Behind:
    """Of the Services that `follow` was called for."""

    def __init__(self, services: Cache, pods: Cache) -> None:
        self._services = services
        self._pods = pods
        self._keys: dict[tuple[str, str], dict[PoolKey, None]] = {}
        """Of a Service, by its namespace and name."""
        self._found_by: dict[tuple[str, str], str] = {}
        """The label, with the namespace, by which a Service is found."""
        self._by_label: dict[str, dict[tuple[str, str], None]] = {}
        pods.add_index(_BY_LABEL, _labels)

    def follow(self, key: PoolKey) -> None:
        service = key[:2]
        if service not in self._keys:
            self._keys[service] = {}
            self.service_changed(*service)
        self._keys[service][key] = None

    def leave(self, key: PoolKey) -> None:
        service = key[:2]
        keys = self._keys.get(service, {})
        keys.pop(key, None)
        if not keys:
            self._keys.pop(service, None)
            self._lose(service)

    def of_service(self, namespace: str, name: str) -> Sequence[PoolKey]:
        return list(self._keys.get((namespace, name), ()))

    def service_changed(self, namespace: str, name: str) -> None:
        """It may select by other labels now."""
        service = namespace, name
        self._lose(service)
        obj = self._services.get(*service)
        selector = meta.spec(obj or {}).get("selector")
        if service not in self._keys or not isinstance(selector, dict) or not selector:
            return
        labels = [_text(namespace, key, value) for key, value in selector.items()]
        label = min(labels, key=lambda each: len(self._by_label.get(each, ())))
        self._found_by[service] = label
        self._by_label.setdefault(label, {})[service] = None

    def keys(self, *pods: Object | None) -> Iterable[PoolKey]:
        """Of the pools that one of these states of a pod concerns, or did."""
        found: dict[PoolKey, None] = {}
        for pod in pods:
            for label in _labels(pod) if pod is not None else ():
                for service in self._by_label.get(label, ()):
                    found.update(self._keys[service])
        return found

    def pods(self, namespace: str, name: str) -> Iterator[Object]:
        """Those that the Service selects."""
        service, label = self._services.get(namespace, name), self._found_by.get((namespace, name))
        if service is not None and label is not None:
            for pod in self._pods.by_index(_BY_LABEL, label):
                if selects(service, pod):
                    yield pod

    def _lose(self, service: tuple[str, str]) -> None:
        label = self._found_by.pop(service, None)
        if label is not None:
            services = self._by_label[label]
            del services[service]
            if not services:
                del self._by_label[label]


def _labels(pod: Object) -> Iterable[str]:
    namespace = meta.namespace(pod)
    return [_text(namespace, key, value) for key, value in meta.labels(pod).items()]


def _text(namespace: str, key: object, value: object) -> str:
    return f"{namespace}\n{key}\n{value}"
