"""What one watcher sees of a change, given its selectors; and the watch itself, as batches."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

from sampan.client.protocol import ListOptions
from sampan.cluster.apiserver import conversion
from sampan.cluster.apiserver.changes import BATCH_BYTES, Change
from sampan.cluster.apiserver.queries import Selection, parse_revision
from sampan.cluster.apiserver.storage import ListQuery, Page, decode, encode
from sampan.cluster.apiserver.strategy import Strategy
from sampan.cluster.apiserver.verbs import Verbs
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object

_INITIAL_PAGE = 500


class Seen(NamedTuple):
    """`data` is the object's JSON. A BOOKMARK carries none, but the revision everything was seen up to."""

    type: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
    data: bytes
    revision: int
    change: Change | None = None
    """Whose data it is, where it is just that."""

    def object(self) -> Object:
        """Shared with the other watchers, hence never to be changed."""
        change = self.change
        return change.object if change is not None and change.data is self.data else decode(self.data)


def seen(change: Change, predicate: Callable[[Object], bool] | None) -> Seen | None:
    """An object that stops matching is DELETED to this watcher, one that starts to is ADDED."""
    if predicate is None:
        return Seen(change.type, change.data, change.rev, change)
    before = change.previous_object is not None and predicate(change.previous_object)
    now = not change.deleted and predicate(change.object)
    if now:
        return Seen("MODIFIED" if before else "ADDED", change.data, change.rev, change)
    if not before:
        return None
    if change.deleted:
        return Seen("DELETED", change.data, change.rev, change)
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
            resource.key,
            scope,
            selection.name,
            # Published, so that it is the same for all who begin now.
            revision=storage.revision,
            limit=_INITIAL_PAGE,
            max_bytes=BATCH_BYTES,
            predicate=selection.stored_predicate,
        )
        read = storage.shared_page if query.predicate is None else storage.page
        # A page at a time, all as of one revision: a slow watcher holds no more than that.
        page = await read(query)
        since = page.revision
        while page.last is not None:
            query = replace(query, after=page.last)
            initial = await _initial(strategy, selection, page)
            # Who takes it decides how long it is kept, not this frame.
            del page
            yield initial
            del initial
            page = await read(query)
        yield [*await _initial(strategy, selection, page), Seen("BOOKMARK", b"", since)]
    else:
        since = parse_revision(options.resource_version)
    subscription = storage.subscribe(resource.key, scope, selection.name, since=since)
    while True:
        changes = await subscription.next(idle_seconds() if idle_seconds else None)
        if subscription.ended and not changes:
            return
        if selection.by_others:
            batch = await _seen_converted(strategy, selection, changes)
        else:
            batch = [each for each in (seen(change, selection.predicate) for change in changes) if each]
            if strategy.conversion is not None:
                served = await conversion.served_all(strategy, [each.data for each in batch])
                batch = [each._replace(data=data) for each, data in zip(batch, served, strict=True)]
        if batch or not changes:
            yield batch or [Seen("BOOKMARK", b"", subscription.revision)]


async def _initial(strategy: Strategy, selection: Selection, page: Page) -> list[Seen]:
    items = await conversion.served_all(strategy, page.items)
    wanted = selection.served_predicate
    if wanted is not None:
        items = [data for data in items if wanted(decode(data))]
    return [Seen("ADDED", data, page.revision) for data in items]


async def _seen_converted(strategy: Strategy, selection: Selection, changes: Sequence[Change]) -> list[Seen]:
    """Of a kind that others convert: each change before and after, all in one go."""
    after = await conversion.served_all(strategy, [change.data for change in changes])
    previous = [change.previous for change in changes]
    before = iter(await conversion.served_all(strategy, [data for data in previous if data is not None]))
    found = []
    for change, data in zip(changes, after, strict=True):
        converted = Change(
            change.rev,
            change.resource,
            change.namespace,
            change.name,
            deleted=change.deleted,
            data=data,
            previous=None if change.previous is None else next(before),
        )
        if (event := seen(converted, selection.predicate)) is not None:
            found.append(event)
    return found
