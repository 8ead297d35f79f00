"""The objects of one kind in memory, kept current by a watch (client-go calls this an informer).

A controller reads here instead of asking the API, and learns here of changes. The cache lists once, then
follows the watch; when the watch breaks it goes on from the last version seen, and lists again only if the
API no longer keeps that version. What it holds is the API's truth of a moment ago: after a write of one's
own, `reached` waits until the cache has seen it.

No object can stop a cache: one that an index or a handler cannot take is logged, and the others go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Protocol

from sampan.client.protocol import ListOptions, Object, ObjectList, Reader, Watcher, WatchEvent
from sampan.kube.errors import ApiError, ExpiredError
from sampan.kube.kinds import Resource
from sampan.lib.log import get_logger
from sampan.lib.tasks import TaskSet

log = get_logger(__name__)

Key = tuple[str, str]
"""Namespace (empty for kinds of the cluster) and name."""
IndexFunction = Callable[[Object], Iterable[str]]
Handler = Callable[[Object | None, Object | None], None]
"""Called in the event loop with (old, new): (None, new) for added, (old, new) changed, (old, None) deleted.
"""

_NONSENSE = (KeyError, TypeError, AttributeError)
"""What comes of reading the name of something that is no object."""
_EVERYTHING = ListOptions()
_PAGE = 500
_RETRY_FIRST_SECONDS = 0.2
_RETRY_MAX_SECONDS = 30.0


class ListWatcher(Reader, Watcher, Protocol):
    """All that a cache needs of a client."""


class Cache:
    """The objects of one resource that match a selector.

    Objects are shared by everybody who reads them: never change one, copy it first. For one event loop.
    """

    def __init__(
        self,
        client: ListWatcher,
        resource: Resource,
        *,
        namespace: str | None = None,
        selector: ListOptions = _EVERYTHING,
        keep: Callable[[Object], Object] | None = None,
    ) -> None:
        """`selector` counts by its label and field selectors. `keep` reduces objects to what is worth the
        memory.
        """
        self.resource = resource
        self._client = client
        self._namespace = namespace
        self._selector = selector
        self._keep = keep
        self._objects: dict[Key, Object] = {}
        self._indexes: dict[str, _Index] = {}
        self._handlers: list[Handler] = []
        self._version = ""
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []
        self._synced = asyncio.Event()
        self._tasks = TaskSet(f"cache {resource.key}")

    # Reading.

    def get(self, namespace: str, name: str) -> Object | None:
        return self._objects.get((namespace, name))

    def by_index(self, index: str, value: str) -> Sequence[Object]:
        """The objects for which the index function named `value`. KeyError for an unknown index."""
        return [self._objects[key] for key in self._indexes[index].keys(value)]

    def count(self, index: str, value: str) -> int:
        """How many `by_index` would give."""
        return self._indexes[index].count(value)

    def __len__(self) -> int:
        return len(self._objects)

    def list(self, namespace: str | None = None) -> Sequence[Object]:
        if namespace is None:
            return list(self._objects.values())
        return [obj for (where, _), obj in self._objects.items() if where == namespace]

    # Setting up.

    def add_index(self, name: str, function: IndexFunction) -> None:
        """Adds an index, or does nothing when there is one of that name: the same name must mean the same."""
        if name not in self._indexes:
            self._indexes[name] = _Index(function)
            for key, obj in self._objects.items():
                self._indexes[name].put(key, obj)

    def add_handler(self, handler: Handler) -> None:
        """Calls `handler` at once for what is there, then for every change, in order."""
        self._handlers.append(handler)
        for obj in list(self._objects.values()):
            self._call(handler, None, obj)

    # Running.

    def start(self) -> None:
        """Starts listing and watching; does nothing when started already."""
        if not len(self._tasks):
            self._tasks.spawn(self._run(), name="run")

    async def stop(self) -> None:
        """Stops watching. What was read stays readable."""
        await self._tasks.close()

    @property
    def is_synced(self) -> bool:
        """Whether the first list is complete."""
        return self._synced.is_set()

    async def synced(self) -> None:
        """Returns when the first list is complete."""
        await self._synced.wait()

    async def reached(self, resource_version: str, timeout_seconds: float = 30.0) -> None:
        """Returns when the cache has seen `resource_version` of an object it holds, as answered by a write.

        Raises TimeoutError. Needs versions that grow, as Kubernetes' do; any other text counts as reached.
        """
        with contextlib.suppress(ValueError):
            wanted = int(resource_version)
            if wanted > int(self._version or 0):
                future = asyncio.get_running_loop().create_future()
                self._waiters.append((wanted, future))
                async with asyncio.timeout(timeout_seconds):
                    await future

    async def _run(self) -> None:
        delay = _RETRY_FIRST_SECONDS
        while True:
            try:
                if not self._synced.is_set() or not self._version:
                    await self._relist()
                async with _closing(self._watch()) as events:
                    async for event in events:
                        delay = _RETRY_FIRST_SECONDS
                        self._take(event)
            except ExpiredError:
                self._version = ""
            except ApiError as error:
                log.warning("watch failed", resource=self.resource.key, error=error.message)
            except Exception as error:
                log.error("watch failed", resource=self.resource.key, exc=error)
            # An orderly end of the watch waits too: a server that closes at once must not make us spin.
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311  (jitter, not a secret)
            delay = min(delay * 2, _RETRY_MAX_SECONDS)

    def _watch(self) -> AsyncIterator[WatchEvent]:
        options = ListOptions(
            label_selector=self._selector.label_selector,
            field_selector=self._selector.field_selector,
            resource_version=self._version,
        )
        return self._client.watch(self.resource, self._namespace, options)

    async def _relist(self) -> None:
        found: dict[Key, Object] = {}
        token = ""
        while True:
            page = await self._page(token)
            for obj in page.items:
                with contextlib.suppress(*_NONSENSE):
                    found[_key(obj)] = obj
            token = page.continue_token
            if not token:
                break
        for key in [key for key in self._objects if key not in found]:
            self._change(key, None)
        for key, obj in found.items():
            self._change(key, obj)
        self._advance(page.resource_version)
        self._synced.set()

    async def _page(self, token: str) -> ObjectList:
        options = ListOptions(
            label_selector=self._selector.label_selector,
            field_selector=self._selector.field_selector,
            limit=_PAGE,
            continue_token=token,
        )
        return await self._client.list(self.resource, self._namespace, options)

    def _take(self, event: WatchEvent) -> None:
        try:
            version = str(event.object["metadata"]["resourceVersion"])
            if event.type != "BOOKMARK":
                self._change(_key(event.object), None if event.type == "DELETED" else event.object)
        except _NONSENSE as error:
            log.error("watch event is not an object", resource=self.resource.key, exc=error)
            return
        self._advance(version)

    def _change(self, key: Key, new: Object | None) -> None:
        old = self._objects.get(key)
        if new is None:
            if old is None:
                return
            del self._objects[key]
        else:
            if old is not None and _version_of(old) == _version_of(new):
                return
            # Items of a list come without their kind from a real API server; who reads wants to know it.
            new.setdefault("apiVersion", self.resource.api_version)
            new.setdefault("kind", self.resource.kind)
            new = self._keep(new) if self._keep else new
            self._objects[key] = new
        for index in self._indexes.values():
            index.put(key, new)
        for handler in self._handlers:
            self._call(handler, old, new)

    def _call(self, handler: Handler, old: Object | None, new: Object | None) -> None:
        try:
            handler(old, new)
        except Exception as error:
            namespace, name = _key(new or old or {})
            log.error(
                "cache handler failed", resource=self.resource.key, namespace=namespace, name=name, exc=error
            )

    def _advance(self, version: str) -> None:
        self._version = version
        if self._waiters:
            seen = int(version) if version.isdecimal() else None
            for wanted, future in self._waiters:
                if (seen is None or wanted <= seen) and not future.done():
                    future.set_result(None)
            self._waiters = [(wanted, future) for wanted, future in self._waiters if not future.done()]


class Caches:
    """One cache per kind, shared by all controllers of a process: a watch costs memory and work once."""

    def __init__(self, client: ListWatcher) -> None:
        self._client = client
        self._caches: dict[Resource, Cache] = {}

    def of(self, resource: Resource) -> Cache:
        """The cache of whole objects of `resource` in all namespaces."""
        cache = self._caches.get(resource)
        if cache is None:
            cache = self._caches[resource] = Cache(self._client, resource)
        return cache

    def find(self, resource: Resource) -> Cache | None:
        """The cache of `resource`, if somebody has asked for it."""
        return self._caches.get(resource)


class _Index:
    """Values to keys. Remembers which values a key had, so that it stays right whatever becomes of the
    object.
    """

    def __init__(self, function: IndexFunction) -> None:
        self._function = function
        self._keys: dict[str, dict[Key, None]] = {}
        self._values: dict[Key, tuple[str, ...]] = {}

    def keys(self, value: str) -> Iterable[Key]:
        return self._keys.get(value, ())

    def count(self, value: str) -> int:
        return len(self._keys.get(value, ()))

    def put(self, key: Key, obj: Object | None) -> None:
        values = self._compute(key, obj) if obj is not None else ()
        before = self._values.get(key, ())
        if values == before:
            return
        for value in before:
            keys = self._keys[value]
            del keys[key]
            if not keys:
                del self._keys[value]
        for value in values:
            self._keys.setdefault(value, {})[key] = None
        if values:
            self._values[key] = values
        else:
            self._values.pop(key, None)

    def _compute(self, key: Key, obj: Object) -> tuple[str, ...]:
        try:
            return tuple(dict.fromkeys(self._function(obj)))
        except Exception as error:
            log.error("object cannot be indexed", namespace=key[0], name=key[1], exc=error)
            return ()


def _key(obj: Object) -> Key:
    metadata = obj["metadata"]
    return metadata.get("namespace") or "", metadata["name"]


def _version_of(obj: Object) -> str | None:
    version: str | None = obj["metadata"].get("resourceVersion")
    return version


@contextlib.asynccontextmanager
async def _closing(events: AsyncIterator[WatchEvent]) -> AsyncIterator[AsyncIterator[WatchEvent]]:
    """`events`, closed at the end, so that the server's side of the watch is let go at once."""
    try:
        yield events
    finally:
        close = getattr(events, "aclose", None)
        if close is not None:
            await close()
