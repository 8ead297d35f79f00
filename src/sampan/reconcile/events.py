"""Telling people what a controller did: core/v1 Events about an object.

Events are a courtesy. Writing them happens in the background, one after the other, and whatever goes wrong
with it is logged and forgotten; a reconcile never waits for an event and never fails by one. What repeats is
counted in one Event, and an object about which there is too much to say is cut short, as in client-go
(tools/record/events_cache.go).
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sampan.client.protocol import Object, Writer
from sampan.kube import meta
from sampan.kube.errors import ApiError, NotFoundError
from sampan.kube.kinds import EVENTS
from sampan.lib.clock import Clock, rfc3339
from sampan.lib.log import get_logger
from sampan.lib.tasks import TaskSet

log = get_logger(__name__)

_WAITING_LIMIT = 4096
"""Events not yet written; more are dropped."""
_GATHER_SECONDS = 0.01
_WAVE_LIMIT = 32
"""Events written side by side, mostly in one commit."""
_REMEMBERED = 4096
"""Events whose repetition is recognised."""
_BURST = 25
_REFILL_SECONDS = 300.0
"""An object may have a burst of events, then one in this time."""
_MESSAGE_LIMIT = 1024
"""Of Kubernetes' validation of an Event's message."""

_NAME_LIMIT = 236
"""Of the object's name in the Event's: 253 characters less the suffix."""

_Identity = tuple[str, str, str, str]


@dataclass(slots=True)
class _Written:
    """An Event that exists, as far as we know."""

    name: str
    count: int


class EventRecorder:
    """Records on behalf of one component. For one event loop; needs `close` at the end."""

    def __init__(self, client: Writer, clock: Clock, component: str, host: str = "") -> None:
        self._client = client
        self._clock = clock
        self._source = {"component": component} | ({"host": host} if host else {})
        self._waiting: deque[tuple[_Identity, Object]] = deque()
        self._written: OrderedDict[_Identity, _Written] = OrderedDict()
        self._budgets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._tasks = TaskSet(f"events {component}")
        self._writing = False
        self._instant = 0

    def normal(self, obj: Object, reason: str, message: str) -> None:
        self._record(obj, "Normal", reason, message)

    def warning(self, obj: Object, reason: str, message: str) -> None:
        self._record(obj, "Warning", reason, message)

    async def flush(self) -> None:
        """Returns when all that was recorded before is written, or has failed to be."""
        while self._writing:  # noqa: ASYNC110  (for tests and shutdown only)
            await asyncio.sleep(0.001)

    async def close(self, timeout_seconds: float = 1.0) -> None:
        """Writes what still waits, for a moment at most."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self.flush()
        except TimeoutError:
            log.warning("events lost at shutdown", events=len(self._waiting))
        await self._tasks.close()

    def _record(self, obj: Object, kind: str, reason: str, message: str) -> None:
        uid = meta.uid(obj) or f"{obj.get('kind')}/{meta.namespace(obj)}/{meta.name(obj)}"
        if not self._allowed(uid) or len(self._waiting) >= _WAITING_LIMIT:
            log.debug("event dropped", object=meta.name(obj), reason=reason, text=message)
            return
        identity = (uid, kind, reason, message)
        self._waiting.append((identity, self._event(obj, kind, reason, message[:_MESSAGE_LIMIT])))
        if not self._writing:
            self._writing = True
            self._tasks.spawn(self._write_all(), name="write")

    def _allowed(self, uid: str) -> bool:
        """A token bucket for each object."""
        now = self._clock.monotonic()
        tokens, since = self._budgets.pop(uid, (float(_BURST), now))
        tokens = min(float(_BURST), tokens + (now - since) / _REFILL_SECONDS)
        allowed = tokens >= 1
        self._budgets[uid] = (tokens - 1 if allowed else tokens, now)
        if len(self._budgets) > _REMEMBERED:
            self._budgets.popitem(last=False)
        return allowed

    def _next_instant(self) -> int:
        """Nanoseconds, never the same twice: the names of events are in the order in which they happened."""
        self._instant = max(self._instant + 1, time.time_ns())
        return self._instant

    def _event(self, obj: Object, kind: str, reason: str, message: str) -> Object:
        now = rfc3339(self._clock.now())
        namespace = meta.namespace(obj)
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{meta.name(obj)[:_NAME_LIMIT]}.{self._next_instant():x}",
                # Events about objects of the cluster are kept in `default`, as everywhere.
                "namespace": namespace or "default",
            },
            "involvedObject": reference(obj),
            "reason": reason,
            "message": message,
            "type": kind,
            "source": self._source,
            "reportingComponent": self._source["component"],
            "reportingInstance": self._source.get("host", ""),
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }

    async def _write_all(self) -> None:
        # A moment later: a pod's events then become one commit, and stay out of the way of its start.
        await asyncio.sleep(_GATHER_SECONDS)
        while self._waiting:
            await asyncio.gather(*(self._try_to_write(*waiting) for waiting in self._wave()))
        self._writing = False

    def _wave(self) -> list[tuple[_Identity, Object]]:
        """What can be written side by side: the next events, up to one that counts up another of them."""
        wave: dict[_Identity, Object] = {}
        while self._waiting and len(wave) < _WAVE_LIMIT and self._waiting[0][0] not in wave:
            identity, event = self._waiting.popleft()
            wave[identity] = event
        return list(wave.items())

    async def _try_to_write(self, identity: _Identity, event: Object) -> None:
        try:
            await self._write(identity, event)
        except ApiError as error:
            # Commonly a namespace on its way out, which takes no more objects.
            log.debug("event not written", event=event["metadata"]["name"], error=error.message)
        except Exception as error:
            log.error("event not written", event=event["metadata"]["name"], exc=error)

    async def _write(self, identity: _Identity, event: Object) -> None:
        known = self._written.pop(identity, None)
        if known is not None:
            patch = {"count": known.count + 1, "lastTimestamp": event["lastTimestamp"]}
            try:
                await self._client.patch(EVENTS, known.name, patch, event["metadata"]["namespace"])
            except NotFoundError:
                known = None  # it has expired
            else:
                known.count += 1
        if known is None:
            await self._client.create(EVENTS, event)
            known = _Written(event["metadata"]["name"], 1)
        self._written[identity] = known
        if len(self._written) > _REMEMBERED:
            self._written.popitem(last=False)


def reference(obj: Mapping[str, Any]) -> dict[str, str]:
    """The ObjectReference to `obj`."""
    found = {
        "apiVersion": str(obj.get("apiVersion") or ""),
        "kind": str(obj.get("kind") or ""),
        "namespace": meta.namespace(obj),
        "name": meta.name(obj),
        "uid": meta.uid(obj),
        "resourceVersion": meta.resource_version(obj),
    }
    return {key: value for key, value in found.items() if value}
