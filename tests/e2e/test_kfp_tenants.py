"""Many users on a real server: the official client with a service account's token, and what the guards let through."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sampan.testing.clients import interpreter_with
from sampan.testing.server import ServerProcess

JOURNEY = Path(__file__).with_name("kfp_tenant_journey.py")
RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path / "home", environ={"SAMPAN_PIPELINES_MULTI_USER": "true"}) as server:
        yield server


def tenant(server: ServerProcess, namespace: str) -> str:
    """A namespace with a user in it; the user's token."""
    server.call("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    server.call("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "user"}})
    rules = [{"apiGroups": ["pipelines.kubeflow.org", "kubeflow.org"], "resources": ["*"], "verbs": ["*"]}]
    server.call("POST", f"{RBAC}/{namespace}/roles", {"metadata": {"name": "user"}, "rules": rules})
    binding = {
        "metadata": {"name": "user"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "user"},
        "subjects": [{"kind": "ServiceAccount", "name": "user"}],
    }
    server.call("POST", f"{RBAC}/{namespace}/rolebindings", binding)
    account = f"/api/v1/namespaces/{namespace}/serviceaccounts/user"
    return str(server.call("POST", f"{account}/token", {"spec": {}})["status"]["token"])


def status(server: ServerProcess, path: str, **headers: str) -> tuple[int, Any]:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(server.url + path, headers=given)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


@pytest.mark.timeout(400)
def test_a_user_among_others(server: ServerProcess, tmp_path: Path) -> None:
    tokens = {name: tenant(server, name) for name in ("team-a", "team-b")}
    python = interpreter_with("kfp==2.17.0")
    ended = subprocess.run(
        [python, "-W", "ignore", JOURNEY, server.url, tokens["team-a"], "team-a", "team-b", tmp_path],
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
    run = json.loads(ended.stdout.splitlines()[-1])["run"]
    path = f"/apis/v2beta1/runs/{run}"
    bearer = {name: f"Bearer {token}" for name, token in tokens.items()}
    assert status(server, path, Authorization=bearer["team-a"])[0] == 200
    code, body = status(server, path, Authorization=bearer["team-b"])
    assert (code, body["code"]) == (403, 7)
    assert status(server, f"/pipeline{path}", Authorization=bearer["team-b"])[0] == 403
    assert status(server, path, Authorization="Bearer a.b.c")[0] == 401
    # A header that anybody may send says nothing, and the administrator may act as somebody.
    assert status(server, path, Authorization=bearer["team-b"], kubeflow_userid="admin")[0] == 403
    stranger = status(server, path, Impersonate_User="stranger@example.com")
    assert stranger[0] == 403
    assert "stranger@example.com" in stranger[1]["message"]
    account = "system:serviceaccount:team-a:user"
    assert status(server, path, Impersonate_User=account)[0] == 200
    # A notebook's token is meant for pipelines, and for nothing else.
    request = {"spec": {"audiences": ["pipelines.kubeflow.org"]}}
    made = server.call("POST", "/api/v1/namespaces/team-a/serviceaccounts/user/token", request)
    meant = f"Bearer {made['status']['token']}"
    assert status(server, path, Authorization=meant)[0] == 200
    assert status(server, "/api/v1/namespaces/team-a/pods", Authorization=meant)[0] == 401
    # What is not this API's is decided by roles, as before.
    assert status(server, "/api/v1/nodes", Authorization=bearer["team-a"])[0] == 403
    assert status(server, path)[0] == 200
