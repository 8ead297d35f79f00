"""From a request to a connection of its own: which protocol it asks for, and the answer that grants it.

Source: k8s.io/apiserver/pkg/util/wsstream, apimachinery/pkg/util/httpstream and kubelet/pkg/cri/streaming, v1.31.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.types import Scope

from sampan.kube.errors import BadRequestError, ForbiddenError
from sampan.lib.websocket import accept_key, is_key
from sampan.web import asgi
from sampan.web.upgrade import UpgradedStream, take_over

SPDY = "SPDY/3.1"
_STREAM_PROTOCOL = b"x-stream-protocol-version"
_TUNNEL_PREFIX = "SPDY/3.1+"


def is_websocket(scope: Scope) -> bool:
    return asgi.header(scope, b"upgrade").lower() == "websocket"


def is_spdy(scope: Scope) -> bool:
    return asgi.header(scope, b"upgrade").lower() == SPDY.lower()


def websocket_protocol(scope: Scope, known: Sequence[str]) -> str:
    """The first that the client names and we know; empty where it names none. BadRequestError."""
    if scope["method"] != "GET" or asgi.header(scope, b"sec-websocket-version") != "13":
        raise BadRequestError("a WebSocket is opened with GET and version 13")
    if not is_key(asgi.header(scope, b"sec-websocket-key").encode("latin-1")):
        raise BadRequestError("the Sec-WebSocket-Key is not 16 bytes in base64")
    return _negotiated(scope, b"sec-websocket-protocol", known, BadRequestError)


def spdy_protocol(scope: Scope, known: Sequence[str]) -> str:
    """Likewise. Raises ForbiddenError."""
    return _negotiated(scope, _STREAM_PROTOCOL, known, ForbiddenError)


def open_websocket(scope: Scope, protocol: str) -> UpgradedStream:
    """Raises BadRequestError."""
    key = asgi.header(scope, b"sec-websocket-key").encode("latin-1")
    headers = [
        (b"Upgrade", b"websocket"),
        (b"Connection", b"Upgrade"),
        (b"Sec-WebSocket-Accept", accept_key(key)),
    ]
    if protocol:
        headers.append((b"Sec-WebSocket-Protocol", protocol.encode("latin-1")))
    return take_over(scope, headers)


def open_spdy(scope: Scope, protocol: str) -> UpgradedStream:
    """Raises BadRequestError."""
    headers = [(b"Upgrade", SPDY.encode()), (b"Connection", b"Upgrade")]
    if protocol:
        headers.append((_STREAM_PROTOCOL.title(), protocol.encode("latin-1")))
    return take_over(scope, headers)


def tunnelled(protocol: str) -> str:
    """How a protocol over SPDY is called when SPDY itself goes through a WebSocket."""
    return _TUNNEL_PREFIX + protocol


def _negotiated(
    scope: Scope, header: bytes, known: Sequence[str], refusal: type[BadRequestError | ForbiddenError]
) -> str:
    named = [
        word.strip()
        for name, value in scope["headers"]
        if name == header
        for word in value.decode("latin-1").split(",")
    ]
    found = next((word for word in named if word in known), None)
    if found is None and any(named):
        raise refusal(
            f"unable to upgrade: unable to negotiate protocol: client supports [{' '.join(named)}], "
            f"server accepts [{' '.join(known)}]"
        )
    return found or ""
