"""A pod whose program uses the official client as it would on any cluster: `load_incluster_config`, over TLS.

The account's rights are what its Role says: the program lists pods, and secrets are not its business.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from sampan.testing.server import ServerProcess

RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
NAMESPACE = "/api/v1/namespaces/default"
PROGRAM = """
import json, kubernetes
from kubernetes.client.exceptions import ApiException
kubernetes.config.load_incluster_config()
core = kubernetes.client.CoreV1Api()
namespace = open("/var/run/secrets/kubernetes.io/serviceaccount/namespace").read()
found = {"host": core.api_client.configuration.host, "namespace": namespace}
found["pods"] = [pod.metadata.name for pod in core.list_namespaced_pod(namespace).items]
for what, call in (("secrets", core.list_namespaced_secret), ("nodes", lambda _: core.list_node())):
    try:
        call(namespace)
        found[what] = 200
    except ApiException as error:
        found[what] = error.status
        found["message"] = json.loads(error.body)["message"]
who = kubernetes.client.AuthenticationV1Api().create_self_subject_review({})
found["user"] = who.status.user_info.username
print(json.dumps(found))
"""


def finished(server: ServerProcess, name: str) -> Any:
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline:
        pod = server.call("GET", f"{NAMESPACE}/pods/{name}")
        if pod.get("status", {}).get("phase") in ("Succeeded", "Failed"):
            return pod
        time.sleep(0.1)
    raise AssertionError(f"the pod does not end: {pod['status']}")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("version", ["35.0.0", pytest.param("30.1.0", marks=pytest.mark.slow)])
def test_the_official_client_in_a_pod(tmp_path: Path, version: str) -> None:
    with ServerProcess(tmp_path / "home") as server:
        server.call("POST", f"{NAMESPACE}/serviceaccounts", {"metadata": {"name": "robot"}})
        rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]
        server.call("POST", f"{RBAC}/roles", {"metadata": {"name": "lister"}, "rules": rules})
        binding = {
            "metadata": {"name": "lister"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "lister"},
            "subjects": [{"kind": "ServiceAccount", "name": "robot"}],
        }
        server.call("POST", f"{RBAC}/rolebindings", binding)
        container = {
            "name": "main",
            "image": "python:3.11",
            "command": ["sh", "-ec", 'pip install --quiet "$CLIENT"; python -c "$PROGRAM"'],
            "env": [
                {"name": "CLIENT", "value": f"kubernetes=={version}"},
                {"name": "PROGRAM", "value": PROGRAM},
            ],
        }
        spec = {"serviceAccountName": "robot", "restartPolicy": "Never", "containers": [container]}
        server.call("POST", f"{NAMESPACE}/pods", {"metadata": {"name": "client"}, "spec": spec})
        ended = finished(server, "client")
        log = server.text(f"{NAMESPACE}/pods/client/log")
        assert ended["status"]["phase"] == "Succeeded", log
        found = json.loads(log.strip().splitlines()[-1])
        assert found["host"].startswith("https://127.0.0.1:")
        assert (found["namespace"], found["pods"]) == ("default", ["client"])
        assert (found["secrets"], found["nodes"]) == (403, 403)
        assert 'User "system:serviceaccount:default:robot" cannot list resource "nodes"' in found["message"]
        assert found["user"] == "system:serviceaccount:default:robot"
