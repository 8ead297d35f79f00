"""Host, Origin and size: what keeps another site's page in the user's browser away from the server."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from sampan.kube.errors import UnauthorizedError
from sampan.web import asgi
from sampan.web.guards import Guards, GuardSettings, User


class Known:
    """Lets the user in, unless their token is wrong."""

    def admit(self, scope: Scope) -> User:
        if asgi.header(scope, b"authorization") not in ("", "Bearer right"):
            raise UnauthorizedError("Unauthorized")
        return User("sampan")


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        return
    body = await asgi.read_body(scope, receive, 10_000_000)
    user = scope.get("state", {}).get("user")
    await asgi.respond(send, 200, json.dumps({"size": len(body), "user": user and user.name}).encode())


def request(
    headers: dict[str, str] | list[tuple[str, str]],
    *,
    method: str = "GET",
    kind: str = "http",
    chunks: tuple[bytes, ...] = (b"",),
    settings: GuardSettings | None = None,
) -> tuple[int, Any, dict[str, str]]:
    """Status, body and headers of the answer; a refused WebSocket counts as 403."""
    pairs = headers.items() if isinstance(headers, dict) else headers
    scope = {
        "type": kind,
        "method": method,
        "path": "/",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in pairs],
    }
    sent: list[Message] = []
    bodies = list(chunks)

    async def receive() -> Message:
        if kind == "websocket":
            return {"type": "websocket.connect"}
        return {"type": "http.request", "body": bodies.pop(0), "more_body": bool(bodies)}

    async def send(message: Message) -> None:
        sent.append(message)

    settings = settings or GuardSettings.bound_to("127.0.0.1", ["sampan.test"])
    asyncio.run(Guards(app, settings, Known())(scope, receive, send))
    if kind == "websocket":
        return (101 if sent[0]["type"] == "websocket.accept" else 403), None, {}
    got = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], json.loads(sent[1]["body"]), got


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("localhost:8080", 200),
        ("LOCALHOST", 200),
        ("127.0.0.1:8080", 200),
        ("[::1]:8080", 200),
        ("sampan.test", 200),
        ("evil.example", 403),
        ("evil.example:8080", 403),
        ("localhost.evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("evil.localhost", 403),
        ("", 403),
        ("192.168.1.5", 403),
    ],
)
def test_hosts(host: str, code: int) -> None:
    assert request({"host": host})[0] == code


def test_one_host_exactly() -> None:
    assert request({})[0] == 400
    assert request([("host", "localhost"), ("host", "evil.example")])[0] == 400


def test_every_interface_takes_addresses_but_no_names() -> None:
    everywhere = GuardSettings.bound_to("0.0.0.0", ["box.local"])
    codes = [
        request({"host": host}, settings=everywhere)[0]
        for host in ("192.168.1.5:8080", "[fe80::1]:80", "box.local", "evil.example")
    ]
    assert codes == [200, 200, 200, 403]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "LINK"])
@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, 200),
        ({"origin": "http://localhost:8080"}, 200),
        ({"origin": "http://localhost:8080", "sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "none"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://localhost:9999"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, 403),
    ],
)
def test_changes_from_elsewhere(method: str, headers: dict[str, str], code: int) -> None:
    assert request({"host": "localhost:8080", **headers}, method=method)[0] == code


def test_reading_needs_no_origin() -> None:
    headers = {"host": "localhost", "sec-fetch-site": "cross-site"}
    assert request(headers)[0] == 200


def test_web_sockets_are_guarded() -> None:
    assert request({"host": "localhost"}, kind="websocket")[0] == 101
    for headers in ({"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}):
        assert request({"host": "localhost", **headers}, kind="websocket")[0] == 403
    assert request({"host": "evil.example"}, kind="websocket")[0] == 403


def test_sizes() -> None:
    small = GuardSettings(max_body_bytes=10)
    host = {"host": "localhost"}
    assert request(host, method="POST", chunks=(b"12345", b"67890"), settings=small)[0] == 200
    assert request(host, method="POST", chunks=(b"12345", b"678901"), settings=small)[0] == 413
    assert request({**host, "content-length": "11"}, method="POST", settings=small)[0] == 413
    assert request({**host, "content-length": "-1"}, method="POST", settings=small)[0] == 413


def test_answers_carry_the_headers_of_safety() -> None:
    for host in ("localhost", "evil.example"):
        _, body, headers = request({"host": host})
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "SAMEORIGIN"
        assert headers["content-type"] == "application/json"
        assert body


def test_tokens() -> None:
    assert request({"host": "localhost"})[1]["user"] == "sampan"
    assert request({"host": "localhost", "authorization": "Bearer right"})[0] == 200
    assert request({"host": "localhost", "authorization": "Bearer wrong"})[0] == 401
