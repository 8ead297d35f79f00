"""The small services, and what the user interface's own server answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from sampan.kube.kinds import EVENTS, NAMESPACES, PODS

VERSIONS = ["/apis/v1beta1", "/apis/v2beta1"]


@pytest.mark.parametrize("version", VERSIONS)
class TestAuthorize:
    def test_the_one_user_may(self, api: Any, version: str) -> None:
        for verb in ("GET", 2, "CREATE", "DELETE"):
            asked = {"namespace": "anywhere", "resources": "VIEWERS", "verb": verb}
            assert api.get(f"{version}/auth", **asked).json == {}

    @pytest.mark.parametrize("missing", ["namespace", "resources", "verb"])
    def test_all_must_be_said(self, api: Any, version: str, missing: str) -> None:
        asked = {"namespace": "a", "resources": 1, "verb": 1}
        del asked[missing]
        answer = api.get(f"{version}/auth", **asked)
        assert answer.status == 400
        assert missing in answer.message


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", ["workflows", "scheduledworkflows"])
class TestReports:
    def test_nobody_tells_the_engine(self, api: Any, version: str, kind: str) -> None:
        workflow = {
            "metadata": {"name": "w", "namespace": "default", "uid": "u"},
            "status": {"phase": "Failed"},
        }
        answer = api.post(f"{version}/{kind}", json.dumps(workflow))
        assert answer.status == 403
        assert kind in answer.message

    @pytest.mark.parametrize("body", [{}, "", "[]", '{"metadata": {"name": "w"}}', '{"metadata": 1}'])
    def test_what_is_no_workflow_is_refused(self, api: Any, version: str, kind: str, body: Any) -> None:
        answer = api.post(f"{version}/{kind}", body)
        assert answer.status == 400
        assert answer.message


@pytest.mark.parametrize("version", VERSIONS)
def test_visualizations_are_checked_and_then_refused(api: Any, version: str) -> None:
    path = f"{version}/visualizations/default"
    answer = api.post(path, {"type": "ROC_CURVE", "source": "gs://b/x", "arguments": "{}"})
    assert answer.status == 503
    assert "no visualization service" in answer.message
    assert "source" in api.post(path, {"type": "TABLE"}).message
    assert "arguments" in api.post(path, {"type": "CUSTOM", "arguments": "{"}).message


class TestPods:
    @pytest.fixture
    def pod(self, api: Any) -> str:
        spec = {"containers": [{"name": "main", "image": "python:3.11"}]}
        event = {
            "metadata": {"name": "e", "namespace": "default"},
            "involvedObject": {"kind": "Pod", "name": "step", "namespace": "default"},
            "reason": "Started",
        }
        other = event | {
            "metadata": {"name": "o", "namespace": "default"},
            "involvedObject": {"name": "other"},
        }

        async def create() -> None:
            client = api.kubernetes.client
            await client.create(NAMESPACES, {"metadata": {"name": "default"}})
            await client.create(PODS, {"metadata": {"name": "step", "namespace": "default"}, "spec": spec})
            await client.create(EVENTS, event)
            await client.create(EVENTS, other)

        api.run(create())
        return "step"

    def test_a_pod_and_its_events(self, api: Any, pod: str) -> None:
        for prefix in ("", "/pipeline"):
            asked = {"podname": pod, "podnamespace": "kubeflow"}
            assert api.get(f"{prefix}/k8s/pod", **asked).json["metadata"]["name"] == pod
            found = api.get(f"{prefix}/k8s/pod/events", **asked).json
            assert [item["reason"] for item in found["items"]] == ["Started"]

    @pytest.mark.parametrize("path", ["/k8s/pod", "/k8s/pod/events"])
    def test_a_pod_must_be_named(self, api: Any, path: str) -> None:
        for name in ("", "a,involvedObject.name=b", "a=b"):
            answer = api.get(path, podname=name)
            assert answer.status == 400
            assert "podname" in answer.message

    def test_one_that_is_not_there(self, api: Any) -> None:
        assert api.get("/k8s/pod", podname="nobody").status == 404
        assert api.get("/k8s/pod/events", podname="nobody").json["items"] == []


def test_what_only_other_installations_have(api: Any) -> None:
    for path in ("/system/cluster-name", "/system/project-id"):
        answer = api.get(path)
        assert answer.status == 500
        assert answer.content == b"GKE metadata endpoints are disabled."
    assert api.get("/visualizations/allowed").content == b"false"
    boards = api.get("/apps/tensorboard", logdir="minio://b/logs", namespace="kubeflow")
    assert boards.json == {"proxyPath": "", "tfVersion": "", "image": ""}
    assert api.get("/apps/tensorboard").status == 400
    assert api.post("/apps/tensorboard", logdir="x").status == 501


class TestTheWeb:
    @pytest.fixture
    def page(self) -> Iterator[str]:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(b"<script>alert(1)</script>")

            def log_message(self, *args: Any) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
        server.server_close()

    def test_a_private_address_is_not_asked(self, api: Any, page: str) -> None:
        answer = api.get("/artifacts/get", source="http", bucket=page, key="x")
        assert answer.status == 400
        assert "private" in answer.message

    def test_what_comes_is_no_page_of_ours(self, open_api: Any, page: str) -> None:
        answer = open_api.get("/artifacts/get", source="http", bucket=page, key="x", peek=7)
        assert answer.content == b"<script"
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["content-disposition"] == "attachment"
        assert answer.headers["content-security-policy"].startswith("sandbox")

    @pytest.mark.parametrize("source", ["volume", "ftp", ""])
    def test_other_sources_are_refused(self, api: Any, source: str) -> None:
        answer = api.get("/artifacts/get", source=source, bucket="b", key="k")
        assert answer.status == 400
        assert "source" in answer.message
