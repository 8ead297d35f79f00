"""What a socket of the dashboard may do: be the window that was built for its user, and no other.

NiceGUI knows a window by an id that only the page holds. Here the id is not enough: the socket must come from the same
user as the page did, and each message must be of the window that the socket has joined. Windows that are built and
never come back, as when something fetches pages and runs no scripts, are bounded in number.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

from nicegui import Client, core

from sampan.lib.log import get_logger
from sampan.web.guards import User

log = get_logger(__name__)

MOST_WAITING = 64
"""Windows that have not opened their socket yet. NiceGUI forgets each after a minute anyway."""

_Handler = Callable[..., Any]


def guard() -> None:
    """Wraps NiceGUI's own handlers. Called once, before anything is served."""
    handlers = core.sio.handlers["/"]
    for name in ("event", "javascript_response", "ack", "log"):
        core.sio.on(name, _of_joined_window(handlers[name]))
    core.sio.on("handshake", _of_own_user(handlers["handshake"]))
    core.sio.on("connect", _connect_of_own_user(handlers["connect"]))


def make_room() -> None:
    """Forgets the oldest windows beyond `MOST_WAITING` that have never opened a socket."""
    waiting = [client for client in Client.instances.values() if client.environ is None]
    waiting.sort(key=lambda client: client.created)
    for client in waiting[: max(0, len(waiting) - MOST_WAITING)]:
        client.delete()


def user_of(scope: Any) -> User | None:
    """Whom the guards admitted."""
    found = ((scope or {}).get("state") or {}).get("user")
    return found if isinstance(found, User) else None


def _of_joined_window(handler: _Handler) -> Callable[[str, Any], Awaitable[None]]:
    async def checked(sid: str, message: Any) -> None:
        if isinstance(message, dict) and message.get("client_id") in core.sio.rooms(sid):
            await _called(handler, sid, message)

    return checked


def _of_own_user(handler: _Handler) -> Callable[[str, Any], Awaitable[Any]]:
    async def checked(sid: str, data: Any) -> Any:
        if not isinstance(data, dict) or not _may_join(data.get("client_id"), core.sio.get_environ(sid)):
            return False
        return await _called(handler, sid, data)

    return checked


def _connect_of_own_user(handler: _Handler) -> Callable[..., Awaitable[Any]]:
    async def checked(sid: str, environ: Any, *rest: Any) -> Any:
        asked = parse_qs(environ.get("QUERY_STRING", "")).get("client_id", [""])[0]
        # One that is unknown, after a restart, is told so by NiceGUI, and loads its page anew.
        if asked in Client.instances and not _may_join(asked, environ):
            log.warning("a socket asked for another user's window")
            return False
        return await _called(handler, sid, environ, *rest)

    return checked


def _may_join(client_id: Any, environ: Any) -> bool:
    client = Client.instances.get(client_id) if isinstance(client_id, str) else None
    if client is None:
        return False
    user = user_of((environ or {}).get("asgi.scope"))
    return user is not None and user == user_of(client.request.scope)


async def _called(handler: _Handler, *arguments: Any) -> Any:
    result = handler(*arguments)
    return await result if inspect.isawaitable(result) else result
