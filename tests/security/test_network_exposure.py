"""Rows 1, 2, 18 and 19: who can reach the server, with which words, and what there is to find."""

from __future__ import annotations

import ipaddress
import json
import ssl
import urllib.error
import urllib.request
from typing import Any

import psutil
import pytest

from sampan.components.pipelines.rest import PREFIXES
from sampan.components.pipelines.rest.endpoints import endpoints
from sampan.components.tuning.rest import door as tuning
from sampan.components.tuning.rest import katib

KATIB_QUERY = "namespace=default&experimentName=x&trialName=x&suggestionName=x"
TUNING = [
    *(("GET", f"/tuning/v1{each.path.replace('{', '').replace('}', '')}") for each in tuning.endpoints()),
    *(
        ("POST" if each.changes else "GET", f"/katib{each.path}/?{KATIB_QUERY}")
        for each in katib.endpoints()
        # The others answer with what the user may see, or read a body first: tests/integration/tuning asks them too.
        if each.needs is not None
    ),
]
TRAINING = [("GET", f"/training/v1/namespaces/default/pytorchjobs/x/{each}") for each in ("log", "metrics")]

KUBERNETES = (
    "/api",
    "/api/v1/namespaces",
    "/api/v1/namespaces/default/secrets",
    "/apis/batch/v1/namespaces/default/jobs",
    "/openapi/v2",
    "/version",
)


def test_every_socket_is_on_loopback(target: Any) -> None:
    assert target.server.process is not None
    server = psutil.Process(target.server.process.pid)
    listening = [
        connection.laddr
        for process in (server, *server.children(recursive=True))
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    # One with TLS is for pods, one speaks gRPC: only when somebody has spoken to it does its library listen behind it.
    beside = [int((target.server.home / "run" / name).read_text()) for name in ("secure-port", "grpc-port")]
    services = target.server.call("GET", "/api/v1/services")["items"]
    of_services = {
        (service["spec"]["clusterIP"], port["port"])
        for service in services
        for port in service["spec"]["ports"]
    }
    own = [address for address in listening if (address.ip, address.port) not in of_services]
    assert sorted(address.port for address in own) == sorted((target.address[1], *beside))
    assert all(ipaddress.ip_address(address.ip).is_loopback for address in listening)


@pytest.mark.parametrize("token", ["wrong", "", "x" * 5000])
def test_a_wrong_token_opens_no_route(target: Any, token: str) -> None:
    paths = [("GET", path) for path in (*KUBERNETES, "/")] + TRAINING + TUNING
    paths += [
        ("GET", "/katib/fetch_namespaces"),
        ("POST", "/katib/create_experiment/"),
        ("POST", "/katib/add_template/"),
    ]
    paths += [
        (endpoint.method, endpoint.path.replace("{", "").replace("}", ""))
        for endpoint in endpoints()
        if endpoint.path.startswith(tuple(PREFIXES))
    ]
    assert len(paths) > 50
    opened = [
        (method, path, status)
        for method, path in paths
        if (status := target.ask(method, path, authorization=f"Bearer {token}")[0]) != 401
    ]
    assert opened == []


@pytest.mark.parametrize(
    "path",
    ["/debug", "/debug/pprof", "/debug/pprof/heap", "/metrics", "/docs", "/redoc", "/openapi.json", "/logs", "/logs/",
     "/console", "/.env", "/.git/config", "/sampan.db", "/run/token", "/static/../sampan.db", "/server-status",
     "/configz", "/flagz", "/api/v1/nodes/x/proxy/run"],
)  # fmt: skip
def test_nothing_is_there_for_debugging(target: Any, path: str) -> None:
    assert target.ask("GET", path)[0] in (403, 404)


@pytest.mark.parametrize(
    "headers",
    [
        {"kubeflow_userid": "admin@example.com"},
        {"x_goog_authenticated_user_email": "accounts.google.com:admin@example.com"},
        {"x_remote_user": "admin", "x_remote_group": "system:masters"},
        {"x_forwarded_for": "10.0.0.1", "x_forwarded_host": "evil.example", "x_forwarded_proto": "https"},
        {"forwarded": "for=10.0.0.1;host=evil.example"},
        {"x_http_method_override": "DELETE"},
        {"x_original_url": "/api/v1/secrets", "x_rewrite_url": "/api/v1/secrets"},
    ],
)
def test_identity_and_routing_by_header_count_for_nothing(target: Any, headers: dict[str, str]) -> None:
    target.server.text("/ui/")
    for path in ("/api/v1/namespaces/default", "/apis/v2beta1/experiments", "/ui/"):
        plain, given = target.ask("GET", path), target.ask("GET", path, **headers)
        assert plain[0] == given[0] == 200
        if path != "/ui/":  # each window has an id of its own
            assert plain[2] == given[2]
        assert b"evil.example" not in given[2]
    # They do not stand in for a token either.
    assert target.ask("GET", "/api/v1/namespaces", authorization="Bearer wrong", **headers)[0] == 401


def test_impersonation_takes_rights_away_and_gives_none(target: Any) -> None:
    for path in ("/api/v1/secrets", "/apis/v2beta1/experiments", "/", "/ui/"):
        assert target.ask("GET", path, impersonate_user="admin")[0] == 403
    assert target.ask("GET", "/api/v1/secrets", impersonate_group="system:masters")[0] == 400


def test_a_stranger_s_token_opens_no_route(target: Any) -> None:
    """A service account without any right, on every route; every kind's are in tests/integration/access."""
    path = "/api/v1/namespaces/default/serviceaccounts/default/token"
    status, _, body = target.ask("POST", path, b'{"spec":{}}', content_type="application/json")
    assert status == 201
    token = json.loads(body)["status"]["token"]
    paths = [
        ("GET", path)
        for path in ("/", "/metrics", "/api/v1/namespaces", "/api/v1/namespaces/default/secrets")
    ]
    paths += TRAINING + TUNING
    paths += [
        (endpoint.method, prefix + endpoint.path.replace("{", "").replace("}", ""))
        for endpoint in endpoints()
        if endpoint.path.startswith(tuple(PREFIXES))
        for prefix in ("", "/pipeline")
    ]
    assert len(paths) > 100
    opened = [
        (method, path, status)
        for method, path in paths
        if (status := target.ask(method, path, authorization=f"Bearer {token}")[0]) != 403
    ]
    assert opened == []


def test_the_port_of_pods_knows_nobody_without_a_token(target: Any) -> None:
    port = int((target.server.home / "run" / "secure-port").read_text())
    context = ssl.create_default_context(cafile=target.server.home / "pki" / "ca.crt")
    answered = {}
    for path in ("/version", "/api/v1/namespaces", "/", "/apis/v2beta1/experiments"):
        # No header turns TLS into the plain port, where the user needs no token.
        headers = {"X-Forwarded-Proto": "http", "X-Forwarded-For": "127.0.0.1"}
        request = urllib.request.Request(f"https://127.0.0.1:{port}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10, context=context) as answer:
                answered[path] = answer.status
        except urllib.error.HTTPError as error:
            with error:
                answered[path] = error.code
    assert answered == {
        "/version": 200,
        "/api/v1/namespaces": 403,
        "/": 403,
        "/apis/v2beta1/experiments": 403,
    }


def test_keys_are_for_their_owner(target: Any) -> None:
    folder = target.server.home / "pki"
    assert folder.stat().st_mode & 0o077 == 0
    assert all(file.stat().st_mode & 0o077 == 0 for file in folder.iterdir())
