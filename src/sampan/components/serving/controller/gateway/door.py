"""What answers for endpoints from the first moment of the server: requests wait here until the gateway is loaded.

Loaded at the start, so it imports little.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from sampan.web.interception import Exchange, Head, Wire

_PREFIXES = (b"/serving/", b"/seldon/", b"/publishers/")
_CLUSTER = (b".svc", b".svc.cluster.local")
_NONE = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_GRPC = "sampan.components.serving.controller.gateway.grpc_passing"
_MOST_EARLY = 256 * 1024
"""Of a body, before the gateway is there."""


class Ready(Protocol):
    """The gateway, as this knows it."""

    def has_host(self, host: bytes, peer: str) -> bool: ...

    def has_path(self, target: bytes) -> bool:
        """Beside those of the prefixes."""
        ...

    def exchange(self, head: Head, wire: Wire) -> Exchange: ...

    def call_handler(self, passing: Callable[..., Any], authority_of: Callable[[str], str]) -> Any: ...


class Door:
    """Implements `web.interception.Interceptor`."""

    def __init__(self, domain: str) -> None:
        self._domain = b"." + domain.encode()
        self._ready: Ready | None = None
        self._early: list[Callable[[Ready | None], None]] = []
        self._asked = asyncio.Event()
        self.is_closed = False

    async def asked(self, ready: asyncio.Event, seconds: float) -> None:
        """Returns with the first request, or so long after the server was ready."""
        later = asyncio.ensure_future(_after(ready, seconds))
        first = asyncio.ensure_future(self._asked.wait())
        try:
            await asyncio.wait((later, first), return_when=asyncio.FIRST_COMPLETED)
        finally:
            later.cancel()
            first.cancel()

    def open(self, ready: Ready) -> None:
        self._ready = ready
        early, self._early = self._early, []
        for each in early:
            each(ready)

    def close(self) -> None:
        """No gateway will be there."""
        self.is_closed = True
        early, self._early = self._early, []
        for each in early:
            each(None)

    def wants_path(self, target: bytes) -> bool:
        if self.is_closed:
            return False
        if target.startswith(_PREFIXES):
            return True
        return self._ready is not None and self._ready.has_path(target)

    def wants_host(self, host: bytes, peer: str) -> bool:
        """Names below the domain are nobody else's, and are told so."""
        if self.is_closed:
            return False
        if host.endswith((self._domain, *_CLUSTER)):
            return True
        return self._ready is None or self._ready.has_host(host, peer)

    def exchange(self, head: Head, wire: Wire) -> Exchange:
        if self._ready is not None:
            return self._ready.exchange(head, wire)
        self._asked.set()
        return _Early(self, head, wire)

    async def grpc_handlers(self, authority_of: Callable[[str], str]) -> Sequence[Any]:
        opened: asyncio.Future[Ready | None] = asyncio.get_running_loop().create_future()
        if self._ready is None and not self.is_closed:
            self.when_open(opened.set_result)
            await opened
        if self._ready is None:
            return ()
        passing: Any = await asyncio.to_thread(importlib.import_module, _GRPC)
        return (self._ready.call_handler(passing.Passing, authority_of),)

    async def named_handlers(self) -> Sequence[Any]:
        """For calls to this server itself that name an endpoint by their metadata."""
        handlers = await self.grpc_handlers(lambda _peer: "localhost")
        return [importlib.import_module(_GRPC).Named(each) for each in handlers]

    def when_open(self, call: Callable[[Ready | None], None]) -> None:
        """None: it never will be."""
        self._early.append(call)


class _Early:
    """Implements `Exchange` until there is a real one, which then gets what has come."""

    def __init__(self, door: Door, head: Head, wire: Wire) -> None:
        self._head, self._wire = head, wire
        self._body: list[bytes] = []
        self._size = 0
        self._has_started = self._is_complete = self._is_gone = False
        self._real: Exchange | None = None
        door.when_open(self._become)

    def start(self) -> None:
        self._has_started = True
        if self._real is not None:
            self._real.start()

    def take(self, data: bytes) -> None:
        if self._real is not None:
            self._real.take(data)
            return
        self._body.append(data)
        self._size += len(data)
        if self._size > _MOST_EARLY:
            self._wire.pause_reading()

    def end(self) -> None:
        self._is_complete = True
        if self._real is not None:
            self._real.end()

    def flush(self) -> None:
        if self._real is not None:
            self._real.flush()

    def gone(self) -> None:
        self._is_gone = True
        if self._real is not None:
            self._real.gone()

    def pause_writing(self) -> None:
        if self._real is not None:
            self._real.pause_writing()

    def resume_writing(self) -> None:
        if self._real is not None:
            self._real.resume_writing()

    def _become(self, ready: Ready | None) -> None:
        if self._is_gone:
            return
        if ready is None:
            self._wire.write(_NONE)
            self._wire.done(keep=False)
            return
        real = self._real = ready.exchange(self._head, self._wire)
        for data in self._body:
            real.take(data)
        self._body = []
        if self._is_complete:
            real.end()
        self._wire.resume_reading()
        if self._has_started:
            real.start()
            real.flush()


async def _after(ready: asyncio.Event, seconds: float) -> None:
    await ready.wait()
    await asyncio.sleep(seconds)
