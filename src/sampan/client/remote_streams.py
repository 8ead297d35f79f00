"""exec, attach and port-forward of the remote client: WebSockets to any Kubernetes API server.

`remote` loads this with the first such call. One task reads each socket and hands on to whoever reads the stream; it
waits while nobody does, so that a slow reader slows the server down.

A server before 1.30 cannot be told that stdin has ended (version 4 of the protocol has no word for it), and none that
one direction of a forwarded port has.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from sampan.client.streams import AttachOptions, ExecOptions, Stream
from sampan.kube.errors import ApiError, ServiceUnavailableError, from_status
from sampan.lib.websocket import WebSocket, accept_key

_V5 = "v5.channel.k8s.io"
COMMAND_PROTOCOLS = (_V5, "v4.channel.k8s.io")
PORT_PROTOCOLS = ("v4.channel.k8s.io",)
_STDIN, _ERROR, _RESIZE, _CLOSE = 0, 3, 4, 255
_OUTPUTS: dict[int, Stream] = {1: "stdout", 2: "stderr"}
_CONNECT_SECONDS = 10.0
_PIECE_BYTES = 64 * 1024
_MAX_HEAD_BYTES = 64 * 1024
_MAX_BODY_BYTES = 1024 * 1024
_MAX_STATUS_BYTES = 256 * 1024
_UNREAD_PIECES = 4
_UNKNOWN_EXIT_CODE = 137


@dataclass(frozen=True, slots=True)
class Address:
    """Where the socket is opened: a server's address, and what is said to be let in."""

    server: str
    headers: Mapping[str, str]
    tls: ssl.SSLContext | None


class _Connection:
    """A Duplex over asyncio's streams."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def read(self) -> bytes:
        return await self.reader.read(_PIECE_BYTES)

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def close(self) -> None:
        self.writer.close()


async def open_socket(
    address: Address, path: str, query: Sequence[tuple[str, str]], protocols: Sequence[str]
) -> tuple[WebSocket, str, _Connection]:
    """The socket and the protocol that the server has chosen. Raises ApiError."""
    where = urlsplit(address.server)
    port = where.port or (443 if where.scheme == "https" else 80)
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            connection = _Connection(
                *await asyncio.open_connection(where.hostname, port, ssl=address.tls, limit=_MAX_HEAD_BYTES)
            )
    except (OSError, TimeoutError) as error:
        raise ServiceUnavailableError(f"{address.server} cannot be reached: {error}") from error
    try:
        async with asyncio.timeout(_CONNECT_SECONDS * 3):
            chosen = await _shake_hands(
                connection, address, f"{where.path}{path}?{urlencode(query)}", protocols
            )
    except BaseException as error:
        connection.close()
        if isinstance(error, OSError | EOFError | TimeoutError | asyncio.LimitOverrunError | ValueError):
            raise ServiceUnavailableError(f"{address.server} did not answer as HTTP does: {error}") from error
        raise
    return WebSocket(connection, is_client=True), chosen, connection


async def _shake_hands(
    connection: _Connection, address: Address, target: str, protocols: Sequence[str]
) -> str:
    key = base64.b64encode(os.urandom(16))
    headers = {
        "Host": urlsplit(address.server).netloc.rpartition("@")[2],
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": key.decode(),
        "Sec-WebSocket-Protocol": ", ".join(protocols),
        **address.headers,
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    await connection.write(f"GET {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1"))
    head = (await connection.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    status = int(head[0].split(" ")[1])
    answered = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in head[1:] if line)
    }
    if status != 101:
        raise _refusal(status, await _body(connection.reader, answered))
    if answered.get("sec-websocket-accept") != accept_key(key).decode():
        raise ServiceUnavailableError(f"{address.server} opened no WebSocket")
    chosen = answered.get("sec-websocket-protocol", "")
    if chosen not in protocols:
        raise ServiceUnavailableError(f"{address.server} speaks none of {', '.join(protocols)}")
    return chosen


async def _body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    length = headers.get("content-length", "")
    if length.isdecimal():
        return await reader.readexactly(min(int(length), _MAX_BODY_BYTES))
    if "chunked" in headers.get("transfer-encoding", "").lower():
        found = b""
        while (size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)) and len(
            found
        ) < _MAX_BODY_BYTES:
            found += (await reader.readexactly(size + 2))[:-2]
        return found
    return await reader.read(_MAX_BODY_BYTES)


def _refusal(status: int, body: bytes) -> ApiError:
    try:
        found = msgspec.json.decode(body)
    except msgspec.DecodeError:
        found = None
    if not isinstance(found, dict):
        found = {"message": body[:500].decode("utf-8", "replace").strip() or f"HTTP {status}"}
    return from_status(found, code=status)


class RemoteExecution:
    """Implements client.streams.Execution."""

    def __init__(self, socket: WebSocket, protocol: str, connection: _Connection) -> None:
        self._socket = socket
        self._protocol = protocol
        self._connection = connection
        self._outputs: dict[Stream, asyncio.Queue[bytes]] = {
            stream: asyncio.Queue(_UNREAD_PIECES) for stream in _OUTPUTS.values()
        }
        self._ended = asyncio.Event()
        self._status = b""
        self._sizing: asyncio.Task[None] | None = None
        self._reading = asyncio.create_task(self._read(), name="exec")

    async def write(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            for start in range(0, len(data), _PIECE_BYTES):
                await self._socket.send(bytes((_STDIN,)) + data[start : start + _PIECE_BYTES])

    async def close_stdin(self) -> None:
        if self._protocol == _V5:
            with contextlib.suppress(OSError):
                await self._socket.send(bytes((_CLOSE, _STDIN)))

    async def read(self, stream: Stream) -> bytes:
        pieces = self._outputs[stream]
        if self._ended.is_set() and pieces.empty():
            return b""
        getting = asyncio.ensure_future(pieces.get())
        ending = asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait({getting, ending}, return_when=asyncio.FIRST_COMPLETED)
            if getting.done():
                return getting.result()
            return b"" if pieces.empty() else pieces.get_nowait()
        finally:
            getting.cancel()
            ending.cancel()

    def resize(self, columns: int, rows: int) -> None:
        text = msgspec.json.encode({"Width": columns, "Height": rows})
        self._sizing = asyncio.create_task(self._send_size(bytes((_RESIZE,)) + text))

    async def _send_size(self, message: bytes) -> None:
        with contextlib.suppress(OSError):
            await self._socket.send(message)

    async def wait(self) -> int:
        """Raises ApiError for an end that is no exit of the command."""
        await self._ended.wait()
        if not self._status:
            return _UNKNOWN_EXIT_CODE
        return _exit_code(msgspec.json.decode(self._status))

    async def close(self) -> None:
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        await self._socket.close()
        self._connection.close()

    async def _read(self) -> None:
        channel = -1
        try:
            while (piece := await self._socket.receive()) is not None:
                data = piece.data if isinstance(piece.data, bytes) else piece.data.encode()
                if piece.begins:
                    channel = -1
                if channel < 0 and data:
                    channel, data = data[0], data[1:]
                if not data:
                    continue
                if channel == _ERROR:
                    self._status = (self._status + data)[:_MAX_STATUS_BYTES]
                elif channel in _OUTPUTS:
                    await self._outputs[_OUTPUTS[channel]].put(data)
        finally:
            self._ended.set()


class RemotePort:
    """Implements client.streams.Duplex."""

    def __init__(self, socket: WebSocket, connection: _Connection) -> None:
        self._socket = socket
        self._connection = connection
        self._channel = -1
        # Each channel begins with the port, in two bytes.
        self._skip = {0: 2, 1: 2}

    async def read(self) -> bytes:
        while (piece := await self._socket.receive()) is not None:
            data = piece.data if isinstance(piece.data, bytes) else piece.data.encode()
            if piece.begins:
                self._channel = -1
            if self._channel < 0 and data:
                self._channel, data = data[0], data[1:]
            skipped = min(self._skip.get(self._channel, 0), len(data))
            if skipped:
                self._skip[self._channel] -= skipped
                data = data[skipped:]
            if self._channel == 1 and data:
                raise ConnectionRefusedError(data.decode("utf-8", "replace"))
            if data:
                return data
        return b""

    async def write(self, data: bytes) -> None:
        for start in range(0, len(data), _PIECE_BYTES):
            await self._socket.send(b"\0" + data[start : start + _PIECE_BYTES])

    async def end(self) -> None:
        """The protocol has no word for it."""

    async def close(self) -> None:
        await self._socket.close()
        self._connection.close()


def query_of(options: ExecOptions | AttachOptions) -> list[tuple[str, str]]:
    query = [("command", word) for word in options.command] if isinstance(options, ExecOptions) else []
    if options.container:
        query.append(("container", options.container))
    query += [(name, "true") for name in ("stdin", "stdout", "stderr", "tty") if getattr(options, name)]
    return query


def _exit_code(status: Any) -> int:
    if not isinstance(status, dict) or status.get("status") == "Success":
        return 0
    for cause in (status.get("details") or {}).get("causes") or ():
        if cause.get("reason") == "ExitCode" and str(cause.get("message", "")).isdecimal():
            return int(cause["message"])
    raise from_status(status)
