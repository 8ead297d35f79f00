"""The few things that handlers on bare ASGI need: bounded bodies, answers in JSON, streams that notice the end.

For hot paths, where a framework's request object costs more than the request. Routes that are not hot use Starlette.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress

import msgspec
from starlette.types import Receive, Scope, Send

from sampan.kube.errors import ApiError, RequestTooLargeError, to_status
from sampan.lib.log import get_logger

log = get_logger(__name__)


class ClientGoneError(Exception):
    """The client closed the connection before its request was complete: there is nobody to answer."""


Headers = Iterable[tuple[bytes, bytes]]


def header(scope: Scope, name: bytes) -> str:
    """The first header of this (lower-case) name, or empty."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value).decode("latin-1")
    return ""


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The whole body. Raises RequestTooLargeError as soon as it is known to exceed `limit` bytes."""
    length = header(scope, b"content-length")
    if length.isdecimal() and int(length) > limit:
        raise _too_large(limit)
    chunks, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
        if not message.get("more_body"):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


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
