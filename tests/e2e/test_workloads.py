"""Deployments, StatefulSets and JobSets with real processes, and across a crash of the server."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sampan.testing.server import ServerProcess

APPS, CORE, JOB_SETS = (
    "/apis/apps/v1/namespaces/default",
    "/api/v1/namespaces/default",
    "/apis/jobset.x-k8s.io/v1alpha2/namespaces/default/jobsets",
)
WAITING = "trap 'exit 0' TERM; while :; do sleep 0.1; done"


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


def kept(script: str = WAITING) -> dict[str, Any]:
    labels = {"app": "web"}
    container = {"name": "main", "image": "busybox", "command": ["sh", "-c", script]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}


def alive(server: ServerProcess) -> dict[str, str]:
    """Pods that are not on their way out, by name, and their uids."""
    found = server.call("GET", f"{CORE}/pods")["items"]
    return {
        pod["metadata"]["name"]: pod["metadata"]["uid"]
        for pod in found
        if "deletionTimestamp" not in pod["metadata"]
    }


def rolled_out(server: ServerProcess, path: str, replicas: int) -> Callable[[], Any]:
    def look() -> Any:
        found = server.call("GET", path)
        status = found.get("status", {})
        counts = [status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas")]
        observed = status.get("observedGeneration") == found["metadata"]["generation"]
        return found if observed and counts == [replicas] * 3 else None

    return look


def test_a_deployment_outlives_a_crash_and_rolls(server: ServerProcess) -> None:
    path = f"{APPS}/deployments/web"
    server.call("POST", f"{APPS}/deployments", {"metadata": {"name": "web"}, "spec": kept()})
    until(rolled_out(server, path, 2))
    before = alive(server)
    server.kill()
    server.start()
    until(rolled_out(server, path, 2))
    time.sleep(1)
    assert alive(server) == before
    found = server.call("GET", path)
    found["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "NEW", "value": "1"}]
    server.call("PUT", path, found)
    until(rolled_out(server, path, 2))
    assert not set(alive(server)) & set(before)
    scale = {"metadata": {"name": "web", "namespace": "default"}, "spec": {"replicas": 0}}
    assert server.call("PUT", f"{path}/scale", scale)["kind"] == "Scale"
    until(lambda: not server.call("GET", f"{CORE}/pods")["items"])


def test_a_stateful_set_has_its_names_again(server: ServerProcess) -> None:
    spec = {**kept(), "serviceName": "web"}
    server.call("POST", f"{APPS}/statefulsets", {"metadata": {"name": "web"}, "spec": spec})
    until(rolled_out(server, f"{APPS}/statefulsets/web", 2))
    before = alive(server)
    assert sorted(before) == ["web-0", "web-1"]
    server.call("DELETE", f"{CORE}/pods/web-0")
    until(lambda: (after := alive(server)) and sorted(after) == sorted(before) and after != before)
    server.call("DELETE", f"{APPS}/statefulsets/web", {"propagationPolicy": "Foreground"})
    until(lambda: not server.call("GET", f"{CORE}/pods")["items"])
    # Once its last pod is gone it goes itself.
    until(lambda: not server.call("GET", f"{APPS}/statefulsets")["items"])


def test_a_job_set_runs_one_after_the_other(server: ServerProcess) -> None:
    def replicated(name: str, **fields: Any) -> dict[str, Any]:
        pod = {
            "restartPolicy": "Never",
            "containers": [{"name": "main", "image": "busybox", "command": ["true"]}],
        }
        return {"name": name, "template": {"spec": {"template": {"spec": pod}}}, **fields}

    jobs = [
        replicated("init"),
        replicated("node", replicas=2, dependsOn=[{"name": "init", "status": "Complete"}]),
    ]
    server.call("POST", JOB_SETS, {"metadata": {"name": "train"}, "spec": {"replicatedJobs": jobs}})
    until(
        lambda: server.call("GET", f"{JOB_SETS}/train").get("status", {}).get("terminalState") == "Completed"
    )
    found = server.call("GET", f"{CORE}/pods?labelSelector=jobset.sigs.k8s.io/jobset-name=train")["items"]
    started = {
        pod["metadata"]["labels"]["jobset.sigs.k8s.io/job-global-index"]: pod["status"] for pod in found
    }
    assert sorted(started) == ["0", "1", "2"]

    def end(index: str) -> str:
        return str(started[index]["containerStatuses"][0]["state"]["terminated"]["finishedAt"])

    assert end("0") <= min(started["1"]["startTime"], started["2"]["startTime"])
