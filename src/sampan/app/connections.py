"""Connections of the one port: what uvicorn leaves unbounded, bounded; and what it does not know, given away.

uvicorn's fast parser takes a request's head of any size, for any length of time. A page or a program that opens a
thousand connections and says nothing more would otherwise use up our memory or our file descriptors. Bodies are bounded
by `web.guards`.

A request that asks for SPDY or WebSocket runs as any other, with a way to take its connection over (`web.upgrade`).
A connection that begins as HTTP/2 is handed over whole, where somebody takes such.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

from sampan.app.grpc_authority import PREFACE
from sampan.lib.importing import without
from sampan.web.upgrade import EXTENSION, Headers, UpgradedStream

# By which uvicorn would start itself anew when its code changes.
with without("watchfiles"):
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 256 * 1024
"""Of a request's line and headers; one more read of the socket may be taken."""
HEAD_SECONDS = 30.0
"""From the first byte of a head, or the connection's beginning, to the head's end."""

SURPLUS_BYTES = 256 * 1024
"""What may follow the head of a request to upgrade before it is answered."""
_PROTOCOLS = frozenset({b"spdy/3.1", b"websocket"})

Adopt = Callable[[asyncio.Transport, bytes], None]
"""Takes a connection over that began as HTTP/2, with what was read of it."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection. Between requests, uvicorn's keep-alive timeout holds."""

    _is_in_head = False
    _head_bytes = 0
    _deadline: asyncio.TimerHandle | None = None
    """Of a head that did not come at once."""
    _asked: bytes | None = None
    """What came after a request to upgrade; None where there was none."""
    _latest = b""
    _is_new = True

    def __init__(self, *args: Any, adopt: Adopt | None = None, **named: Any) -> None:
        super().__init__(*args, **named)
        self._adopt = adopt

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._begin_head()
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_new:
            self._is_new = False
            if self._adopt is not None and data.startswith(PREFACE):
                self._hand_over(data)
                return
        if self._is_in_head:
            if self._head_bytes > HEAD_BYTES:
                self.send_400_response("The request's headers are too large.")
                return
            self._head_bytes += len(data)
        if self._asked is not None:
            self._asked += data
            if len(self._asked) > SURPLUS_BYTES:
                self.transport.close()
            return
        self._latest = data
        super().data_received(data)
        self._latest = b""
        if self._is_in_head:
            self._watch_head()

    def _unsupported_upgrade_warning(self) -> None:
        """uvicorn calls it while it handles the parser's exception, which tells where the head ended."""
        error = sys.exc_info()[1]
        if error is not None and EXTENSION in (self.scope.get("extensions") or {}):
            self._asked = self._latest[int(error.args[0]) :]

    def _hand_over(self, data: bytes) -> None:
        assert self._adopt is not None
        self._end_head()
        self._unset_keepalive_if_required()
        self.connections.discard(self)
        self._adopt(self.transport, data)

    def _take_over(self, headers: Headers) -> UpgradedStream:
        cycle: Any = self.cycle
        # The answer is given here; uvicorn is to add nothing.
        cycle.response_started = cycle.response_complete = True
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        self.transport.write(b"HTTP/1.1 101 Switching Protocols\r\n" + lines + b"\r\n")
        stream = UpgradedStream(self.connections.discard)
        self.connections.discard(self)
        self.connections.add(stream)  # type: ignore[arg-type]
        stream.connection_made(self.transport)
        if self._asked:
            stream.data_received(self._asked)
        self.transport.set_protocol(stream)
        return stream

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._begin_head()

    def on_headers_complete(self) -> None:
        self._end_head()
        if self.parser.should_upgrade() and self._get_upgrade() in _PROTOCOLS:
            self.scope["extensions"] = {EXTENSION: self._take_over}  # type: ignore[dict-item]
            super().on_headers_complete()
            # Where it is refused, nobody can say where the next request would begin.
            self.cycle.keep_alive = False
            return
        super().on_headers_complete()

    def _begin_head(self) -> None:
        if not self._is_in_head:
            self._is_in_head = True
            self._head_bytes = 0

    def _watch_head(self) -> None:
        if self._deadline is None and not self.transport.is_closing():
            self._deadline = self.loop.call_later(HEAD_SECONDS, self._too_slow)

    def _end_head(self) -> None:
        self._is_in_head = False
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        cycle: Any = self.cycle
        if cycle is not None and not cycle.response_complete:
            # The next request of a pipeline waits for the answer to this one, not for its sender.
            self._watch_head()
        elif not self.transport.is_closing():
            self.transport.close()
