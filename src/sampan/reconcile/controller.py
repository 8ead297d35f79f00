"""A controller: workers that reconcile what a queue names, a queue that is filled from caches.

No object and no reconciler can stop it. A reconcile that fails is tried again with back-off of its own, one
that never ends is cut off, and neither keeps other objects waiting as long as a worker is free.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sampan.client.protocol import Object
from sampan.kube import meta, owners
from sampan.kube.errors import ApiError, ConflictError, NotFoundError
from sampan.kube.kinds import Resource
from sampan.lib.log import get_logger
from sampan.lib.tasks import TaskSet
from sampan.reconcile.cache import Cache
from sampan.reconcile.reconciler import Request, Result, TerminalError, request_for
from sampan.reconcile.workqueue import WorkQueue

log = get_logger(__name__)

K = TypeVar("K", bound=Hashable)

_STOP_GRACE_SECONDS = 2.0
_GONE_IS_USUAL = 3
"""Times in a row that something may be gone without a word."""


@dataclass(frozen=True, slots=True)
class Source(Generic[K]):
    """Changes in `cache`, mapped to what is to be reconciled because of them."""

    cache: Cache
    map: Callable[[Object | None, Object | None], Iterable[K]]
    """Given (old, new) as cache handlers are. Must be quick and free of side effects."""


def own(cache: Cache) -> Source[Request]:
    """The reconciled kind itself."""
    return mapped(cache, lambda obj: (request_for(obj),))


def owned(
    cache: Cache, owner: Resource, *, but: Callable[[Object], bool] = lambda _: False
) -> Source[Request]:
    """Children whose controller is an `owner`: a change of the child reconciles its owner. `but`: those that do not."""

    def requests(obj: Object) -> Iterable[Request]:
        controller = owners.controller_of(obj)
        if controller is None or but(obj) or controller.get("kind") != owner.kind:
            return ()
        group = str(controller.get("apiVersion", "")).rpartition("/")[0]
        if group != owner.group:
            return ()
        namespace = meta.namespace(obj) if owner.namespaced else ""
        return (Request(namespace, str(controller.get("name", ""))),)

    return mapped(cache, requests)


def mapped(cache: Cache, function: Callable[[Object], Iterable[K]]) -> Source[K]:
    """Any kind: `function` says whom an object concerns. A change concerns those of before and of after.

    It need not expect nonsense: an object that it cannot take concerns nobody.
    """

    def requests(old: Object | None, new: Object | None) -> Iterable[K]:
        concerned: dict[K, None] = {}
        for obj in (new, old):
            if obj is None:
                continue
            try:
                concerned.update(dict.fromkeys(function(obj)))
            except Exception as error:
                log.warning(
                    "object concerns nobody",
                    resource=cache.resource.key,
                    namespace=meta.namespace(obj),
                    name=meta.name(obj),
                    error=repr(error),
                )
        return concerned

    return Source(cache, requests)


def reads(cache: Cache) -> Source[Any]:
    """A kind that the reconciler reads, and whose changes alone concern nobody."""
    return Source(cache, lambda _old, _new: ())


class Controller(Generic[K]):
    """Runs one reconciler. `reconcile` is called for one item at a time per worker, never twice at once for
    one.
    """

    def __init__(
        self,
        name: str,
        reconcile: Callable[[K], Awaitable[Result]],
        sources: Sequence[Source[K]],
        *,
        workers: int = 4,
        timeout_seconds: float = 120.0,
        close: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`close` is called at the end, for what the reconciler holds: its EventRecorder, as a rule."""
        self.name = name
        self.caches = tuple(dict.fromkeys(source.cache for source in sources))
        self.queue: WorkQueue[K] = WorkQueue()
        self._reconcile = reconcile
        self._sources = sources
        self._workers = workers
        self._timeout_seconds = timeout_seconds
        self._close = close
        self._tasks = TaskSet(f"controller {name}")
        self._stopping = asyncio.Event()
        self._busy = 0

    async def start(self) -> None:
        """Waits for the caches, which somebody starts (see `manager`), then starts the workers."""
        for cache in self.caches:
            await cache.synced()
        for source in self._sources:
            source.cache.add_handler(self._handler(source))
        for number in range(self._workers):
            self._tasks.spawn(self._work(), name=str(number))

    async def stop(self) -> None:
        """Lets reconciles under way end for a moment, then cuts them off."""
        self._stopping.set()
        self.queue.close()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _STOP_GRACE_SECONDS
        while self._busy and loop.time() < deadline:  # noqa: ASYNC110  (over in milliseconds as a rule)
            await asyncio.sleep(0.01)
        await self._tasks.close()
        if self._close is not None:
            await self._close()

    def _handler(self, source: Source[K]) -> Callable[[Object | None, Object | None], None]:
        def handle(old: Object | None, new: Object | None) -> None:
            for item in source.map(old, new):
                self.queue.add(item)

        return handle

    async def _work(self) -> None:
        while not self._stopping.is_set():
            item = await self.queue.get()
            self._busy += 1
            try:
                await self._reconcile_once(item)
            finally:
                self._busy -= 1
                self.queue.done(item)

    async def _reconcile_once(self, item: K) -> None:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                result = await self._reconcile(item)
        except TerminalError as error:
            self.queue.forget(item)
            log.warning("reconcile refused", controller=self.name, item=item, error=str(error))
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # Something inside was cancelled, not we: a failure like any other.
            self._retry(item, "a task that the reconcile waited for was cancelled", None)
        except ConflictError:
            # Somebody else wrote first: the cache is about to show what. Usual, hence silent.
            self.queue.add_rate_limited(item)
        except NotFoundError as error:
            # It went while it was worked on, and the next look finds nothing: worth a word only when it goes on.
            if self.queue.failures(item) < _GONE_IS_USUAL:
                self.queue.add_rate_limited(item)
            else:
                self._retry(item, error.message, None)
        except ApiError as error:
            self._retry(item, error.message, None)
        except TimeoutError:
            self._retry(item, f"not finished within {self._timeout_seconds:g} seconds", None)
        except Exception as error:
            self._retry(item, str(error), error)
        else:
            self.queue.forget(item)
            if result.requeue_after is not None:
                self.queue.add_after(item, result.requeue_after.total_seconds())

    def _retry(self, item: K, message: str, exc: BaseException | None) -> None:
        seconds = self.queue.add_rate_limited(item)
        fields: dict[str, Any] = {"controller": self.name, "item": item, "error": message}
        # The traceback once: an object that fails for ever must not fill the log with it.
        first = exc if self.queue.failures(item) == 1 else None
        log.error("reconcile failed", retry_seconds=f"{seconds:g}", exc=first, **fields)
