"""Environments that lie elsewhere than in the home serve pods as well: so do those of training tests."""

from __future__ import annotations

import time

from sampan.testing.server import ServerProcess

PODS = "/api/v1/namespaces/default/pods"
PROGRAM = "import os, pip, sys; print(os.path.exists(os.environ['PIP_CONFIG_FILE']), sys.prefix)"


def test_a_home_may_keep_its_environments_elsewhere(server: ServerProcess) -> None:
    container = {"name": "main", "image": "python:3.11", "command": ["python", "-c", PROGRAM]}
    pod = {"metadata": {"name": "p"}, "spec": {"restartPolicy": "Never", "containers": [container]}}
    server.call("POST", PODS, pod)
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline:
        found = server.call("GET", f"{PODS}/p")
        if found["status"].get("phase") in ("Succeeded", "Failed"):
            break
        time.sleep(0.1)
    assert found["status"]["phase"] == "Succeeded", found["status"]
    assert server.text(f"{PODS}/p/log").startswith("True ")
