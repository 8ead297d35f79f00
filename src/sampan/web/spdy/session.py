"""A SPDY/3.1 connection as the server has it: streams that the client opens, over any duplex of bytes.

The client's streams come one after the other from `accept`. A stream whose reader is slow stops the whole connection,
as it does in Go's implementation: its peers know no windows. Only to a peer that shows that it has them are they given.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

from sampan.lib.log import get_logger
from sampan.web.spdy.frames import (
    MAX_DATA_BYTES,
    Control,
    Data,
    Decoder,
    Encoder,
    Headers,
    Kind,
    SpdyError,
    Status,
)

log = get_logger(__name__)

MAX_STREAMS = 2000
"""Open at once on one connection."""
UNREAD_BYTES = 512 * 1024
"""Of one stream; with more, nothing is read from the connection."""
_UNACCEPTED = 64


class Duplex(Protocol):
    async def read(self) -> bytes: ...

    async def write(self, data: bytes) -> None: ...


class Stream:
    """One stream. One task reads, one writes."""

    def __init__(self, session: Session, number: int, headers: Headers, *, ended: bool) -> None:
        self.number = number
        self.headers: Mapping[str, str] = dict(headers)
        self._session = session
        self._unread = bytearray()
        self._has_ended = ended
        self._was_closed = False
        self.was_cut = False
        """Reset by either side, or gone with the connection."""
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    async def read(self) -> bytes:
        """What comes next; nothing at the end, and when stream or connection are gone."""
        while not self._unread and not self._has_ended:
            self._changed.clear()
            await self._changed.wait()
        data = bytes(self._unread)
        self._unread.clear()
        self._room.set()
        await self._session.taken(self.number, len(data))
        return data

    async def write(self, data: bytes) -> None:
        """Raises OSError when stream or connection are gone."""
        for start in range(0, len(data), MAX_DATA_BYTES):
            if self._was_closed:
                raise ConnectionResetError("the stream was reset")
            await self._session.send_data(self.number, data[start : start + MAX_DATA_BYTES])

    async def end(self) -> None:
        """Nothing more is written. Silent when the connection is gone."""
        if not self._was_closed:
            self._was_closed = True
            await self._session.send_end(self)

    async def reset(self, status: Status = Status.CANCEL) -> None:
        if not (self._was_closed and self._has_ended):
            self.cut()
            await self._session.send_reset(self.number, status)

    async def feed(self, data: Data) -> None:
        if self._has_ended:
            return
        self._unread += data.content
        self._has_ended = data.fin
        self._changed.set()
        while len(self._unread) > UNREAD_BYTES:
            self._room.clear()
            await self._room.wait()

    def cut(self) -> None:
        """The other side takes and gives nothing more."""
        self.was_cut = True
        self._was_closed = self._has_ended = True
        self._unread.clear()
        self._changed.set()
        self._room.set()

    @property
    def is_over(self) -> bool:
        return self._was_closed and self._has_ended


class Session:
    """`run` ends when the connection does; the streams then end too."""

    def __init__(self, duplex: Duplex) -> None:
        self._duplex = duplex
        self._encoder = Encoder()
        self._decoder = Decoder()
        self._streams: dict[int, Stream] = {}
        self._latest = 0
        self._opened: asyncio.Queue[Stream | None] = asyncio.Queue(_UNACCEPTED)
        self._sending = asyncio.Lock()
        self._has_windows = False
        self._pings = 0

    async def run(self) -> None:
        try:
            while data := await self._duplex.read():
                for frame in self._decoder.feed(data):
                    if isinstance(frame, Data):
                        await self._data(frame)
                    elif not await self._control(frame):
                        return
        except SpdyError as error:
            log.warning("a SPDY connection was ended", why=str(error))
            await self._send_goaway(1)
        except OSError:
            return
        finally:
            for stream in self._streams.values():
                stream.cut()
            self._streams.clear()
            if self._opened.full():
                self._opened.get_nowait()
            self._opened.put_nowait(None)

    async def accept(self) -> Stream | None:
        """The next stream that the client has opened, not answered yet; None when the connection is over."""
        return await self._opened.get()

    async def reply(self, stream: Stream) -> None:
        """Raises OSError."""
        await self._send(Control(Kind.SYN_REPLY, stream.number))

    async def close(self) -> None:
        await self._send_goaway(0)

    async def ping(self) -> None:
        """Raises OSError when the connection is gone. The answer tells nothing more."""
        self._pings += 2
        await self._send(Control(Kind.PING, value=self._pings))

    # For streams.

    async def send_data(self, stream: int, content: bytes) -> None:
        async with self._sending:
            await self._duplex.write(self._encoder.data(stream, content))

    async def send_end(self, stream: Stream) -> None:
        try:
            async with self._sending:
                await self._duplex.write(self._encoder.data(stream.number, b"", fin=True))
        except OSError:
            return
        self._forget(stream)

    async def send_reset(self, stream: int, status: Status) -> None:
        self._streams.pop(stream, None)
        try:
            await self._send(Control(Kind.RST_STREAM, stream, value=status))
        except OSError:
            return

    async def taken(self, stream: int, count: int) -> None:
        if self._has_windows and count and stream in self._streams:
            try:
                await self._send(Control(Kind.WINDOW_UPDATE, stream, value=count))
            except OSError:
                return

    # What comes.

    async def _data(self, frame: Data) -> None:
        stream = self._streams.get(frame.stream)
        if stream is None:
            # Of one that was reset while this was on its way.
            if frame.stream > self._latest:
                raise SpdyError(f"data for stream {frame.stream}, which is not open")
            return
        await stream.feed(frame)
        self._forget(stream)

    async def _control(self, frame: Control) -> bool:
        """False when the connection is to end."""
        match frame.kind:
            case Kind.SYN_STREAM:
                await self._open(frame)
            case Kind.RST_STREAM:
                if (stream := self._streams.pop(frame.stream, None)) is not None:
                    stream.cut()
            case Kind.PING:
                # Those with an even number are ours, coming back.
                if frame.value % 2:
                    await self._send(Control(Kind.PING, value=frame.value))
            case Kind.SETTINGS | Kind.WINDOW_UPDATE:
                self._has_windows = True
            case Kind.HEADERS if (stream := self._streams.get(frame.stream)) is not None and frame.fin:
                await stream.feed(Data(frame.stream, b"", fin=True))
                self._forget(stream)
            case Kind.GOAWAY:
                return False
        return True

    async def _open(self, frame: Control) -> None:
        if frame.stream % 2 == 0 or frame.stream <= self._latest:
            raise SpdyError(f"a client may not open stream {frame.stream} after {self._latest}")
        self._latest = frame.stream
        if len(self._streams) >= MAX_STREAMS:
            await self._send(Control(Kind.RST_STREAM, frame.stream, value=Status.REFUSED_STREAM))
            return
        stream = Stream(self, frame.stream, frame.headers, ended=frame.fin)
        self._streams[frame.stream] = stream
        await self._opened.put(stream)

    def _forget(self, stream: Stream) -> None:
        if stream.is_over:
            self._streams.pop(stream.number, None)

    async def _send(self, frame: Control) -> None:
        async with self._sending:
            await self._duplex.write(self._encoder.control(frame))

    async def _send_goaway(self, status: int) -> None:
        try:
            await self._send(Control(Kind.GOAWAY, self._latest, value=status))
        except OSError:
            return
