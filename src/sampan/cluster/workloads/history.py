"""ControllerRevisions: what a StatefulSet's or DaemonSet's template was, so that it can be gone back to.

`plan` is pure; `History` reads the cache and writes.

Source: pkg/controller/history/controller_history.go, pkg/controller/statefulset/stateful_set_control.go
(getStatefulSetRevisions, truncateHistory), v1.33.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from copy import deepcopy
from typing import Any

from sampan.client.protocol import Client, Object
from sampan.cluster.workloads.children import Children, claim
from sampan.kube import meta, owners
from sampan.kube.errors import AlreadyExistsError
from sampan.kube.kinds import CONTROLLER_REVISIONS
from sampan.lib.ids import short_hash
from sampan.reconcile.apply import delete_if_present
from sampan.reconcile.cache import Cache
from sampan.reconcile.reconciler import TerminalError

HASH = "controller.kubernetes.io/hash"
_TRIES = 16
"""Templates of one hash, one after the other, before it must be something else that is wrong."""


def data_of(owner: Object) -> Object:
    """The strategic merge patch that brings an owner back to its template of now."""
    template = deepcopy(meta.spec(owner).get("template") or {})
    return {"spec": {"template": {**template, "$patch": "replace"}}}


def restored(owner: Object, revision: Object) -> Object:
    """`owner` with the template that `revision` holds."""
    template = dict(((revision.get("data") or {}).get("spec") or {}).get("template") or {})
    template.pop("$patch", None)
    return {**owner, "spec": {**meta.spec(owner), "template": template}}


def number(revision: Object) -> int:
    return int(revision.get("revision") or 0)


def ordered(revisions: Iterable[Object]) -> list[Object]:
    """The oldest first."""
    return sorted(revisions, key=lambda each: (number(each), _created(each), meta.name(each)))


def same(revisions: Iterable[Object], data: Object) -> list[Object]:
    return [each for each in revisions if _canonical(each.get("data")) == _canonical(data)]


def surplus(revisions: Sequence[Object], live: Collection[str], limit: int) -> list[Object]:
    """The oldest of those that no pod has (`live`: names still in use), beyond the limit."""
    idle = [each for each in ordered(revisions) if meta.name(each) not in live]
    return idle[: max(len(idle) - limit, 0)]


def made(owner: Object, number_: int, collisions: int) -> Object:
    """The revision of the owner's template of now."""
    data = data_of(owner)
    digest = short_hash(_canonical(data), str(collisions), length=10)
    template = meta.spec(owner).get("template") or {}
    return {
        "metadata": {
            "name": f"{meta.name(owner)}-{digest}"[:253],
            "namespace": meta.namespace(owner),
            "labels": {**meta.labels(template), HASH: digest},
            "annotations": dict(meta.annotations(owner)),
            "ownerReferences": [owners.owner_reference(owner)],
        },
        "data": data,
        "revision": number_,
    }


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)


def _created(revision: Object) -> str:
    return str(meta.metadata(revision).get("creationTimestamp") or "")


class History:
    """The revisions of owners of one kind."""

    def __init__(self, client: Client, owners_cache: Cache, revisions_cache: Cache) -> None:
        self._client = client
        self._cache = revisions_cache
        self._children = Children(client, owners_cache, revisions_cache)

    async def of(self, owner: Object) -> list[Object]:
        return ordered(await self._children.claimed(owner))

    async def current(self, owner: Object, known: Sequence[Object]) -> tuple[Object, int]:
        """The revision of the owner's template of now, made or renewed if need be, and the collision count."""
        collisions = int(meta.status(owner).get("collisionCount") or 0)
        newest = number(known[-1]) if known else 0
        equal = same(known, data_of(owner))
        if equal:
            found = equal[-1]
            if number(found) < newest:
                # Gone back to: it is the newest again, so that the next way back leads to where we were.
                found = await self._renumber(found, newest + 1)
            return found, collisions
        if not claim(owner, [made(owner, newest + 1, collisions)]).mine:
            # It would be let go as soon as it is made, and made again for ever.
            raise TerminalError("the selector does not select what the template makes")
        for _ in range(_TRIES):
            revision = made(owner, newest + 1, collisions)
            try:
                created = await self._client.create(CONTROLLER_REVISIONS, revision)
            except AlreadyExistsError:
                namespace, name = meta.namespace(owner), meta.name(revision)
                there = await self._client.get(CONTROLLER_REVISIONS, name, namespace)
                if owners.is_controlled_by(there, owner) and same([there], revision["data"]):
                    return there, collisions
                collisions += 1
                continue
            await self._cache.reached(meta.resource_version(created))
            return created, collisions
        raise AlreadyExistsError(f"no name is free for a revision of {meta.name(owner)}")

    async def truncate(self, owner: Object, known: Sequence[Object], live: Collection[str]) -> None:
        limit = meta.spec(owner).get("revisionHistoryLimit")
        for revision in surplus(known, live, 10 if limit is None else int(limit)):
            await delete_if_present(self._client, CONTROLLER_REVISIONS, revision)

    async def _renumber(self, revision: Object, number_: int) -> Object:
        patch = {"metadata": {"resourceVersion": meta.resource_version(revision)}, "revision": number_}
        name, namespace = meta.name(revision), meta.namespace(revision)
        written = await self._client.patch(CONTROLLER_REVISIONS, name, patch, namespace)
        await self._cache.reached(meta.resource_version(written))
        return written
