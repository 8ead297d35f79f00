"""Who owns whom, by uid. Pure: no I/O.

Each change costs as much as the object has owners and its owner has dependents that concern it; nothing ever
scans all objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sampan.client.protocol import Object
from sampan.kube import meta, owners
from sampan.kube.kinds import Resource

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"


@dataclass(slots=True)
class Node:
    """One object. Known only by the references of its dependents, it has no `resource` yet."""

    uid: str
    resource: Resource | None = None
    namespace: str = ""
    name: str = ""
    references: tuple[Mapping[str, Any], ...] = ()
    deleting: bool = False
    foreground: bool = False
    """Waits for its dependents to go first."""
    orphaning: bool = False
    """Waits for its dependents to be let go."""
    gone: bool = False
    """It was seen, and is no more."""
    dependents: dict[str, None] = field(default_factory=dict)
    """Uids, in order of arrival."""

    @property
    def owners(self) -> tuple[str, ...]:
        return tuple(str(each.get("uid")) for each in self.references)

    def is_blocking(self, owner: str) -> bool:
        """Whether `owner`, deleted in the foreground, must wait for this object."""
        return any(each.get("uid") == owner and each.get("blockOwnerDeletion") for each in self.references)


class Graph:
    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}

    def get(self, uid: str) -> Node | None:
        return self._nodes.get(uid)

    def __len__(self) -> int:
        return len(self._nodes)

    def observe(self, resource: Resource, old: Object | None, new: Object | None) -> Iterable[str]:
        """Takes over a change, as a cache handler gets it; returns the uids that are to be looked at."""
        concerned: list[str] = []
        if old is not None and (new is None or meta.uid(new) != meta.uid(old)):
            concerned += self._remove(meta.uid(old))
        if new is not None:
            concerned += self._put(resource, new)
        return dict.fromkeys(concerned)

    def waiting_for(self, kind: str) -> Iterable[str]:
        """The dependents of owners of that kind that were never seen: they may have gone before anybody watched."""
        return dict.fromkeys(
            node.uid
            for node in self._nodes.values()
            for reference in node.references
            if reference.get("kind") == kind and self._is_unseen(str(reference.get("uid")))
        )

    def _is_unseen(self, uid: str) -> bool:
        owner = self._nodes.get(uid)
        return owner is not None and owner.resource is None

    def blocking(self, node: Node) -> list[Node]:
        """The dependents for which a foreground deletion of `node` waits."""
        return [
            dependent
            for uid in node.dependents
            if (dependent := self._nodes.get(uid)) is not None and dependent.is_blocking(node.uid)
        ]

    def _put(self, resource: Resource, obj: Object) -> list[str]:
        uid = meta.uid(obj)
        node = self._nodes.setdefault(uid, Node(uid))
        references = tuple(owners.owner_references(obj))
        finalizers = meta.finalizers(obj)
        deleting = meta.is_deleting(obj)
        foreground, orphaning = deleting and FOREGROUND in finalizers, deleting and ORPHAN in finalizers
        before = (node.resource, node.references, node.deleting, node.foreground, node.orphaning)
        if before == (resource, references, deleting, foreground, orphaning):
            return []
        # An owner that waits for its dependents wants to know of those that leave it.
        waiting = [owner for owner in node.owners if self._waits(owner)]
        node.resource, node.namespace, node.name = resource, meta.namespace(obj), meta.name(obj)
        node.deleting, node.foreground, node.orphaning, node.gone = deleting, foreground, orphaning, False
        self._set_references(node, references)
        return [uid, *waiting] if references or foreground or orphaning else waiting

    def _remove(self, uid: str) -> list[str]:
        node = self._nodes.get(uid)
        if node is None:
            return []
        waiting = [owner for owner in node.owners if self._waits(owner)]
        self._set_references(node, ())
        node.resource, node.gone = None, True
        node.deleting = node.foreground = node.orphaning = False
        if not node.dependents:
            del self._nodes[uid]
        return [*waiting, *node.dependents]

    def _set_references(self, node: Node, references: tuple[Mapping[str, Any], ...]) -> None:
        before, after = set(node.owners), {str(each.get("uid")) for each in references}
        node.references = references
        for uid in before - after:
            owner = self._nodes.get(uid)
            if owner is not None:
                owner.dependents.pop(node.uid, None)
                if owner.resource is None and not owner.dependents:
                    del self._nodes[uid]
        for uid in after - before:
            self._nodes.setdefault(uid, Node(uid)).dependents[node.uid] = None

    def _waits(self, uid: str) -> bool:
        owner = self._nodes.get(uid)
        return owner is not None and owner.foreground
