"""What the browser may do on our pages: a Content-Security-Policy with a number used once, put into each page.

NiceGUI writes scripts into the page and evaluates the handlers that our own Python gave to its elements, so
`unsafe-eval` stays; no script that came into the page's text by any other way runs. Texts of users never reach an
evaluated place: `tests/unit/dashboard/test_sources.py` looks at every call that could.
"""

from __future__ import annotations

import re
import secrets

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_TAGS = re.compile(rb"<(script|style)(?=[\s>])")
"""In the page's own text only: NiceGUI escapes `<` wherever elements are written into it."""


class Policy:
    """Wraps the application that answers with pages."""

    def __init__(self, app: ASGIApp, frames: str = "") -> None:
        """`frames` is where what may be shown within our pages comes from. Nothing of ours: what is in a frame may lead
        it anywhere that this says."""
        self._app = app
        self._frames = frames

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        page = _Page(send, self._frames)
        await self._app(scope, receive, page.send)


class _Page:
    """One answer; of HTML, all of it before it is sent."""

    def __init__(self, send: Send, frames: str) -> None:
        self._send = send
        self._frames = frames
        self._start: Message | None = None
        self._pieces: list[bytes] = []

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            kinds = [value for key, value in message["headers"] if key.lower() == b"content-type"]
            if any(kind.startswith(b"text/html") for kind in kinds):
                self._start = message
                return
        if self._start is None:
            await self._send(message)
            return
        self._pieces.append(message.get("body", b""))
        if message.get("more_body"):
            return
        nonce = secrets.token_urlsafe(16)
        body = _TAGS.sub(rb'<\1 nonce="' + nonce.encode() + b'"', b"".join(self._pieces))
        headers = [
            (key, value)
            for key, value in self._start["headers"]
            if key.lower() not in (b"content-length", b"content-security-policy")
        ]
        headers.append((b"content-length", str(len(body)).encode()))
        headers.append((b"content-security-policy", policy(nonce, self._frames).encode()))
        await self._send({**self._start, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


def policy(nonce: str, frames: str = "") -> str:
    """Styles may stand at elements: the libraries that draw put them there."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' 'nonce-{nonce}' 'unsafe-eval'",
            "style-src 'self' 'unsafe-inline'",
            f"img-src 'self' data: blob: {frames}".rstrip(),
            "font-src 'self' data:",
            "connect-src 'self'",
            "worker-src 'self' blob:",
            "frame-src " + (frames or "'none'"),
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'self'",
        )
    )
