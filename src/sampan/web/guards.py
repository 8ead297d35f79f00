"""What every request passes before any route sees it: is it meant for us, from a page of ours, and small enough.

A server on loopback is reachable from every web page in the user's browser. Three things keep such a page out: the
Host header must name us (a page that resolves its own name to 127.0.0.1 sends its own), requests that change
something must not come from another origin, and no answer may be framed or sniffed by one.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sampan.kube.errors import (
    ApiError,
    BadRequestError,
    ForbiddenError,
    RequestTooLargeError,
    to_status,
)
from sampan.web import asgi

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_WILDCARDS = frozenset({"0.0.0.0", "::", ""})  # noqa: S104  recognised here, bound nowhere
# Anything else a browser may send is another site's doing, `no-cors` requests included.
_OWN_SITES = frozenset({"", "same-origin", "none"})

_SECURITY_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


@dataclass(frozen=True, slots=True)
class User:
    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)

    @property
    def is_master(self) -> bool:
        """Of the group that may do everything, whatever the rules say."""
        return "system:masters" in self.groups


class Access(Protocol):
    """Who sends a request, and whether they may. Called for every one, in the event loop; must not block."""

    def admit(self, scope: Scope) -> User:
        """Raises UnauthorizedError, ForbiddenError."""
        ...


@dataclass(frozen=True, slots=True)
class GuardSettings:
    hosts: frozenset[str] = _LOOPBACK_NAMES
    """Names, without port, that a Host header may have."""
    any_address: bool = False
    """Bound to every interface: a literal IP address is then one of ours too. A name never is."""
    max_body_bytes: int = 256 * 1024 * 1024
    """For any route; those that expect little set a limit of their own."""

    @classmethod
    def bound_to(cls, host: str, names: Iterable[str] = ()) -> GuardSettings:
        """For a server that listens on `host`; `names` are those it is also known by."""
        hosts = {*_LOOPBACK_NAMES, *(name.lower().rstrip(".") for name in names)}
        if host not in _WILDCARDS:
            hosts.add(host.lower())
        return cls(frozenset(hosts), any_address=host in _WILDCARDS)

    def is_ours(self, name: str) -> bool:
        return name in self.hosts or (self.any_address and _is_address(name))


class Guards:
    """ASGI middleware, the outermost one. Puts the user into `scope["state"]["user"]`."""

    def __init__(self, app: ASGIApp, settings: GuardSettings, access: Access | None = None) -> None:
        self._app = app
        self._settings = settings
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        guarded_send = _with_headers(send) if scope["type"] == "http" else send
        try:
            self._check(scope)
        except ApiError as error:
            await _refuse(scope, receive, guarded_send, error)
            return
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return
        await self._limited(scope, receive, guarded_send)

    def _check(self, scope: Scope) -> None:
        host = _only_header(scope, b"host")
        if not self._settings.is_ours(hostname(host)):
            raise ForbiddenError(f'this server does not answer to the name "{host[:100]}"')
        # A page may open a WebSocket to any site, and browsers ask nobody before: it counts as a change.
        if (
            scope["type"] == "websocket"
            or scope["method"] not in _SAFE_METHODS
            or asgi.header(scope, b"upgrade")
        ):
            check_origin(asgi.header(scope, b"sec-fetch-site"), asgi.header(scope, b"origin"), host)
        if self._access is not None:
            scope.setdefault("state", {})["user"] = self._access.admit(scope)
        length = asgi.header(scope, b"content-length")
        if length and (not length.isdecimal() or int(length) > self._settings.max_body_bytes):
            raise _too_large(self._settings.max_body_bytes)

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Counts what comes without a length, and answers before the application has to."""
        received, started, limit = 0, False, self._settings.max_body_bytes

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise _too_large(limit)
            return message

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, counted, noted)
        except RequestTooLargeError as error:
            if not started:
                await asgi.respond_error(send, error)


def check_origin(site: str, origin: str, host: str) -> None:
    """Of a request that may change something: its headers Sec-Fetch-Site, Origin and Host. Raises ForbiddenError.

    Programs send neither of the first two; browsers send both with whatever a page makes them do.
    """
    if site not in _OWN_SITES:
        raise ForbiddenError("requests from other sites may not change anything")
    if origin and urlsplit(origin).netloc.lower() != host.lower():
        raise ForbiddenError("requests from other origins may not change anything")


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            present = {name.lower() for name, _ in headers}
            # A route that frames or shares on purpose has said so itself.
            headers += [each for each in _SECURITY_HEADERS if each[0] not in present]
            message = {**message, "headers": headers}
        await send(message)

    return sent


async def _refuse(scope: Scope, receive: Receive, send: Send, error: ApiError) -> None:
    if scope["type"] == "http":
        await asgi.respond_error(send, error)
        return
    await receive()
    if "websocket.http.response" in scope.get("extensions", {}):
        headers = [(b"content-type", b"application/json")]
        await send({"type": "websocket.http.response.start", "status": error.code, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": msgspec.json.encode(to_status(error))})
    else:
        await send({"type": "websocket.close", "code": 1008, "reason": error.message[:100]})


def _only_header(scope: Scope, name: bytes) -> str:
    """Two Host headers are a way past whoever looks at only one of them."""
    values = [value for key, value in scope["headers"] if key == name]
    if len(values) != 1:
        raise BadRequestError(f"a request needs exactly one {name.decode()} header")
    return bytes(values[0]).decode("latin-1").strip()


def hostname(host: str) -> str:
    """Of a Host header, without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower().rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _too_large(limit: int) -> RequestTooLargeError:
    return RequestTooLargeError(f"Request entity too large: limit is {limit}")
