"""All objects of a kind of which there are few, in memory: what admission would otherwise ask the database each time.

An object that today's validation would refuse, left by another version, counts for nothing: it must not refuse, or
break, what others send.

Kept by the storage's observers in the event loop, read in the writer thread: what a namespace holds is replaced, never
changed in place. The writer may be a moment ahead of it, as kube-apiserver is of its informers.
"""

from __future__ import annotations

from collections.abc import Callable

from sampan.cluster.apiserver.changes import Change
from sampan.cluster.apiserver.storage import Storage, decode
from sampan.kube import meta
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object
from sampan.lib.log import get_logger

log = get_logger(__name__)

Examine = Callable[[Object], None]
"""Raises what is wrong with an object. The object is its own to change."""


class Mirror:
    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self._examine: Examine = lambda _obj: None
        self._by_namespace: dict[str, tuple[Object, ...]] = {}

    def follow(self, storage: Storage, examine: Examine = lambda _obj: None) -> None:
        self._examine = examine
        storage.observe(self.resource.key, self._on_change)
        storage.on_doubt(lambda: self._load(storage))
        self._load(storage)

    def of(self, namespace: str) -> tuple[Object, ...]:
        """Not to be changed."""
        return self._by_namespace.get(namespace, ())

    def _load(self, storage: Storage) -> None:
        found: dict[str, tuple[Object, ...]] = {}
        for record in storage.current(self.resource.key):
            obj = record.object()
            if not self._is_usable(record.object()):
                continue
            found[meta.namespace(obj)] = (*found.get(meta.namespace(obj), ()), obj)
        self._by_namespace = found

    def _on_change(self, change: Change) -> None:
        usable = not change.deleted and self._is_usable(decode(change.data))
        self._replace(change.namespace, change.name, change.object if usable else None)

    def _is_usable(self, obj: Object) -> bool:
        try:
            self._examine(obj)
        except Exception as error:
            name, namespace = meta.name(obj), meta.namespace(obj)
            log.warning(
                "counts for nothing",
                resource=self.resource.key,
                namespace=namespace,
                name=name,
                error=repr(error)[:500],
            )
            return False
        return True

    def _replace(self, namespace: str, name: str, obj: Object | None) -> None:
        others = tuple(each for each in self.of(namespace) if meta.name(each) != name)
        found = others if obj is None else (*others, obj)
        if found:
            self._by_namespace[namespace] = found
        else:
            self._by_namespace.pop(namespace, None)
