"""Rows 9 and 10: pages of other sites in the user's browser, and pages made of what users wrote.

The rules are tested in tests/integration/apiserver/test_web_guards.py; here, that they hold for the whole server.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

POD = "/api/v1/namespaces/default/configmaps"
RUNS = "/apis/v2beta1/runs"
CHANGES = (
    ("POST", POD),
    ("PUT", f"{POD}/x"),
    ("PATCH", f"{POD}/x"),
    ("DELETE", f"{POD}/x"),
    ("DELETE", POD),
    ("POST", RUNS),
    ("DELETE", f"{RUNS}/x"),
    ("POST", f"{RUNS}/x:terminate"),
    ("POST", "/apis/v2beta1/pipelines/upload"),
    ("POST", "/nothing/here"),
)


@pytest.mark.parametrize(("method", "path"), CHANGES)
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors"},
    ],
)
def test_no_other_site_changes_anything(target: Any, method: str, path: str, headers: dict[str, str]) -> None:
    status, answered, _body = target.ask(method, path, b"{}", content_type="text/plain", **headers)
    assert status == 403
    assert "access-control-allow-origin" not in answered


STREAMS = tuple(f"/api/v1/namespaces/default/pods/x/{each}" for each in ("exec", "attach", "portforward"))
WEBSOCKET = {
    "connection": "Upgrade",
    "upgrade": "websocket",
    "sec_websocket_version": "13",
    "sec_websocket_key": "MDEyMzQ1Njc4OWFiY2RlZg==",
    "sec_websocket_protocol": "v5.channel.k8s.io",
}
SPDY = {"connection": "Upgrade", "upgrade": "SPDY/3.1", "x_stream_protocol_version": "v4.channel.k8s.io"}


@pytest.mark.parametrize("path", STREAMS)
@pytest.mark.parametrize(("method", "upgrade"), [("GET", WEBSOCKET), ("GET", SPDY), ("POST", SPDY)])
def test_no_other_site_opens_a_stream_into_a_pod(
    target: Any, method: str, path: str, upgrade: dict[str, str]
) -> None:
    """A page may open a WebSocket to any server, and no browser asks that server before."""
    path += "?command=id&stdout=1&ports=80"
    for headers in (
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"host": "evil.example"},
    ):
        status, answered, _body = target.ask(method, path, **upgrade, **headers)
        assert status == 403
        assert "access-control-allow-origin" not in answered
    wrong = {"authorization": "Bearer wrong"}
    assert target.ask(method, path, **upgrade, **wrong)[0] == 401
    # Refused for what it says, not for what it is.
    assert target.ask(method, path, **upgrade)[0] == 404


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example:80",
        "127.0.0.1@evil.example",
        "2130706433",
    ],
)
def test_no_name_of_another_site_is_answered(target: Any, host: str) -> None:
    """DNS rebinding: the page's own name, resolved to us."""
    for path in ("/", POD, RUNS, "/healthz"):
        assert target.ask("GET", path, host=host)[0] == 403


@pytest.mark.parametrize("path", ["/", POD, RUNS, "/openapi/v2"])
def test_nobody_is_invited_to_read(target: Any, path: str) -> None:
    for method in ("GET", "OPTIONS"):
        _status, headers, _body = target.ask(
            method, path, origin="http://evil.example", access_control_request_method="DELETE"
        )
        assert not [name for name in headers if name.startswith("access-control-")]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "SAMEORIGIN"
        assert headers["cross-origin-resource-policy"] == "same-origin"


PAYLOADS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title><svg/onload=alert(1)>",
    "javascript:alert(1)",
    "{{constructor.constructor('alert(1)')()}}",
)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_what_users_wrote_is_text_on_the_page(target: Any, payload: str) -> None:
    experiment = json.dumps({"display_name": payload}).encode()
    assert target.ask("POST", "/apis/v2beta1/experiments", experiment)[0] == 200
    spec = {"pipelineInfo": {"name": "page"}, "schemaVersion": "2.1.0", "root": {"dag": {"tasks": {}}}}
    run = json.dumps({"display_name": payload, "pipeline_spec": spec}).encode()
    target.ask("POST", RUNS, run)

    target.server.text("/ui/")
    for path in ("/ui/experiments", "/ui/runs", f"/ui/runs?text={quote(payload)}"):
        status, headers, page = target.ask("GET", path)
        assert status == 200
        # The page's own scripts bear its number; nothing that came from elsewhere does.
        assert page.count(b"<script") == page.count(b"<script nonce=")
        assert b"onerror=alert(1)>" not in page
        assert b"<svg" not in page
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]
    _status, headers, _body = target.ask("GET", "/apis/v2beta1/experiments")
    assert headers["content-type"] == "application/json"
