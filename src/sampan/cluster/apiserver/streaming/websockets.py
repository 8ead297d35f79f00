"""Exec and attach over a WebSocket: each message is one stream's, named by its first byte.

Source: k8s.io/apiserver/pkg/util/wsstream/conn.go and apimachinery/pkg/util/remotecommand/constants.go, v1.31.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from sampan.client.streams import Execution, Stream
from sampan.cluster.apiserver.streaming.remotecommand import encoded_status, size_of
from sampan.lib.websocket import Piece, WebSocket

STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
V5 = "v5.channel.k8s.io"
BASE64_PROTOCOLS = ("v4.base64.channel.k8s.io", "base64.channel.k8s.io")
PROTOCOLS = (V5, "v4.channel.k8s.io", BASE64_PROTOCOLS[0], "channel.k8s.io", BASE64_PROTOCOLS[1])

_CHANNELS: dict[Stream, int] = {"stdout": STDOUT, "stderr": STDERR}
_SHORT_BYTES = 1024
"""Of what is no stream: the size of a terminal."""


class Channels:
    """The frame of each protocol: which channel, and the bytes in it."""

    def __init__(self, socket: WebSocket, *, as_base64: bool) -> None:
        self._socket = socket
        self._as_base64 = as_base64
        self._channel = -1
        self._rest = ""

    async def send(self, channel: int, data: bytes) -> None:
        """Raises OSError when the client is gone."""
        if self._as_base64:
            await self._socket.send(str(channel) + base64.b64encode(data).decode())
        else:
            await self._socket.send(bytes((channel,)) + data)

    async def receive(self) -> tuple[int, bytes, bool] | None:
        """Channel, what came, and whether the message ends with it. None when the client has closed."""
        while (piece := await self._socket.receive()) is not None:
            data = self._content(piece)
            if data is None:
                return None
            if self._channel >= 0 and (data or piece.ends):
                return self._channel, data, piece.ends
        return None

    def _content(self, piece: Piece) -> bytes | None:
        """None for what breaks the protocol."""
        content = piece.data
        if piece.begins:
            self._channel, self._rest = -1, ""
        if not self._as_base64:
            data = content if isinstance(content, bytes) else content.encode()
            if self._channel < 0 and data:
                self._channel, data = data[0], data[1:]
            return data
        text = content if isinstance(content, str) else content.decode("latin-1")
        if self._channel < 0 and text:
            if text[0] not in "0123456789":
                return None
            self._channel, text = int(text[0]), text[1:]
        text = self._rest + text
        whole = len(text) if piece.ends else len(text) // 4 * 4
        self._rest = text[whole:]
        try:
            return base64.b64decode(text[:whole], validate=True)
        except (binascii.Error, ValueError):
            return None


class WebSocketStreams:
    """Implements remotecommand.ClientStreams."""

    def __init__(self, socket: WebSocket, protocol: str, *, tells_start_on: int) -> None:
        self._socket = socket
        self._protocol = protocol
        self._first = tells_start_on
        self._channels = Channels(socket, as_base64=protocol in BASE64_PROTOCOLS)

    async def begin(self) -> None:
        """An empty message, by which the client knows that the streams stand. Raises OSError."""
        await self._channels.send(self._first, b"")

    async def pump(self, execution: Execution) -> None:
        short = b""
        while (received := await self._channels.receive()) is not None:
            channel, data, ends = received
            if channel == STDIN:
                if data:
                    await execution.write(data)
                continue
            short = (short + data)[:_SHORT_BYTES]
            if not ends:
                continue
            if channel == RESIZE and (size := size_of(short)) is not None:
                execution.resize(*size)
            elif channel == CLOSE and self._protocol == V5 and short[:1] == bytes((STDIN,)):
                await execution.close_stdin()
            short = b""

    async def write(self, stream: Stream, data: bytes) -> None:
        await self._channels.send(_CHANNELS[stream], data)

    async def finish(self, status: dict[str, Any]) -> None:
        text = encoded_status(status, as_json=self._protocol.startswith(("v4.", "v5.")))
        if text:
            await self._channels.send(ERROR, text)
        await self._socket.close()


def first_channel(*, stdout: bool, stderr: bool) -> int:
    """The lowest that we write."""
    return STDOUT if stdout else STDERR if stderr else ERROR
