"""What a request wants, by its method and path."""

from __future__ import annotations

import pytest

from sampan.cluster.apiserver.access.request import read


def wanted(method: str, url: str) -> tuple[str, ...]:
    path, _, query = url.partition("?")
    found = read({"method": method, "path": path, "query_string": query.encode()})
    if not found.resource:
        return (found.verb, found.path)
    return (found.verb, found.group, found.combined, found.namespace, found.name)


@pytest.mark.parametrize(
    ("method", "url", "expected"),
    [
        ("GET", "/api/v1/pods", ("list", "", "pods", "", "")),
        ("GET", "/api/v1/pods?watch=True", ("watch", "", "pods", "", "")),
        ("GET", "/api/v1/pods?watch", ("watch", "", "pods", "", "")),
        ("GET", "/api/v1/pods?watch=false", ("list", "", "pods", "", "")),
        ("HEAD", "/api/v1/pods", ("list", "", "pods", "", "")),
        ("GET", "/api/v1/namespaces/a/pods/b", ("get", "", "pods", "a", "b")),
        ("GET", "/api/v1/namespaces/a/pods/b?watch=1", ("get", "", "pods", "a", "b")),
        ("GET", "/api/v1/namespaces/a/pods?fieldSelector=metadata.name%3Db", ("list", "", "pods", "a", "b")),
        ("GET", "/api/v1/namespaces/a/pods?fieldSelector=metadata.name!%3Db", ("list", "", "pods", "a", "")),
        ("GET", "/api/v1//namespaces//a/pods/", ("list", "", "pods", "a", "")),
        ("POST", "/api/v1/namespaces/a/pods/b/exec", ("create", "", "pods/exec", "a", "b")),
        ("PUT", "/apis/apps/v1/namespaces/a/deployments/b/scale", ("update", "apps", "deployments/scale", "a", "b")),
        ("DELETE", "/apis/apps/v1/namespaces/a/deployments", ("deletecollection", "apps", "deployments", "a", "")),
        ("DELETE", "/apis/apps/v1/namespaces/a/deployments/b", ("delete", "apps", "deployments", "a", "b")),
        ("PATCH", "/api/v1/nodes/n/status", ("patch", "", "nodes/status", "", "n")),
        ("GET", "/api/v1/namespaces", ("list", "", "namespaces", "", "")),
        ("GET", "/api/v1/namespaces/a", ("get", "", "namespaces", "a", "a")),
        ("PUT", "/api/v1/namespaces/a/finalize", ("update", "", "namespaces/finalize", "a", "a")),
        ("GET", "/api/v1/namespaces/a/status", ("get", "", "namespaces/status", "a", "a")),
        ("GET", "/api/v1", ("get", "/api/v1")),
        ("GET", "/apis/apps/v1", ("get", "/apis/apps/v1")),
        ("GET", "/apis/apps", ("get", "/apis/apps")),
        ("POST", "/healthz", ("post", "/healthz")),
        ("GET", "/apis/v2beta1/runs", ("get", "/pipeline/apis/v2beta1/runs")),
        ("POST", "/apis/v2beta1/pipelines/upload", ("post", "/pipeline/apis/v2beta1/pipelines/upload")),
        ("GET", "/apis/v2.example.com/v1/things", ("list", "v2.example.com", "things", "", "")),
        ("GET", "/pipeline/apis/v2beta1/runs", ("get", "/pipeline/apis/v2beta1/runs")),
    ],
)  # fmt: skip
def test_requests(method, url, expected):
    assert wanted(method, url) == expected


def test_a_websocket_is_a_get():
    found = read({"type": "websocket", "path": "/api/v1/namespaces/a/pods/b/exec", "query_string": b""})
    assert (found.verb, found.combined) == ("get", "pods/exec")
