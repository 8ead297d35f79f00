"""Preemption with real processes: training that is stopped for something urgent saves its work, and goes on later."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sampan.testing.server import HttpError, ServerProcess

CORE, BATCH = "/api/v1/namespaces/default", "/apis/batch/v1/namespaces/default"
TRAINING = """
trap 'echo "$step" > /checkpoints/step; echo saved; exit 143' TERM
step=$(cat /checkpoints/step 2>/dev/null || echo 0)
[ "$step" = 0 ] || { echo "resumed at $step"; exit 0; }
while :; do step=$((step + 1)); [ "$step" != 1 ] || echo begun; sleep 0.05; done
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path / "home")
    yield process.start()
    process.stop()


def until(look: Callable[[], Any], seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.1)
    return found


def spec(script: str, cpu: str, **fields: Any) -> dict[str, Any]:
    container = {
        "name": "main",
        "image": "busybox",
        "command": ["sh", "-c", script],
        "resources": {"requests": {"cpu": cpu}},
    }
    return {"restartPolicy": "Never", "containers": [container], **fields}


def test_training_that_is_preempted_saves_its_work_and_goes_on(server: ServerProcess) -> None:
    (node,) = server.call("GET", "/api/v1/nodes")["items"]
    cpu = node["status"]["allocatable"]["cpu"]
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    server.call("POST", f"{CORE}/persistentvolumeclaims", {"metadata": {"name": "work"}, "spec": claim})
    body = {"metadata": {"name": "urgent"}, "value": 1000}
    server.call("POST", "/apis/scheduling.k8s.io/v1/priorityclasses", body)
    disruption = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    template = spec(TRAINING, cpu, volumes=[{"name": "w", "persistentVolumeClaim": {"claimName": "work"}}])
    template["containers"][0]["volumeMounts"] = [{"name": "w", "mountPath": "/checkpoints"}]
    job = {
        "backoffLimit": 0,
        "podFailurePolicy": {"rules": [disruption]},
        "template": {"spec": template},
    }
    server.call("POST", f"{BATCH}/jobs", {"metadata": {"name": "training"}, "spec": job})

    def training() -> list[dict[str, Any]]:
        return server.call("GET", f"{CORE}/pods?labelSelector=job-name=training")["items"]

    def log(pod: dict[str, Any]) -> str:
        try:
            return server.text(f"{CORE}/pods/{pod['metadata']['name']}/log")
        except HttpError:  # it has not started yet
            return ""

    until(lambda: any("begun" in log(pod) for pod in training()))
    urgent = spec("echo done", cpu, priorityClassName="urgent")
    server.call("POST", f"{CORE}/pods", {"metadata": {"name": "urgent"}, "spec": urgent})
    until(lambda: server.call("GET", f"{CORE}/pods/urgent")["status"]["phase"] == "Succeeded")
    until(lambda: server.call("GET", f"{BATCH}/jobs/training")["status"].get("succeeded") == 1)
    events = until(lambda: server.call("GET", f"{CORE}/events?fieldSelector=reason=Preempted")["items"])
    assert [event["involvedObject"]["name"][:9] for event in events] == ["training-"]
    assert "failed" not in server.call("GET", f"{BATCH}/jobs/training")["status"]
    (second,) = [pod for pod in training() if pod["status"]["phase"] == "Succeeded"]
    assert int(log(second).removeprefix("resumed at ")) > 0
