"""The few things that handlers on bare ASGI need: bounded bodies, answers in JSON, streams that notice the end.

For hot paths, where a framework's request object costs more than the request. Routes that are not hot use Starlette.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress

import msgspec
from starlette.types import Message, Receive, Scope, Send

from sampan.kube.errors import (
    ApiError,
    RequestTooLargeError,
    ServerTimeoutError,
    TooManyRequestsError,
    to_status,
)
from sampan.lib.log import get_logger

log = get_logger(__name__)

_BODY_SECONDS = 60.0
"""For a body that does not come with its head."""
_STALL_SECONDS = 30.0
"""For a client to take one part of a large answer."""
_LITTLE_BYTES = 64 * 1024
_PART_BYTES = 256 * 1024


class ClientGoneError(Exception):
    """The client closed the connection before its request was complete: there is nobody to answer."""


Headers = Iterable[tuple[bytes, bytes]]


def header(scope: Scope, name: bytes) -> str:
    """The first header of this (lower-case) name, or empty."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value).decode("latin-1")
    return ""


class Held:
    """Bytes that all requests of a server keep together while their clients take their time. For one event loop."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0

    def take(self, size: int) -> None:
        """To be given back. Raises TooManyRequestsError where there is no room for so much."""
        if self.size + size > self.limit:
            raise TooManyRequestsError(
                "too many large requests at once, please try again later", details={"retryAfterSeconds": 1}
            )
        self.size += size

    def give(self, size: int) -> None:
        self.size -= size


async def read_body(scope: Scope, receive: Receive, limit: int, held: Held | None = None) -> bytes:
    """The whole body. Raises RequestTooLargeError as soon as it is known to exceed `limit` bytes.

    One that is large and does not come at once counts as `held`: TooManyRequestsError, ServerTimeoutError.
    """
    length = header(scope, b"content-length")
    if length.isdecimal() and int(length) > limit:
        raise _too_large(limit)
    message = await receive()
    if not message.get("more_body"):
        return _piece(message, limit)
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            return await _rest(message, receive, limit, held or Held(limit))
    except TimeoutError as error:
        raise ServerTimeoutError("the body of the request did not come in time") from error


async def _rest(message: Message, receive: Receive, limit: int, held: Held) -> bytes:
    chunks, size, taken = [], 0, 0
    try:
        while True:
            chunk = _piece(message, limit - size)
            chunks.append(chunk)
            size += len(chunk)
            if not message.get("more_body"):
                return b"".join(chunks)
            # There is always room for what is small.
            if size - taken > _LITTLE_BYTES:
                held.take(size - taken)
                taken = size
            message = await receive()
    finally:
        held.give(taken)


def _piece(message: Message, limit: int) -> bytes:
    if message["type"] == "http.disconnect":
        raise ClientGoneError
    chunk: bytes = message.get("body", b"")
    if len(chunk) > limit:
        raise _too_large(limit)
    return chunk


async def respond_bulk(send: Send, body: bytes, content_type: bytes, held: Held) -> None:
    """As `respond`, for what may be large: it goes as fast as the client reads.

    Raises TooManyRequestsError, and ClientGoneError where the client does not read.
    """
    if len(body) <= _PART_BYTES:
        await respond(send, 200, body, content_type)
        return
    held.take(len(body))
    try:
        headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for at in range(0, len(body), _PART_BYTES):
            part = body[at : at + _PART_BYTES]
            async with asyncio.timeout(_STALL_SECONDS):
                more = at + _PART_BYTES < len(body)
                await send({"type": "http.response.body", "body": part, "more_body": more})
    except TimeoutError as error:
        raise ClientGoneError from error
    finally:
        held.give(len(body))


async def respond(
    send: Send, status: int, body: bytes, content_type: bytes = b"application/json", headers: Headers = ()
) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", content_type),
                (b"content-length", str(len(body)).encode()),
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})


def warnings(texts: Iterable[str]) -> list[tuple[bytes, bytes]]:
    """Headers that tell a client, as kube-apiserver does."""
    return [(b"warning", f'299 - "{_quoted(text)}"'.encode()) for text in texts]


def _quoted(text: str) -> str:
    """For a header: ASCII without line ends, quotes escaped."""
    return ascii(text)[1:-1].replace("\\'", "'").replace('"', '\\"')


async def respond_error(send: Send, error: ApiError) -> None:
    """The error as a Kubernetes Status."""
    headers = warnings(error.warnings)
    if retry := error.details.get("retryAfterSeconds"):
        headers.append((b"retry-after", str(retry).encode()))
    await respond(send, error.code, msgspec.json.encode(to_status(error)), headers=headers)


async def stream(
    receive: Receive, send: Send, chunks: AsyncIterator[bytes], content_type: bytes = b"application/json"
) -> None:
    """Sends `chunks` until they end or the client has gone. A client that does not read slows them down."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", content_type)]})

    async def forward() -> None:
        # At once, so that the client knows its watch stands before anything happens.
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        async for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    tasks = [asyncio.create_task(forward()), asyncio.create_task(gone())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):
                log.error("a stream failed", exc=result)


async def finish(send: Send) -> None:
    """Ends an answer whose headers were sent already."""
    with suppress(Exception):
        await send({"type": "http.response.body", "body": b""})


def _too_large(limit: int) -> RequestTooLargeError:
    return RequestTooLargeError(f"Request entity too large: limit is {limit}")
