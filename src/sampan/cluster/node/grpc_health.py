"""One question of gRPC's health protocol, `grpc.health.v1.Health/Check`: all of HTTP/2 that it takes.

Called by `handlers` for `grpc` probes. No gRPC library: it would cost more at start than all the rest of the node. The
answer's message says how it is; headers are read only as far as they are plain text. Source: RFC 9113, RFC 7541,
grpc/doc/health-checking.md, kubernetes/pkg/probe/grpc, v1.31.
"""

from __future__ import annotations

import asyncio
import struct

from sampan.cluster.node.probes import Answer, Outcome

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST, _SETTINGS, _PING, _GOAWAY, _CONTINUATION = 0, 1, 3, 4, 6, 7, 9
_ACK, _END_STREAM, _END_HEADERS, _PADDED = 1, 1, 4, 8
_STREAM = 1
_STATUS = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}
_UNIMPLEMENTED, _NOT_FOUND = 12, 5


async def check(host: str, port: int, service: str, seconds: float) -> Answer:
    """Asks once."""
    where = f"{host}:{port}"
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                return await _Call(reader, writer, where).run(service)
            finally:
                writer.close()
    except TimeoutError:
        text = f"timeout: health rpc did not complete within {int(seconds)}s"
    except (EOFError, ConnectionResetError):
        text = "error: health rpc probe failed: the server closed the connection"
    except OSError as error:
        why = error.strerror or error
        text = f'timeout: failed to connect service "{where}" within {int(seconds)}s: {why}'
    return Answer(Outcome.FAILURE, text)


class _Call:
    """One unary call on a connection of its own."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, authority: str) -> None:
        self._reader = reader
        self._writer = writer
        self._authority = authority
        self._message = b""
        self._code: int | None = None

    async def run(self, service: str) -> Answer:
        name = service.encode()
        body = b"\x0a" + _varint(len(name)) + name if name else b""
        # A table of no size: the server then sends header fields that need no memory to read.
        settings = struct.pack(">HI", 1, 0)
        self._writer.write(
            _PREFACE
            + _frame(_SETTINGS, 0, 0, settings)
            + _frame(_HEADERS, _END_HEADERS, _STREAM, self._request())
            + _frame(_DATA, _END_STREAM, _STREAM, b"\0" + struct.pack(">I", len(body)) + body)
        )
        while not await self._read_frame():
            pass
        return self._answer()

    def _request(self) -> bytes:
        fields = (
            (":method", "POST"),
            (":scheme", "http"),
            (":path", "/grpc.health.v1.Health/Check"),
            (":authority", self._authority),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            ("user-agent", "kube-probe/1.31"),
        )
        # Literal fields with new names, never indexed: the plainest form that there is.
        return b"".join(b"\x10" + _text(name) + _text(value) for name, value in fields)

    async def _read_frame(self) -> bool:
        """Whether the answer is complete."""
        head = await self._reader.readexactly(9)
        length, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
        stream = int.from_bytes(head[5:], "big") & 0x7FFFFFFF
        payload = await self._reader.readexactly(length)
        if kind == _SETTINGS and not flags & _ACK:
            self._writer.write(_frame(_SETTINGS, _ACK, 0, b""))
        elif kind == _PING and not flags & _ACK:
            self._writer.write(_frame(_PING, _ACK, 0, payload))
        elif kind == _GOAWAY or (kind == _RST and stream == _STREAM):
            return True
        elif stream == _STREAM and kind == _DATA:
            self._message += _unpadded(payload, flags)
            return bool(flags & _END_STREAM)
        elif stream == _STREAM and kind in (_HEADERS, _CONTINUATION):
            found = _grpc_status(payload)
            self._code = found if found is not None else self._code
            return bool(kind == _HEADERS and flags & _END_STREAM)
        return False

    def _answer(self) -> Answer:
        status = _serving_status(self._message) if not self._code else None
        if status == 1:
            return Answer(Outcome.SUCCESS, "service healthy")
        if status is not None:
            name = _STATUS.get(status, str(status))
            return Answer(Outcome.FAILURE, f'service unhealthy (responded with "{name}")')
        if self._code == _UNIMPLEMENTED:
            text = "error: this server does not implement the grpc health protocol (grpc.health.v1.Health)"
        elif self._code is None:
            text = "error: health rpc probe failed: the server gave no health status"
        elif self._code == _NOT_FOUND:
            text = "error: health rpc probe failed: rpc error: code = NotFound desc = unknown service"
        else:
            text = f"error: health rpc probe failed: rpc error: code = {self._code}"
        return Answer(Outcome.FAILURE, text)


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def _text(value: str) -> bytes:
    """A header's string without Huffman coding; names and values here are shorter than 127 bytes, or split."""
    data = value.encode()
    if len(data) < 127:
        return bytes((len(data),)) + data
    return b"\x7f" + _varint(len(data) - 127) + data


def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _unpadded(payload: bytes, flags: int) -> bytes:
    return payload[1 : len(payload) - payload[0]] if flags & _PADDED and payload else payload


def _serving_status(data: bytes) -> int | None:
    """Field 1 of a HealthCheckResponse; None when there is no whole message."""
    if len(data) < 5 or data[0] != 0:
        return None
    length = int.from_bytes(data[1:5], "big")
    message = data[5 : 5 + length]
    if len(message) < length:
        return None
    if not message:
        return 0
    return message[1] if message[0] == 0x08 and len(message) > 1 else None


def _grpc_status(block: bytes) -> int | None:
    """The code, where `grpc-status` and its value stand in the block as plain text or in their Huffman form."""
    for name in (b"grpc-status", b"\x9a\xca\xc8\xb2\x12\x34\xda\x8f"):
        at = block.find(name)
        if at >= 0:
            value = block[at + len(name) :]
            length = value[0] & 0x7F if value else 0
            text = value[1 : 1 + length]
            if not value or value[0] & 0x80:
                return _HUFFMAN_CODES.get(text)
            return int(text) if text.isdigit() else None
    return None


# In Huffman's code (RFC 7541, appendix B), as Go's servers send them: the codes that health checks are refused with.
_HUFFMAN_CODES = {b"\x08\xbf": _UNIMPLEMENTED, b"\x6f": _NOT_FOUND}
