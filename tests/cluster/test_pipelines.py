"""Pipelines on a real node: the same engine, the cluster's own pods, and files that they fetch and publish."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from sampan.client.protocol import ListOptions
from sampan.kube.kinds import PODS
from sampan.testing.clients import interpreter_with
from sampan.testing.pipelines import Component, pipeline, shell, task
from sampan.testing.server import ServerProcess

from .conftest import Cluster, platform


def tasks(server: ServerProcess, run_id: str) -> dict[str, dict[str, Any]]:
    """By name; of a loop, the last."""
    return {task["name"]: task for task in server.tasks(run_id)}


def values(task: dict[str, Any]) -> dict[str, Any]:
    return {each["parameter_key"]: each["value"] for each in task["outputs"]["parameters"]}


def artifacts(task: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["artifact_key"]: each["artifacts"][0] for each in task["outputs"]["artifacts"]}


def log(server: ServerProcess, run_id: str, task: dict[str, Any], attempt: int = 0) -> str:
    return server.text(f"/apis/v1alpha1/runs/{run_id}/nodes/{task['task_id']}/log?attempt={attempt}")


def pods(cluster: Cluster, run_id: str) -> list[dict[str, Any]]:
    options = ListOptions(label_selector=f"pipeline/runid={run_id}")
    return cluster.ask(lambda client: client.list(PODS, cluster.namespace, options)).items


def test_every_sort_of_step(server: ServerProcess, cluster: Cluster, pipelines: dict[str, Any]) -> None:
    run_id = server.submit(pipelines["everything"], seed=11)
    run = server.wait_run(run_id, timeout=200)
    found = tasks(server, run_id)
    assert run["state"] == "SUCCEEDED", {name: task.get("status_metadata") for name, task in found.items()}

    assert values(found["check"]) == {"Output": 11}
    assert values(found["add"]) == {"Output": 14}
    assert {task["name"] for task in server.tasks(run_id)} >= {"say"}
    assert "say-2" not in found
    assert values(found["third-time"]) == {"said": "at last"}
    assert len(found["third-time"]["pods"]) == 3

    made = artifacts(found["make"])
    assert made["data"]["metadata"] == {"seed": 11}
    assert made["metrics"]["metadata"] == {"size": 20 * 1024 * 1024 + 7}
    data = Path(made["data"]["uri"])
    assert data.is_relative_to(server.home / "artifacts")
    assert sorted(str(each.relative_to(data)) for each in data.rglob("*")) == [
        "deep",
        "deep/er",
        "deep/er/large.bin",
        "deep/link.bin",
        "deep/nothing",
        "empty",
        "run.sh",
    ]
    assert not any(each.is_symlink() for each in data.rglob("*"))
    assert Path(artifacts(found["check"])["model"]["uri"]).read_text() == "a model"

    assert "made 20971527 bytes" in log(server, run_id, found["make"])
    assert "all of it is here" in log(server, run_id, found["check"])
    assert [log(server, run_id, found["third-time"], attempt).strip() for attempt in (1, 2, 3)] == [
        "not yet",
        "not yet",
        "done",
    ]
    # The user's container is what the user wrote; ours are beside it.
    pod = next(pod for pod in pods(cluster, run_id) if pod["metadata"]["name"].startswith("third-time"))
    assert [each["name"] for each in pod["spec"]["containers"]] == ["main", "sampan-publish"]
    assert pod["spec"]["containers"][0]["command"][:2] == ["sh", "-c"]


def test_a_step_is_not_run_again_for_the_same_result(
    server: ServerProcess, pipelines: dict[str, Any]
) -> None:
    for _ in range(2):
        run_id = server.submit(pipelines["everything"], seed=12)
        assert server.wait_run(run_id, timeout=200)["state"] == "SUCCEEDED"
    states = {task["name"]: task["state"] for task in server.tasks(run_id)}
    assert states["make"] == states["check"] == states["square"] == states["add"] == "CACHED"
    assert states["third-time"] == "SUCCEEDED"


def test_a_failure_and_what_follows_it(server: ServerProcess, pipelines: dict[str, Any]) -> None:
    run_id = server.submit(pipelines["broken"])
    assert server.wait_run(run_id, timeout=100)["state"] == "FAILED"
    found = tasks(server, run_id)
    assert found["fail"]["state"] == "FAILED"
    said = found["fail"]["status_metadata"]["message"]
    assert "exit code 3" in said
    assert "before the end" in said
    assert found["report"]["state"] == "SUCCEEDED"
    assert "it FAILED" in log(server, run_id, found["report"])


def test_a_run_that_is_stopped_leaves_no_pod_running(
    server: ServerProcess, cluster: Cluster, pipelines: dict[str, Any]
) -> None:
    run_id = server.submit(pipelines["long"])
    wait_for_main(cluster, run_id)
    done = sampan(server, "stop", run_id)
    assert done.returncode == 0, done.stderr
    assert server.wait_run(run_id)["state"] == "CANCELED"
    deadline = time.monotonic() + 30
    while found := pods(cluster, run_id):
        assert time.monotonic() < deadline, found
        time.sleep(0.3)


def test_a_platform_that_was_killed_goes_on(
    cluster: Cluster, pipelines: dict[str, Any], tmp_path: Path
) -> None:
    server = platform(tmp_path / "home", cluster)
    with server:
        run_id = server.submit(pipelines["long"], seconds=15)
        wait_for_main(cluster, run_id)
        server.kill()
        # The step ends, and its mover waits for us.
        time.sleep(15)
        (pod,) = pods(cluster, run_id)
        assert pod["status"]["phase"] == "Running"
        server.start()
        assert server.wait_run(run_id, timeout=100)["state"] == "SUCCEEDED"
        assert len(tasks(server, run_id)["linger"]["pods"]) == 1


def test_pods_of_others_are_left_alone(cluster: Cluster, tmp_path: Path) -> None:
    """Upstream's own pods have the same labels."""
    labels = {"pipeline/runid": "somebody-elses", "pipelines.kubeflow.org/v2_component": "true"}
    pod = {
        "metadata": {"name": "other", "namespace": cluster.namespace, "labels": labels},
        "spec": {"schedulerName": "nobody", "containers": [{"name": "main", "image": "python:3.11"}]},
    }
    cluster.ask(lambda client: client.create(PODS, pod))
    with platform(tmp_path / "home", cluster) as server:
        # The engine has looked at all pods once it takes a run.
        step = Component("step", shell("true", image="python:3.11"))
        run_id = server.submit(pipeline("one", {"step": task("step")}, step))
        assert server.wait_run(run_id, timeout=100)["state"] == "SUCCEEDED"
    found = cluster.ask(lambda client: client.get(PODS, "other", cluster.namespace))
    assert "deletionTimestamp" not in found["metadata"]


def test_the_command_line_and_the_example(server: ServerProcess) -> None:
    example = Path(__file__).parents[2] / "examples" / "01-first-pipeline" / "pipeline.py"
    done = sampan(server, "run", str(example), "--name", "digits")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"winner +parameter +support-vectors", done.stdout)
    assert re.search(r"digits +succeeded", sampan(server, "runs").stdout)
    assert "support-vectors: 0.9" in sampan(server, "logs", "digits", "train").stdout


def test_the_journey_of_the_official_client(server: ServerProcess, tmp_path: Path) -> None:
    program = Path(__file__).parents[1] / "e2e" / "kfp_client_journey.py"
    python = interpreter_with("kfp==2.17.0")
    done = subprocess.run(
        [python, "-W", "ignore", program, server.url, tmp_path],
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]


def wait_for_main(cluster: Cluster, run_id: str) -> None:
    """Until the step itself runs."""
    deadline = time.monotonic() + 60
    while True:
        for pod in pods(cluster, run_id):
            for status in pod["status"].get("containerStatuses") or ():
                if status["name"] == "main" and "running" in status["state"]:
                    return
        assert time.monotonic() < deadline, pods(cluster, run_id)
        time.sleep(0.3)


def sampan(server: ServerProcess, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sampan", *arguments, "--home", str(server.home)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, "COLUMNS": "200"},
    )
