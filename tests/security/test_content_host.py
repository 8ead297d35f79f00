"""Row 10: what users made is shown from a host of its own, which leads to nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

CONTENT = "content.localhost"


@pytest.fixture(autouse=True)
def loaded(target: Any) -> None:
    """The dashboard, which comes after the rest."""
    target.server.text("/ui/")


def test_the_content_host_serves_nothing_of_ours(target: Any) -> None:
    for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        for path in (
            "/",
            "/ui/",
            "/ui/runs",
            "/api/v1/namespaces/default/secrets",
            "/apis/v2beta1/runs",
            "/artifacts/get?source=file&key=/etc/passwd",
            "/content/../apis/v2beta1/runs",
            "/content/%2e%2e/apis/v2beta1/runs",
            "/content",
            "/contents/probe.gif",
        ):
            status, headers, _ = target.ask(method, path, host=CONTENT)
            assert status in (403, 404), (method, path)
            assert "sandbox" in headers["content-security-policy"]
            assert headers["content-type"].startswith("text/plain")


def test_only_with_an_address_of_this_server(target: Any) -> None:
    for ticket in ("x", "x.y", "e30.AAAA", "%00", "a/b"):
        status, _, _ = target.ask("GET", f"/content/{ticket}", host=CONTENT)
        assert status == 403
    status, headers, body = target.ask("GET", "/content/probe.gif", host=CONTENT)
    assert status == 200
    assert headers["content-type"] == "image/gif"
    assert b"GIF89a" in body


@pytest.mark.parametrize(
    "host", [f"{CONTENT}.evil.example", f"x.{CONTENT}", "evil.localhost", "content.localhost@127.0.0.1"]
)
def test_no_other_name_is_it(target: Any, host: str) -> None:
    # Names below `localhost` are endpoints', of which there is none.
    assert target.ask("GET", "/content/probe.gif", host=host)[0] in (403, 404)


def test_our_own_host_does_not_serve_it(target: Any) -> None:
    assert target.ask("GET", "/content/probe.gif")[0] == 404


def test_nobody_opens_a_socket_there(target: Any) -> None:
    upgrade = {
        "host": CONTENT,
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec_websocket_version": "13",
        "sec_websocket_key": "MDEyMzQ1Njc4OWFiY2RlZg==",
    }
    status, _, _ = target.ask("GET", "/ui/_nicegui_ws/socket.io/?EIO=4&transport=websocket", **upgrade)
    assert status in (403, 404)


def test_the_key_is_in_the_home(target: Any) -> None:
    target.ask("GET", "/content/probe.gif", host=CONTENT)
    key = Path(target.server.home) / "dashboard" / "content.key"
    assert key.stat().st_mode & 0o077 == 0
