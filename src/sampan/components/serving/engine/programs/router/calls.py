"""A step's service called: which headers go along, what its answer or its failure is to the graph.

Called by `execution`. Source: kserve 0.20 cmd/router/main.go (callService): always a POST; headers whose names match a
pattern of PROPAGATE_HEADERS, and `Content-Type: application/json` where none of them says otherwise; redirects as Go's
client follows them. Not so here: an encoding that the caller accepts is not passed on, as the answer's would be lost.
"""

from __future__ import annotations

import asyncio
import base64
import re
import socket
import ssl
from collections.abc import Sequence
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from sampan.components.serving.engine.programs.wire.client import Answer, Pool, TooLargeError, origin_of
from sampan.components.serving.engine.programs.wire.heads import (
    HeadError,
    Headers,
    canonical,
    end_to_end,
    get,
)

_MOST_BODY_BYTES = 256 * 1024 * 1024
_MOST_REDIRECTS = 10
_OWN = frozenset({"host", "content-length", "accept-encoding", "expect"})


class CallError(Exception):
    """A step could not be asked, or its answer not be had. The message is for whoever asked the graph."""


def patterns_of(variable: str | None) -> tuple[tuple[re.Pattern[str], ...], tuple[str, ...]]:
    """The patterns of PROPAGATE_HEADERS, and what of it is none."""
    patterns, wrong = [], []
    for text in [] if variable is None else variable.split(","):
        try:
            patterns.append(re.compile(text))
        except (re.error, RecursionError) as error:
            wrong.append(f"{text!r}: {error}")
    return tuple(patterns), tuple(wrong)


def propagated(headers: Headers, patterns: Sequence[re.Pattern[str]]) -> Headers:
    """Those of a request that go to each step."""
    found = [
        (name, value)
        for name, value in end_to_end(headers)
        if name.lower() not in _OWN and any(each.search(canonical(name)) for each in patterns)
    ]
    if not get(found, "content-type"):
        found.append(("Content-Type", "application/json"))
    return found


class Services:
    def __init__(self, pool: Pool, timeout_seconds: float = 0) -> None:
        self._pool, self._timeout_seconds = pool, timeout_seconds or None

    async def call(self, url: str, body: bytes, headers: Headers) -> tuple[bytes, int, str]:
        """The answer's body, status and content type. Raises CallError."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                answer = await self._follow(url, body, headers)
                return await answer.read(_MOST_BODY_BYTES), answer.status, answer.get("content-type")
        except (OSError, ssl.SSLError, HeadError, TooLargeError, TimeoutError, ValueError) as error:
            raise CallError(f'Post "{_shown(url)}": {_reason(error)}') from error

    async def _follow(self, url: str, body: bytes, headers: Headers) -> Answer:
        method = "POST"
        for _ in range(_MOST_REDIRECTS):
            origin, target = origin_of(url)
            answer = await self._pool.request(
                method, origin, target, [*headers, *_userinfo(url, headers)], body
            )
            location = answer.get("location")
            if answer.status not in (301, 302, 303, 307, 308) or not location:
                return answer
            answer.close()
            if answer.status < 307:
                method, body = "GET", b""
            following = urljoin(url, location)
            if origin_of(following)[0] != origin:
                headers = [each for each in headers if each[0].lower() not in ("authorization", "cookie")]
            url = following
        raise ValueError(f"stopped after {_MOST_REDIRECTS} redirects")


def _userinfo(url: str, headers: Headers) -> Headers:
    parts = urlsplit(url)
    if parts.username is None or get(headers, "authorization"):
        return []
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
    return [("Authorization", f"Basic {base64.b64encode(pair).decode()}")]


def _shown(url: str) -> str:
    """Without a password."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return urlunsplit(parts._replace(netloc=f"{parts.username}:***@{parts.netloc.rpartition('@')[2]}"))


def _reason(error: BaseException) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connect: connection refused"
    if isinstance(error, socket.gaierror):
        return "no such host"
    if isinstance(error, TimeoutError):
        return "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
    if isinstance(error, TooLargeError):
        return f"the answer has more than {_MOST_BODY_BYTES >> 20} MiB"
    return str(error) or type(error).__name__
