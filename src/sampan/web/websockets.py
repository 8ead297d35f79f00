"""WebSockets for an ASGI application that expects a server to speak them: over connections that HTTP has given away.

Our server hands each request to upgrade through guards and routes as HTTP (`web.upgrade`); what lies behind this
wrapper sees the `websocket` scope of the ASGI specification, version 2.3.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sampan.kube.errors import ApiError, BadRequestError
from sampan.lib.websocket import NORMAL_CLOSURE, WebSocket, accept_key, is_key
from sampan.web import asgi
from sampan.web.upgrade import UpgradedStream, take_over

MOST_MESSAGE_BYTES = 2 * 1024 * 1024
_TOO_BIG = 1009
_ABNORMAL = 1006


class WebSocketBridge:
    """Requests to upgrade become WebSockets of `app`; everything else passes as it is."""

    def __init__(self, app: ASGIApp, most_bytes: int = MOST_MESSAGE_BYTES) -> None:
        self._app = app
        self._most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and asgi.header(scope, b"upgrade").lower() == "websocket":
            try:
                key = _checked_key(scope)
            except ApiError as error:
                await asgi.respond_error(send, error)
                return
            socket = _Socket(scope, key, send, self._most_bytes)
            await self._app(_websocket_scope(scope), socket.receive, socket.send)
            await socket.end()
            return
        await self._app(scope, receive, send)


class _Socket:
    """One connection, seen by the application as `receive` and `send`."""

    def __init__(self, scope: Scope, key: bytes, respond: Send, most_bytes: int) -> None:
        self._scope = scope
        self._key = key
        self._respond = respond
        self._most_bytes = most_bytes
        self._stream: UpgradedStream | None = None
        self._socket: WebSocket | None = None
        self._is_announced = False
        self._is_over = False

    async def receive(self) -> Message:
        if not self._is_announced:
            self._is_announced = True
            return {"type": "websocket.connect"}
        if self._socket is None or self._is_over:
            return {"type": "websocket.disconnect", "code": _ABNORMAL}
        pieces: list[bytes] = []
        size, is_text = 0, False
        while (piece := await self._socket.receive()) is not None:
            is_text = isinstance(piece.data, str)
            data = piece.data.encode() if isinstance(piece.data, str) else piece.data
            size += len(data)
            if size > self._most_bytes:
                await self._socket.close(_TOO_BIG, "the message is too long")
                break
            pieces.append(data)
            if piece.ends:
                whole = b"".join(pieces)
                if is_text:
                    return {"type": "websocket.receive", "text": whole.decode()}
                return {"type": "websocket.receive", "bytes": whole}
        self._is_over = True
        return {"type": "websocket.disconnect", "code": NORMAL_CLOSURE}

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "websocket.accept":
            headers = [
                (b"upgrade", b"websocket"),
                (b"connection", b"Upgrade"),
                (b"sec-websocket-accept", accept_key(self._key)),
            ]
            if protocol := message.get("subprotocol"):
                headers.append((b"sec-websocket-protocol", protocol.encode()))
            self._stream = take_over(self._scope, headers)
            self._socket = WebSocket(self._stream)
        elif kind == "websocket.send" and self._socket is not None:
            text = message.get("text")
            await self._socket.send(text if text is not None else message["bytes"])
        elif kind == "websocket.close":
            await self._close(message.get("code", NORMAL_CLOSURE), message.get("reason") or "")

    async def end(self) -> None:
        """The application has returned."""
        if self._stream is not None:
            await self._close(NORMAL_CLOSURE, "")
            await self._stream.close()

    async def _close(self, code: int, reason: str) -> None:
        if self._socket is not None:
            await self._socket.close(code, reason)
        elif not self._is_over:
            self._is_over = True
            await self._respond({"type": "http.response.start", "status": 403, "headers": []})
            await self._respond({"type": "http.response.body", "body": b""})


def _checked_key(scope: Scope) -> bytes:
    key = asgi.header(scope, b"sec-websocket-key").encode()
    if asgi.header(scope, b"sec-websocket-version") != "13" or not is_key(key):
        raise BadRequestError("a WebSocket of version 13 needs a Sec-WebSocket-Key")
    return key


def _websocket_scope(scope: Scope) -> Scope:
    offered = asgi.header(scope, b"sec-websocket-protocol")
    return {
        **scope,
        "type": "websocket",
        "scheme": "wss" if scope.get("scheme") == "https" else "ws",
        "subprotocols": [each.strip() for each in offered.split(",") if each.strip()],
        "extensions": {},
    }
