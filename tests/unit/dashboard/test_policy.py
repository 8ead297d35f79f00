"""The policy that each page carries."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from sampan.dashboard.policy import Policy


def ask(response: Response, frames: str = "") -> tuple[dict[str, str], bytes]:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await response(scope, receive, send)

    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
    asyncio.run(Policy(app, frames)(scope, Request(scope).receive, send))
    headers = {key.decode(): value.decode() for key, value in sent[0]["headers"]}
    return headers, b"".join(message.get("body", b"") for message in sent[1:])


def test_scripts_of_the_page_bear_its_number_and_no_other_page_has_it() -> None:
    page = HTMLResponse("<script>a</script><style>b</style><scripture>&lt;script>")
    numbers = set()
    for _ in range(2):
        headers, body = ask(page)
        found = re.search(
            r"script-src 'self' 'nonce-([\w-]+)' 'unsafe-eval'", headers["content-security-policy"]
        )
        assert found
        number = found.group(1)
        assert body.decode() == (
            f'<script nonce="{number}">a</script><style nonce="{number}">b</style><scripture>&lt;script>'
        )
        assert headers["content-length"] == str(len(body))
        numbers.add(number)
    assert len(numbers) == 2


def test_nothing_else_may_be_loaded() -> None:
    headers, _ = ask(HTMLResponse("x"), frames="http://content.localhost:1")
    rules = dict(rule.split(" ", 1) for rule in headers["content-security-policy"].split("; "))
    assert rules["default-src"] == "'none'"
    assert "'unsafe-inline'" not in rules["script-src"]
    assert rules["connect-src"] == rules["form-action"] == rules["frame-ancestors"] == "'self'"
    assert rules["base-uri"] == "'none'"
    assert rules["frame-src"] == "http://content.localhost:1"


def test_other_answers_pass_as_they_are() -> None:
    headers, body = ask(PlainTextResponse("<script>"))
    assert body == b"<script>"
    assert "content-security-policy" not in headers
