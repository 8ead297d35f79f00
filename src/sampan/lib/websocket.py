"""WebSocket (RFC 6455) over any duplex of bytes: the handshake's arithmetic, and messages as they come in pieces.

Both the server (`cluster.apiserver.streaming`) and the client (`client.remote_streams`) speak it. The frames are
wsproto's. No message is ever put together here: its size is nobody's memory.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from dataclasses import dataclass
from typing import Protocol

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
NORMAL_CLOSURE = 1000
PROTOCOL_ERROR = 1002


class Duplex(Protocol):
    async def read(self) -> bytes: ...

    async def write(self, data: bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class Piece:
    """Of a message. `data` is str in a text message."""

    data: bytes | str
    begins: bool
    ends: bool


class WebSocket:
    """One task receives; any may send."""

    def __init__(self, duplex: Duplex, *, is_client: bool = False) -> None:
        self._duplex = duplex
        self._frames = Connection(ConnectionType.CLIENT if is_client else ConnectionType.SERVER)
        self._pieces: list[Piece] = []
        self._begins = True
        self._sending = asyncio.Lock()

    async def receive(self) -> Piece | None:
        """The next piece; None once the other side has closed, broken the rules, or gone."""
        while not self._pieces:
            try:
                data = await self._duplex.read()
            except OSError:
                return None
            if not data or not await self._take(data):
                return None
        return self._pieces.pop(0)

    async def send(self, data: bytes | str) -> None:
        """One message. Raises OSError when the other side is gone."""
        event = TextMessage(data) if isinstance(data, str) else BytesMessage(data)
        await self._send(event)

    async def close(self, code: int = NORMAL_CLOSURE, reason: str = "") -> None:
        """Says so; the connection itself stays open."""
        if self._frames.state is ConnectionState.OPEN:
            try:
                await self._send(CloseConnection(code, reason))
            except OSError:
                return

    async def ping(self) -> None:
        await self._send(Ping(b""))

    async def _send(self, event: TextMessage | BytesMessage | CloseConnection | Ping) -> None:
        async with self._sending:
            try:
                data = self._frames.send(event)
            except LocalProtocolError as error:
                raise ConnectionResetError("the WebSocket is closed") from error
            await self._duplex.write(data)

    async def _take(self, data: bytes) -> bool:
        try:
            self._frames.receive_data(data)
            for event in self._frames.events():
                if isinstance(event, TextMessage | BytesMessage):
                    # wsproto gives bytearrays, and reuses none of them.
                    content = event.data if isinstance(event, TextMessage) else bytes(event.data)
                    self._pieces.append(Piece(content, self._begins, event.message_finished))
                    self._begins = event.message_finished
                elif isinstance(event, Ping):
                    async with self._sending:
                        await self._duplex.write(self._frames.send(event.response()))
                elif isinstance(event, CloseConnection):
                    if self._frames.state is ConnectionState.REMOTE_CLOSING:
                        async with self._sending:
                            await self._duplex.write(self._frames.send(event.response()))
                    return bool(self._pieces)
        except (RemoteProtocolError, LocalProtocolError):
            await self.close(PROTOCOL_ERROR)
            return False
        except OSError:
            return False
        return True


def accept_key(key: bytes) -> bytes:
    """What answers a Sec-WebSocket-Key."""
    return base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())


def is_key(key: bytes) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == 16
    except ValueError:
        return False
