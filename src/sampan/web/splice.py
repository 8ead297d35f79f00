"""Two connections joined: what comes to one goes to the other, as fast as that one takes it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Side(asyncio.Protocol):
    """One end, on a transport that is open already (`transport.set_protocol`)."""

    def __init__(
        self, transport: asyncio.Transport | None = None, on_lost: Callable[[Side], None] | None = None
    ) -> None:
        self.transport = transport
        self._on_lost = on_lost
        self.other: Side | None = None
        self.on_end: Callable[[], None] | None = None
        """Called once, with the first end of either."""

    def data_received(self, data: bytes) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.write(data)

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        other = self.other.transport if self.other is not None else None
        if other is not None and not other.is_closing():
            other.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self._on_lost is not None:
            self._on_lost(self)
        other, self.other = self.other, None
        if other is not None and other.transport is not None:
            # What was written to it still goes out.
            other.transport.close()
        on_end, self.on_end = self.on_end, None
        if on_end is not None:
            on_end()

    def shutdown(self) -> None:
        """As uvicorn asks each of its connections when it stops."""
        if self.transport is not None:
            self.transport.close()


def join(one: Side, other: Side, on_end: Callable[[], None]) -> None:
    """Both have their transports."""
    has_ended = False

    def end() -> None:
        nonlocal has_ended
        if not has_ended:
            has_ended = True
            on_end()

    one.other, other.other = other, one
    one.on_end = other.on_end = end
