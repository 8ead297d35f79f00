"""All objects of a kind of which there are few, in memory: what admission would otherwise ask the database each time.

Kept by the storage's observers in the event loop, read in the writer thread: what a namespace holds is replaced, never
changed in place. The writer may be a moment ahead of it, as kube-apiserver is of its informers.
"""

from __future__ import annotations

from sampan.cluster.apiserver.changes import Change
from sampan.cluster.apiserver.storage import Storage
from sampan.kube import meta
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object


class Mirror:
    def __init__(self, resource: Resource) -> None:
        self._resource = resource
        self._by_namespace: dict[str, tuple[Object, ...]] = {}

    def follow(self, storage: Storage) -> None:
        storage.observe(self._resource.key, self._on_change)
        storage.on_doubt(lambda: self._load(storage))
        self._load(storage)

    def of(self, namespace: str) -> tuple[Object, ...]:
        """Not to be changed."""
        return self._by_namespace.get(namespace, ())

    def _load(self, storage: Storage) -> None:
        found: dict[str, tuple[Object, ...]] = {}
        for record in storage.current(self._resource.key):
            obj = record.object()
            found[meta.namespace(obj)] = (*found.get(meta.namespace(obj), ()), obj)
        self._by_namespace = found

    def _on_change(self, change: Change) -> None:
        self._replace(change.namespace, change.name, None if change.deleted else change.object)

    def _replace(self, namespace: str, name: str, obj: Object | None) -> None:
        others = tuple(each for each in self.of(namespace) if meta.name(each) != name)
        found = others if obj is None else (*others, obj)
        if found:
            self._by_namespace[namespace] = found
        else:
            self._by_namespace.pop(namespace, None)
