"""The platform's own HTTP API, called in this process as the user of a tab.

Pages do whatever they do through it: the same routes, the same checks of the same user, the same errors as for any
client. There is no other way from a page to the platform, and so none that authorisation could forget.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlencode

import msgspec
from starlette.types import ASGIApp, Message, Scope

from sampan.web.guards import User

JSON = "application/json"
_LARGE_BYTES = 128 * 1024
"""From here on an answer is decoded in a thread."""

Query = Mapping[str, str]


class ApiFailureError(Exception):
    """An answer of 400 or above: HTTP's status, the API's own message for people, and a word for programs.

    `causes` are pairs of a field's path and what is wrong there, where the API says so much.
    """

    def __init__(
        self, status: int, message: str, reason: str = "", causes: Sequence[tuple[str, str]] = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.reason = reason
        self.causes = tuple(causes)


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


class Api:
    """One user's. Paths are whole (`/apis/v2beta1/runs`), their segments quoted where they hold anything unusual."""

    def __init__(self, app: ASGIApp, user: User) -> None:
        """`app` is everything behind the guards."""
        self._app = app
        self.user = user

    async def get(self, path: str, query: Query | None = None, accept: str = JSON) -> Any:
        """Decoded JSON. Raises ApiFailureError, as all of these.

        `accept` asks for another form of it: Kubernetes' tables, discovery in one piece.
        """
        return await decoded((await self.request("GET", path, query=query, accept=accept)).body)

    async def post(self, path: str, json: Any = None, query: Query | None = None) -> Any:
        return await decoded((await self.request("POST", path, query=query, json=json)).body)

    async def put(self, path: str, json: Any, query: Query | None = None) -> Any:
        return await decoded((await self.request("PUT", path, query=query, json=json)).body)

    async def patch(self, path: str, json: Any, query: Query | None = None, content_type: str = JSON) -> Any:
        body = msgspec.json.encode(json)
        reply = await self.request("PATCH", path, query=query, body=body, content_type=content_type)
        return await decoded(reply.body)

    async def delete(self, path: str, query: Query | None = None, json: Any = None) -> Any:
        return await decoded((await self.request("DELETE", path, query=query, json=json)).body)

    async def request(  # noqa: PLR0913  the parts of an HTTP request
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        json: Any = None,
        body: bytes = b"",
        content_type: str = JSON,
        accept: str = JSON,
    ) -> Reply:
        """The whole answer, whatever its type."""
        if json is not None:
            body = msgspec.json.encode(json)
        headers = _headers(accept, content_type, len(body))
        call = _Exchange(self._app, _scope(self.user, method, path, query, headers), body)
        return await call.reply()

    async def stream(
        self, path: str, query: Query | None = None, accept: str = JSON
    ) -> AsyncGenerator[bytes, None]:
        """The pieces of an answer to GET as they come; closing the iterator ends the request."""
        call = _Exchange(self._app, _scope(self.user, "GET", path, query, _headers(accept)), b"")
        async for piece in call.pieces():
            yield piece


def segment(text: str) -> str:
    """A name or an id as one segment of a path."""
    return quote(text, safe="")


Headers = list[tuple[bytes, bytes]]


def _headers(accept: str, content_type: str = "", length: int = 0) -> Headers:
    headers = [(b"host", b"localhost"), (b"accept", accept.encode())]
    if length:
        headers += [(b"content-type", content_type.encode()), (b"content-length", str(length).encode())]
    return headers


def _scope(user: User, method: str, path: str, query: Query | None, headers: Headers) -> Scope:
    """`path` as it stands in an address."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": urlencode(query or {}).encode(),
        "headers": headers,
        "client": None,
        "server": None,
        "state": {"user": user},
    }


async def decoded(body: bytes) -> Any:
    """JSON; nothing is an empty object."""
    if not body.strip():
        return {}
    if len(body) > _LARGE_BYTES:
        return await asyncio.to_thread(msgspec.json.decode, body)
    return msgspec.json.decode(body)


class _Exchange:
    """One request and its answer, whose pieces come as fast as they are taken."""

    def __init__(self, app: ASGIApp, scope: Scope, body: bytes) -> None:
        self._app = app
        self._scope = scope
        self._body = body
        self._asked = False
        self._over = asyncio.Event()
        self._messages: asyncio.Queue[Message | None] = asyncio.Queue(16)

    async def reply(self) -> Reply:
        """Raises ApiFailureError."""
        status, headers, pieces = 0, {}, []
        async for message in self._run():
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = {
                    key.decode("latin-1").lower(): value.decode("latin-1")
                    for key, value in message["headers"]
                }
            else:
                pieces.append(message.get("body", b""))
        reply = Reply(status, headers, b"".join(pieces))
        if status >= 400:
            raise failure(reply)
        return reply

    async def pieces(self) -> AsyncIterator[bytes]:
        """Raises ApiFailureError."""
        status, refused = 0, []
        async for message in self._run():
            if message["type"] == "http.response.start":
                status = message["status"]
            elif status >= 400:
                refused.append(message.get("body", b""))
            elif body := message.get("body", b""):
                yield body
        if status >= 400:
            raise failure(Reply(status, {}, b"".join(refused)))

    async def _run(self) -> AsyncIterator[Message]:
        task = asyncio.create_task(self._serve(), name="dashboard request")
        try:
            while (message := await self._messages.get()) is not None:
                yield message
            await task
        finally:
            self._over.set()
            task.cancel()

    async def _serve(self) -> None:
        try:
            await self._app(self._scope, self._receive, self._messages.put)
        except Exception:
            await self._messages.put(None)
            raise
        # Not when cancelled: then nobody takes it.
        await self._messages.put(None)

    async def _receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": self._body, "more_body": False}
        await self._over.wait()
        return {"type": "http.disconnect"}


def failure(reply: Reply) -> ApiFailureError:
    """Of a google.rpc status, a Kubernetes Status, an upload's error, or of whatever else was answered."""
    message, reason, causes = "", "", []
    try:
        told = msgspec.json.decode(reply.body)
    except msgspec.DecodeError:
        told = None
    if isinstance(told, dict):
        message = str(told.get("message") or told.get("error_message") or told.get("error") or "")
        reason = str(told.get("reason") or told.get("code") or "")
        details = told.get("details")
        found = details.get("causes") if isinstance(details, dict) else None
        causes = [(str(each.get("field", "")), str(each.get("message", ""))) for each in found or ()]
    return ApiFailureError(reply.status, message or f"the server answered {reply.status}", reason, causes)
