"""What a browser is told of untrusted content: its type, and what it may do. Pure.

Every answer of the content host is in an origin of its own that has no name (`sandbox` without `allow-same-origin`),
also when its address is opened by itself. Nothing may be loaded from anywhere, sent anywhere, or framed in it.
"""

from __future__ import annotations

import re

_TYPES = {
    "html": "text/html; charset=utf-8",
    "markdown": "text/html; charset=utf-8",
    "svg": "image/svg+xml",
    "ico": "image/x-icon",
}
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(:\d{1,5})?")
_INERT = ("style-src 'unsafe-inline' data:", "img-src data: blob:", "font-src data:", "media-src data: blob:")
_LIVE = ("script-src 'unsafe-inline' 'unsafe-eval' data: blob:", "worker-src blob:")
"""Of HTML: scripts that it brings along."""

SANDBOXES = {"html": "allow-scripts", "markdown": "allow-popups allow-popups-to-escape-sandbox"}
"""What frames of a kind may do. In rendered markdown nothing runs, and a link that is clicked opens by itself."""


def headers(kind: str, page_host: str = "") -> list[tuple[bytes, bytes]]:
    """For content of a kind, shown by a page of `page_host`."""
    return _headers(_TYPES.get(kind, f"image/{kind}"), policy(kind, page_host))


def refusal_headers() -> list[tuple[bytes, bytes]]:
    return _headers("text/plain; charset=utf-8", policy("", ""))


def policy(kind: str, page_host: str) -> str:
    """The Content-Security-Policy."""
    sandbox = SANDBOXES.get(kind, "")
    rules = [f"sandbox {sandbox}".rstrip(), "default-src 'none'"]
    rules += [*_INERT, *(_LIVE if kind == "html" else ())]
    rules += ["connect-src 'none'", "frame-src 'none'", "form-action 'none'", "base-uri 'none'"]
    if _HOST.fullmatch(page_host):
        rules.append(f"frame-ancestors http://{page_host} https://{page_host}")
    return "; ".join(rules)


def _headers(content_type: str, rules: str) -> list[tuple[bytes, bytes]]:
    return [
        (b"content-type", content_type.encode()),
        (b"content-security-policy", rules.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (b"cross-origin-resource-policy", b"cross-origin"),
        (b"permissions-policy", _DENIED),
        (b"x-dns-prefetch-control", b"off"),
        (b"cache-control", b"private, no-store"),
    ]


_DENIED = ", ".join(
    f"{name}=()"
    for name in (
        "camera",
        "microphone",
        "geolocation",
        "clipboard-read",
        "clipboard-write",
        "fullscreen",
        "usb",
    )
).encode()
