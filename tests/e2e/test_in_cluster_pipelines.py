"""`kfp.Client()` without a word about where: within the cluster by its Service, outside by the kubeconfig."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sampan.testing.clients import interpreter_with
from sampan.testing.server import ServerProcess

PODS = "/api/v1/namespaces/default/pods"
WITHIN = """
import json, kfp
client = kfp.Client()
experiment = client.create_experiment("from within")
print(json.dumps([client.get_kfp_healthz().multi_user, client._existing_config.host, experiment.experiment_id]))
"""
AROUND = """
import json, kfp
client = kfp.Client()
print(json.dumps([each.display_name for each in client.list_experiments().experiments or []]))
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path / "home") as server:
        yield server


def finished(server: ServerProcess, name: str) -> Any:
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline:
        pod = server.call("GET", f"{PODS}/{name}")
        if pod.get("status", {}).get("phase") in ("Succeeded", "Failed"):
            return pod
        time.sleep(0.1)
    raise AssertionError(f"the pod does not end: {pod['status']}")


@pytest.mark.timeout(300)
def test_the_client_finds_the_api_by_itself(server: ServerProcess, tmp_path: Path) -> None:
    command = ["sh", "-ec", 'pip install --quiet kfp==2.17.0; python -W ignore -c "$PROGRAM"']
    container = {
        "name": "main",
        "image": "python:3.11",
        "command": command,
        "env": [{"name": "PROGRAM", "value": WITHIN}],
    }
    spec = {"restartPolicy": "Never", "containers": [container]}
    server.call("POST", PODS, {"metadata": {"name": "client"}, "spec": spec})
    ended = finished(server, "client")
    log = server.text(f"{PODS}/client/log")
    assert ended["status"]["phase"] == "Succeeded", log
    multi_user, host, _ = json.loads(log.strip().splitlines()[-1])
    assert (multi_user, host) == (False, "ml-pipeline.kubeflow.svc.cluster.local:8888")

    around = subprocess.run(
        [interpreter_with("kfp==2.17.0"), "-W", "ignore", "-c", AROUND],
        env={
            "HOME": str(tmp_path),
            "PATH": os.environ["PATH"],
            "KUBECONFIG": str(tmp_path / "home" / "kubeconfig"),
        },
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert around.returncode == 0, around.stderr[-3000:]
    assert json.loads(around.stdout.splitlines()[-1]) == ["from within"]


def test_the_way_around_lifts_nobody(server: ServerProcess) -> None:
    """Whoever may pass requests on to the Service does not become the administrator by it."""
    accounts, roles = (
        "/api/v1/namespaces/kubeflow/serviceaccounts",
        "/apis/rbac.authorization.k8s.io/v1/namespaces/kubeflow",
    )
    server.call("POST", accounts, {"metadata": {"name": "passer"}})
    rules = [{"apiGroups": [""], "resources": ["services/proxy"], "verbs": ["*"]}]
    server.call("POST", f"{roles}/roles", {"metadata": {"name": "passer"}, "rules": rules})
    binding = {
        "metadata": {"name": "passer"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "passer"},
        "subjects": [{"kind": "ServiceAccount", "name": "passer"}],
    }
    server.call("POST", f"{roles}/rolebindings", binding)
    token = server.call("POST", f"{accounts}/passer/token", {"spec": {}})["status"]["token"]
    proxy = "/api/v1/namespaces/kubeflow/services/ml-pipeline:http/proxy"
    for path in ("/apis/v2beta1/runs", "/api/v1/namespaces/kube-system/secrets"):
        assert server.call("GET", proxy + path) is not None
        request = urllib.request.Request(
            server.url + proxy + path, headers={"Authorization": f"Bearer {token}"}
        )
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=60)
        with refused.value as answer:
            assert answer.code == 403
            assert b"itself" in answer.read()
