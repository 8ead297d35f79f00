"""Pipes, terminals and sockets in the event loop without a buffer between: who reads slowly slows the writer down.

asyncio's own pipe transports buffer, and do not know terminals.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import struct
import termios

READ_BYTES = 64 * 1024


class Descriptor:
    """Owns one descriptor, -1 for none. One task reads it, one writes it; both may when it is a terminal."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._waiting: set[asyncio.Future[None]] = set()
        self._is_finishing = False
        if number >= 0:
            os.set_blocking(number, False)

    @property
    def number(self) -> int:
        return self._number

    async def read(self) -> bytes:
        """Nothing at the end, and where the other side or this one was closed."""
        while self._number >= 0:
            try:
                return os.read(self._number, READ_BYTES)
            except BlockingIOError:
                if self._is_finishing:
                    return b""
                await self.until_readable()
            except OSError:
                # A terminal says so that its other side is closed.
                return b""
        return b""

    async def write(self, data: bytes) -> bool:
        """All of it; False when nobody reads it."""
        view = memoryview(data)
        while view and self._number >= 0:
            try:
                view = view[os.write(self._number, view) :]
            except BlockingIOError:
                await self._until(writable=True)
            except OSError:
                return False
        return not view

    async def until_readable(self) -> None:
        await self._until(writable=False)

    def finish(self) -> None:
        """From now on the end is where nothing more can be read at once."""
        self._is_finishing = True
        self._wake()

    def close(self) -> None:
        """Wakes who waits for it."""
        number, self._number = self._number, -1
        if number >= 0:
            loop = asyncio.get_running_loop()
            loop.remove_reader(number)
            loop.remove_writer(number)
            os.close(number)
        self._wake()

    def _wake(self) -> None:
        for waiting in self._waiting:
            _set(waiting)

    def resize(self, columns: int, rows: int) -> None:
        size = struct.pack("HHHH", min(max(rows, 0), 0xFFFF), min(max(columns, 0), 0xFFFF), 0, 0)
        with contextlib.suppress(OSError):
            fcntl.ioctl(self._number, termios.TIOCSWINSZ, size)

    async def _until(self, *, writable: bool) -> None:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        number = self._number
        add, remove = (
            (loop.add_writer, loop.remove_writer) if writable else (loop.add_reader, loop.remove_reader)
        )
        self._waiting.add(ready)
        add(number, _set, ready)
        try:
            await ready
        finally:
            self._waiting.discard(ready)
            if self._number == number:
                remove(number)


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
