"""The content host as an ASGI application: `/content/TICKET`, and a picture by which a page sees that it is reached.

It asks the platform's API as the ticket's user: what that user may no longer read is not shown. Nothing that an answer
says of its own type or headers comes through. Not behind the guards: it is a host of its own, with one path.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from sampan.dashboard.content import policies
from sampan.dashboard.content.rendering import rendered
from sampan.dashboard.content.tickets import LIFE_SECONDS, Ticket, TicketError, Tickets, key_of
from sampan.dashboard.mounting import Platform
from sampan.lib.log import get_logger
from sampan.ui.api import Api, ApiFailureError, decoded
from sampan.ui.content import Content
from sampan.web.guards import User

log = get_logger(__name__)

_PREFIX = "/content/"
_PROBE = "/content/probe.gif"
_PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_MOST_IN_MEMORY = 32 * 1024 * 1024
"""Of what has to be read as a whole: markdown, and texts within JSON."""


class ContentOrigin:
    """`start` it before all else."""

    def __init__(self, api: ASGIApp, platform: Platform) -> None:
        """`api` is what is behind the guards."""
        self._api = api
        self._platform = platform
        self._tickets: Tickets

    async def start(self) -> None:
        """Raises OSError where the home cannot hold the key."""
        self._tickets = Tickets(await asyncio.to_thread(key_of, Path(self._platform.home)))

    def address(self, user: User, content: Content, page_host: str) -> str:
        """Where `content` is for some minutes, for pages of `page_host`: `//HOST/content/TICKET`, without a port."""
        ticket = Ticket(user, content, page_host, int(self._now()) + LIFE_SECONDS)
        return f"//{self._platform.content_host}{_PREFIX}{self._tickets.sign(ticket)}"

    def _now(self) -> float:
        return self._platform.clock.now().timestamp()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = str(scope["path"])
        if scope["method"] not in ("GET", "HEAD") or not path.startswith(_PREFIX):
            await _refuse(send, 404, "Nothing is served here.")
            return
        is_head = scope["method"] == "HEAD"
        if path == _PROBE:
            await _answer(send, policies.headers("gif"), _once(b"" if is_head else _PIXEL))
            return
        try:
            ticket = self._tickets.read(path.removeprefix(_PREFIX), self._now())
        except TicketError as error:
            await _refuse(send, 403, f"Not shown: {error}.")
            return
        await self._serve(ticket, send, is_head)

    async def _serve(self, ticket: Ticket, send: Send, is_head: bool) -> None:
        headers = policies.headers(ticket.content.kind, ticket.page_host)
        try:
            async with contextlib.aclosing(self._pieces(ticket)) as pieces:
                # The first before the head: what is gone is an error, and no empty page.
                first = await anext(pieces, b"")
                await _answer(send, headers, _once(b"") if is_head else _after(first, pieces))
        except ApiFailureError as error:
            await _refuse(send, error.status, f"Not shown: {error.message}")
        except _ContentError as error:
            await _refuse(send, 422, f"Not shown: {error}")

    async def _pieces(self, ticket: Ticket) -> Any:
        content = ticket.content
        stream = Api(self._api, ticket.user).stream(content.path, content.query)
        if content.kind != "markdown" and not content.part:
            async with contextlib.aclosing(stream):
                async for piece in stream:
                    yield piece
            return
        body = await _whole(stream)
        if content.part:
            body = await _text_within(body, content.part)
        yield await rendered(body) if content.kind == "markdown" else body


class _ContentError(Exception):
    """What is there cannot be shown. The message says why."""


async def _whole(stream: Any) -> bytes:
    parts, size = [], 0
    async with contextlib.aclosing(stream):
        async for piece in stream:
            parts.append(piece)
            size += len(piece)
            if size > _MOST_IN_MEMORY:
                raise _ContentError(f"it is larger than {_MOST_IN_MEMORY // 2**20} MiB; download it.")
    return b"".join(parts)


async def _text_within(body: bytes, part: tuple[str | int, ...]) -> bytes:
    try:
        found = await decoded(body)
        for step in part:
            found = found[step]
    except (ValueError, LookupError, TypeError) as error:
        raise _ContentError("the file is not what it was.") from error
    if not isinstance(found, str):
        raise _ContentError("the file is not what it was.")
    return found.encode()


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


async def _after(first: bytes, rest: Any) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


async def _answer(
    send: Send, headers: list[tuple[bytes, bytes]], pieces: AsyncIterator[bytes], status: int = 200
) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    async for piece in pieces:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _refuse(send: Send, status: int, message: str) -> None:
    await _answer(send, policies.refusal_headers(), _once(message.encode()), status)
