"""Whether something has changed of what pages look at, on a cluster whose writes do not pass through our database.

For each list or object that a page has asked for, a watch stays open while pages go on asking (`ui.live` does, every
few seconds); what it says counts as a commit does, so that pages ask again at once.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from sampan.client.sending import Request
from sampan.kube.errors import ApiError
from sampan.lib.clock import Clock

_FORGET_SECONDS = 30.0
"""After the last time that it was asked for."""
_WATCH_SECONDS = 300
_MOST_WATCHES = 60
_METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json"
_PATH = re.compile(
    r"(?P<collection>/(?:api/v1|apis/[^/]+/[^/]+)(?:/namespaces/[^/]+)?/(?P<plural>[^/]+))(?:/(?P<name>[^/]+))?"
)
_VERSION = re.compile(rb'"resourceVersion" ?: ?"(\d+)"')
_HEAD_BYTES = 4096
_NOT_WATCHED = ("metrics.k8s.io",)


class Watched(Protocol):
    def raw_stream(self, request: Request) -> AsyncGenerator[bytes, None]: ...


@dataclass(slots=True)
class _Watch:
    task: asyncio.Task[None]
    wanted_at: float


class Changes:
    """For one event loop; `close` it."""

    def __init__(self, cluster: Watched, clock: Clock) -> None:
        self._cluster = cluster
        self._clock = clock
        self._watches: dict[tuple[str, str], _Watch] = {}
        self.count = 0

    def looked_at(self, request: Request, answer: bytes) -> None:
        """A page has asked for this and got that."""
        if not request.reads:
            # Whatever was written shows at once.
            self.count += 1
            return
        watch = watch_of(request, answer)
        if watch is None:
            return
        now = self._clock.monotonic()
        for key, each in list(self._watches.items()):
            if now - each.wanted_at > _FORGET_SECONDS:
                self._watches.pop(key).task.cancel()
        key = (
            watch.path,
            watch.params.get("fieldSelector", "") + "|" + watch.params.get("labelSelector", ""),
        )
        known = self._watches.get(key)
        if known is not None and not known.task.done():
            known.wanted_at = now
        elif len(self._watches) < _MOST_WATCHES:
            self._watches[key] = _Watch(asyncio.create_task(self._follow(watch), name="cluster changes"), now)

    async def close(self) -> None:
        tasks = [each.task for each in self._watches.values()]
        self._watches.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, watch: Request) -> None:
        """Until the server ends it; the next page that asks begins it anew."""
        try:
            async with aclosing(self._cluster.raw_stream(watch)) as pieces:
                async for _ in pieces:
                    self.count += 1
        except ApiError:
            # Not to be watched, or too old: pages ask now and then anyhow.
            return


def watch_of(request: Request, answer: bytes) -> Request | None:
    """What tells of changes of an answer; None for what cannot be watched. Pure."""
    match = _PATH.fullmatch(request.path)
    if match is None or any(each in request.path for each in _NOT_WATCHED):
        return None
    params = {
        key: request.params[key] for key in ("labelSelector", "fieldSelector") if request.params.get(key)
    }
    if match["name"] is not None:
        params["fieldSelector"] = f"metadata.name={match['name']}"
    params |= {"watch": "true", "timeoutSeconds": str(_WATCH_SECONDS)}
    if found := _VERSION.search(answer, 0, _HEAD_BYTES):
        params["resourceVersion"] = found[1].decode()
    return Request("GET", match["collection"], params, accept=_METADATA)
