"""One connection to an HTTP/1.1 server that requests are passed on to: what comes back, as it comes.

For one request at a time, many one after the other. Which connection is used for what is the caller's business.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast

import httptools

from sampan.web.interception import Headers

HEAD_BYTES = 128 * 1024
"""Of an answer's head."""
_ACKED_OFFSET = 120
"""Of `tcpi_bytes_acked` in the kernel's `struct tcp_info` (linux/tcp.h, since 4.1)."""
_SYN = 1
_SWITCHING = 101


@dataclass(slots=True)
class AnswerHead:
    status: int
    reason: bytes
    headers: Headers
    length: bytes
    """As the header Content-Length says it; empty where the answer's end is found otherwise."""
    has_body: bool


class Receiver(Protocol):
    """Whoever has sent a request, until its answer is complete or lost."""

    def answer_begins(self, head: AnswerHead) -> None: ...

    def answer_data(self, data: bytes) -> None: ...

    def answer_flush(self) -> None:
        """What came at once has been told."""
        ...

    def answer_ends(self) -> None:
        """The connection may be used again if `can_be_reused`."""
        ...

    def answer_switches(self, head: AnswerHead, surplus: bytes) -> None:
        """101: the connection speaks something else from here on; `surplus` came behind the head."""
        ...

    def answer_lost(self, *, was_taken: bool) -> None:
        """The connection broke. `was_taken`: the other side may have got some of the request."""
        ...

    def pause_sending(self) -> None: ...

    def resume_sending(self) -> None: ...


class Upstream(asyncio.Protocol):
    """`on_idle_lost` is called when the connection goes while nobody uses it."""

    def __init__(self, on_idle_lost: Callable[[Upstream], None]) -> None:
        self._on_idle_lost = on_idle_lost
        self._parser: Any = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._receiver: Receiver | None = None
        self._is_head = False
        self._headers: Headers = []
        self._reason = b""
        self._head_bytes = 0
        self._has_begun = False
        self._until_end = False
        self._is_over = False
        """The answer is complete; the parser may still hold bytes that came with its end."""
        self._written = 0
        self._before = 0
        self.can_be_reused = False
        self.used = 0
        """How many requests it has had."""
        self.idle_since = 0.0

    # For whoever sends.

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def begin(self, receiver: Receiver, *, is_head: bool) -> None:
        """`is_head`: the answer to HEAD has no body, whatever it says."""
        self._receiver = receiver
        self._is_head = is_head
        self._has_begun = self._until_end = self._is_over = False
        self.can_be_reused = False
        self._before = self._written
        self.used += 1

    def write(self, data: bytes) -> None:
        if self._transport is not None:
            self._written += len(data)
            self._transport.write(data)

    def pause_reading(self) -> None:
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def let_go(self) -> None:
        """The answer is complete, or nobody wants it any more; only then the connection may be begun again."""
        self._receiver = None

    def close(self) -> None:
        self._receiver = None
        if self._transport is not None:
            self._transport.abort()

    def give_away(self, protocol: asyncio.Protocol) -> asyncio.Transport:
        """After `answer_switches`."""
        self._receiver = None
        assert self._transport is not None, "it has just switched"
        self._transport.set_protocol(protocol)
        return self._transport

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        receiver = self._receiver
        if receiver is None:
            # Nobody has asked anything: the two sides disagree about where the last answer ended.
            self.close()
            return
        if not self._has_begun:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as error:
            self._switch(receiver, data[int(error.args[0]) :])
            return
        except httptools.HttpParserError:
            self._break()
            return
        if not self._has_begun and self._head_bytes > HEAD_BYTES:
            self._break()
            return
        if self._receiver is not receiver:
            return
        if self._is_over:
            # Only now, as what came behind the end must not be taken for the answer to another request.
            self._receiver = None
            receiver.answer_ends()
        else:
            receiver.answer_flush()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        receiver, self._receiver = self._receiver, None
        if receiver is None:
            self._transport = None
            self._on_idle_lost(self)
            return
        was_taken = self._has_begun or self._is_taken()
        self._transport = None
        if self._until_end and exc is None:
            receiver.answer_ends()
        else:
            receiver.answer_lost(was_taken=was_taken)

    def pause_writing(self) -> None:
        if self._receiver is not None:
            self._receiver.pause_sending()

    def resume_writing(self) -> None:
        if self._receiver is not None:
            self._receiver.resume_sending()

    # From the parser.

    def on_message_begin(self) -> None:
        if self._is_over:
            self.can_be_reused = False
        self._headers = []
        self._reason = b""

    def on_status(self, reason: bytes) -> None:
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        status = int(self._parser.get_status_code())
        receiver = self._receiver
        if status < 200 or receiver is None or self._is_over:
            # What is informational is for us; 101 is told when the parser has stopped.
            return
        self._has_begun = True
        self._head_bytes = 0
        head = self._head(status)
        self._until_end = head.has_body and not head.length and not self._is_chunked()
        receiver.answer_begins(head)
        # The parser waits for a body of HEAD's that never comes: such a connection is not used again.
        self._is_over = self._is_head

    def on_body(self, body: bytes) -> None:
        if self._receiver is not None and not self._is_over:
            self._receiver.answer_data(body)

    def on_message_complete(self) -> None:
        if self._has_begun and not self._is_over:
            self._is_over = True
            self.can_be_reused = bool(self._parser.should_keep_alive()) and self.is_open

    def _head(self, status: int) -> AnswerHead:
        length = b""
        for key, value in self._headers:
            if key == b"content-length":
                length = value
        has_body = not self._is_head and status not in (204, 304) and status >= 200
        return AnswerHead(status, self._reason, self._headers, length, has_body)

    def _is_chunked(self) -> bool:
        return any(key == b"transfer-encoding" for key, _ in self._headers)

    def _switch(self, receiver: Receiver, surplus: bytes) -> None:
        if int(self._parser.get_status_code()) != _SWITCHING:
            self._break()
            return
        self._has_begun = True
        receiver.answer_switches(self._head(_SWITCHING), surplus)

    def _break(self) -> None:
        """What came is no answer."""
        receiver, self._receiver = self._receiver, None
        if self._transport is not None:
            self._transport.abort()
        if receiver is not None:
            receiver.answer_lost(was_taken=True)

    def _is_taken(self) -> bool:
        """Whether the other side's kernel has acknowledged anything of this request.

        A server that closes an idle connection just when a request comes has not seen it, and answers with a reset.
        """
        sock = self._transport.get_extra_info("socket") if self._transport is not None else None
        if sock is None:
            return True
        with contextlib.suppress(OSError, struct.error, AttributeError):
            info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACKED_OFFSET + 8)
            (acked,) = struct.unpack_from("=Q", info, _ACKED_OFFSET)
            return bool(acked > self._before + _SYN)
        return True
