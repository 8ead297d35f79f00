"""What one watcher sees of a change, given its selectors; and the watch itself, as batches."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Literal, NamedTuple

from sampan.client.protocol import ListOptions
from sampan.cluster.apiserver import conversion
from sampan.cluster.apiserver.changes import Change
from sampan.cluster.apiserver.queries import Selection
from sampan.cluster.apiserver.storage import ListQuery, encode
from sampan.cluster.apiserver.verbs import Verbs
from sampan.kube.errors import BadRequestError
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object

_INITIAL_PAGE = 500


class Seen(NamedTuple):
    """`data` is the object's JSON. A BOOKMARK carries none, but the revision everything was seen up to."""

    type: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
    data: bytes
    revision: int


def seen(change: Change, predicate: Callable[[Object], bool] | None) -> Seen | None:
    """An object that stops matching is DELETED to this watcher, one that starts to is ADDED."""
    if predicate is None:
        return Seen(change.type, change.data, change.rev)
    before = change.previous_object is not None and predicate(change.previous_object)
    now = not change.deleted and predicate(change.object)
    if now:
        return Seen("MODIFIED" if before else "ADDED", change.data, change.rev)
    if not before:
        return None
    if change.deleted:
        return Seen("DELETED", change.data, change.rev)
    assert change.previous_object is not None
    metadata = {**change.previous_object["metadata"], "resourceVersion": str(change.rev)}
    return Seen("DELETED", encode({**change.previous_object, "metadata": metadata}), change.rev)


async def watch(
    verbs: Verbs,
    resource: Resource,
    namespace: str | None,
    options: ListOptions,
    *,
    idle_seconds: Callable[[], float] | None = None,
) -> AsyncIterator[list[Seen]]:
    """Batches without end. `idle_seconds` says how long a quiet spell gives a batch of one BOOKMARK.

    Without a resourceVersion the objects that exist come first, as ADDED, the last of them closed by a BOOKMARK. Raises
    ExpiredError when the revision to go on from is no longer kept. Ends when the kind is no longer served.
    """
    storage, strategy = verbs.storage, verbs.strategies.of(resource)
    selection = Selection.parse(strategy, options)
    scope = namespace if resource.namespaced else None
    if options.resource_version in ("", "0"):
        query = ListQuery(
            resource.key, scope, selection.name, limit=_INITIAL_PAGE, predicate=selection.predicate
        )
        # A page at a time, all as of one revision: a slow watcher holds no more than that.
        page = await storage.page(query)
        since = page.revision
        while page.last is not None:
            yield [Seen("ADDED", conversion.served_data(strategy, data), since) for data in page.items]
            page = await storage.page(replace(query, revision=since, after=page.last))
        initial = [Seen("ADDED", conversion.served_data(strategy, data), since) for data in page.items]
        yield [*initial, Seen("BOOKMARK", b"", since)]
    elif options.resource_version.isdecimal():
        since = int(options.resource_version)
    else:
        raise BadRequestError(f'Invalid value: "{options.resource_version}": invalid resourceVersion')
    subscription = storage.subscribe(resource.key, scope, selection.name, since=since)
    while True:
        changes = await subscription.next(idle_seconds() if idle_seconds else None)
        if subscription.ended and not changes:
            return
        batch = [each for each in (seen(change, selection.predicate) for change in changes) if each]
        if strategy.conversion is not None:
            batch = [each._replace(data=conversion.served_data(strategy, each.data)) for each in batch]
        if batch or not changes:
            yield batch or [Seen("BOOKMARK", b"", subscription.revision)]
