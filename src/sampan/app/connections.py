"""Connections of the one port: what uvicorn leaves unbounded, bounded.

uvicorn's fast parser takes a request's head of any size, for any length of time. A page or a program that opens a
thousand connections and says nothing more would otherwise use up our memory or our file descriptors. Bodies are bounded
by `web.guards`.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 256 * 1024
"""Of a request's line and headers; one more read of the socket may be taken."""
HEAD_SECONDS = 30.0
"""From the first byte of a head, or the connection's beginning, to the head's end."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection. Between requests, uvicorn's keep-alive timeout holds."""

    _head_bytes = 0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._begin_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._deadline is not None:
            if self._head_bytes > HEAD_BYTES:
                self.send_400_response("The request's headers are too large.")
                return
            self._head_bytes += len(data)
        super().data_received(data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._begin_head()

    def on_headers_complete(self) -> None:
        self._end_head()
        super().on_headers_complete()

    def _begin_head(self) -> None:
        if self._deadline is None:
            self._head_bytes = 0
            self._deadline = self.loop.call_later(HEAD_SECONDS, self._too_slow)

    def _end_head(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        cycle: Any = self.cycle
        if cycle is not None and not cycle.response_complete:
            # The next request of a pipeline waits for the answer to this one, not for its sender.
            self._begin_head()
        elif not self.transport.is_closing():
            self.transport.close()
