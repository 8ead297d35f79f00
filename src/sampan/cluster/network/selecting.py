"""Which Services select a pod, and which pods a Service, without looking at the others. Used by `controller`.

A job of a thousand pods has a thousand Services: whoever looked at all of them for each pod would be at it for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sampan.client.protocol import Object
from sampan.cluster.network import endpoints
from sampan.kube import meta
from sampan.reconcile.cache import Cache

_BY_LABEL = "label"


class Selecting:
    def __init__(self, services: Cache, pods: Cache) -> None:
        self._services = services
        self._pods = pods
        self._shapes: dict[str, dict[tuple[str, ...], None]] = {}
        """Of each namespace the sets of labels by which Services select: a few, however many Services there are."""
        # Of its own: the function fills the shapes.
        self._by_selector = f"selector {id(self)}"
        services.add_index(self._by_selector, self._selector)
        pods.add_index(_BY_LABEL, _labels)

    def services(self, pod: Object) -> Iterable[Object]:
        """Those that select the pod."""
        namespace, labels = meta.namespace(pod), meta.labels(pod)
        for shape in self._shapes.get(namespace, ()):
            if all(key in labels for key in shape):
                values = [(key, labels[key]) for key in shape]
                yield from self._services.by_index(self._by_selector, _text(namespace, values))

    def pods(self, service: Object) -> Sequence[Object]:
        """Those that may be selected by the Service: all that bear the rarest of its labels."""
        selector = meta.spec(service).get("selector")
        if not isinstance(selector, Mapping) or not selector:
            return ()
        values = [_text(meta.namespace(service), [pair]) for pair in selector.items()]
        rarest = min(values, key=lambda value: self._pods.count(_BY_LABEL, value))
        found = self._pods.by_index(_BY_LABEL, rarest)
        return [pod for pod in found if endpoints.selects(service, meta.labels(pod))]

    def _selector(self, service: Object) -> Iterable[str]:
        selector = meta.spec(service).get("selector")
        if not isinstance(selector, Mapping) or not selector:
            return ()
        namespace, pairs = meta.namespace(service), sorted(selector.items())
        self._shapes.setdefault(namespace, {})[tuple(key for key, _ in pairs)] = None
        return (_text(namespace, pairs),)


def _labels(pod: Object) -> Iterable[str]:
    namespace = meta.namespace(pod)
    return [_text(namespace, [pair]) for pair in meta.labels(pod).items()]


def _text(namespace: str, pairs: Sequence[tuple[str, str]]) -> str:
    # Neither a namespace nor a label holds a line feed.
    return "\n".join([namespace, *(f"{key}={value}" for key, value in pairs)])
