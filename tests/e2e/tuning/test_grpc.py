"""Katib's gRPC services as pods and programs of the machine reach them: upstream's own client, unmodified."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sampan.testing.clients import interpreter_with
from sampan.testing.server import ServerProcess

pytestmark = pytest.mark.slow
JOURNEY = Path(__file__).with_name("grpc_journey.py")
KATIB = "/apis/kubeflow.org/v1beta1/namespaces"


@pytest.fixture(scope="module")
def python() -> Path:
    return interpreter_with("kubeflow-katib==0.19.0", "kubernetes==35.0.0")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    home = tmp_path_factory.mktemp("home")
    # Nobody acts on the trials: these are of the test's making.
    home.joinpath("settings.toml").write_text('[tuning]\ncontrollers = "off"\n')
    with ServerProcess(home) as server:
        for namespace in ("team-a", "team-b"):
            server.call("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        for namespace, name in (
            ("team-a", "mine"),
            ("team-b", "theirs"),
            ("team-a", "both"),
            ("team-b", "both"),
        ):
            server.call("POST", f"{KATIB}/{namespace}/trials", trial(name))
        yield server


def test_the_library_waits_for_the_first_who_speaks(server: ServerProcess, python: Path) -> None:
    """First of this file: a port that is only looked at costs nothing."""
    assert server.process is not None
    maps = Path(f"/proc/{server.process.pid}/maps")
    subprocess.run(["bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port(server)}; echo GET / >&3"], check=True)
    assert "cygrpc" not in maps.read_text()
    assert machine(server, python, "health") == {"health": "SERVING"}
    assert "cygrpc" in maps.read_text()


def test_a_pod_reports_for_its_trial_and_for_no_other(server: ServerProcess, python: Path) -> None:
    foreign = ("theirs", "nobody", "team-b/theirs", "team-b/both", "team-a/nobody")
    said = pod(
        server, python, "team-a", "report=mine", "read=mine", "report=both", "stop=team-b/theirs", "stop=theirs",
        "delete=team-b/both", "read=team-b/both", *(f"report={each}" for each in foreign), "health",
    )  # fmt: skip
    assert said["report=mine"] == "reported"
    assert said["read=mine"] == "['accuracy=0.5', 'loss=0.25']"
    # The name alone is that of its own namespace, whoever else has one of that name.
    assert said["report=both"] == "reported"
    for each in ("report=theirs", "report=nobody", "report=team-a/nobody", "stop=theirs"):
        assert "NOT_FOUND" in said[each]
    for each in (
        "report=team-b/theirs",
        "report=team-b/both",
        "delete=team-b/both",
        "read=team-b/both",
        "stop=team-b/theirs",
    ):
        assert "PERMISSION_DENIED" in said[each]
    # To others, a name of another namespace has an empty log, as one that nobody has.
    said = pod(server, python, "team-b", "read=both", "read=mine", "stop=team-a/mine")
    assert said["read=both"] == said["read=mine"] == "[]"
    assert "PERMISSION_DENIED" in said["stop=team-a/mine"]


@pytest.mark.parametrize("suffix", [".svc", ".svc.cluster.local"])
def test_the_manager_has_its_names_in_pods(server: ServerProcess, python: Path, suffix: str) -> None:
    host = f"katib-db-manager.kubeflow{suffix}"
    assert pod(server, python, "team-b", "health", host=host) == {"health": "SERVING"}


def test_the_machines_user_names_the_namespace_where_the_name_is_not_enough(
    server: ServerProcess, python: Path
) -> None:
    said = machine(
        server,
        python,
        "push=team-b/theirs",
        "read=theirs",
        "push=both",
        "push=nobody",
        "delete=theirs",
        "read=nobody",
    )
    assert said["push=team-b/theirs"] == "pushed"
    assert said["read=theirs"] == "['loss=1']"
    assert "INVALID_ARGUMENT" in said["push=both"]
    assert "team-a, team-b" in said["push=both"]
    assert "NOT_FOUND" in said["push=nobody"]
    assert said["delete=theirs"] == "deleted"
    assert machine(server, python, "read=team-b/theirs") == {"read=team-b/theirs": "[]"}


def test_a_trial_is_marked_as_stopped_early(server: ServerProcess, python: Path) -> None:
    server.call("POST", f"{KATIB}/team-a/trials", trial("stopped"))
    assert pod(server, python, "team-a", "stop=stopped") == {"stop=stopped": "stopped"}
    found = server.call("GET", f"{KATIB}/team-a/trials/stopped")["status"]["conditions"]
    assert [(each["type"], each["reason"]) for each in found] == [("EarlyStopped", "TrialEarlyStopped")]


def trial(name: str) -> dict[str, Any]:
    run = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {"spec": {"containers": []}}}}
    return {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Trial",
        "metadata": {"name": name},
        "spec": {
            "objective": {"type": "minimize", "objectiveMetricName": "loss"},
            "parameterAssignments": [{"name": "lr", "value": "0.1"}],
            "runSpec": run,
            "primaryContainerName": "main",
            "successCondition": "x",
            "failureCondition": "x",
        },
    }


def port(server: ServerProcess) -> int:
    return int((server.home / "run" / "grpc-port").read_text())


def machine(server: ServerProcess, python: Path, *asked: str) -> dict[str, str]:
    """What each request of a program of the machine's came to."""
    ended = subprocess.run(
        [python, "-W", "ignore", JOURNEY, f"127.0.0.1:{port(server)}", *asked],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    return answers(ended.stdout)


_COUNT = iter(range(1000))


def pod(
    server: ServerProcess, python: Path, namespace: str, *asked: str, host: str = "katib-db-manager.kubeflow"
) -> dict[str, str]:
    """What each request of a pod of that namespace came to."""
    name = f"pod-{next(_COUNT)}"
    # A pod has a /tmp of its own, and where the client is installed may be below the machine's.
    volumes = {"client": python.parent.parent, "journey": JOURNEY.parent}
    container = {
        "name": "main",
        "image": "python:3.11",
        "command": ["/client/bin/python", "-W", "ignore", f"/journey/{JOURNEY.name}", f"{host}:6789", *asked],
        "volumeMounts": [{"name": each, "mountPath": f"/{each}"} for each in volumes],
    }
    spec = {
        "restartPolicy": "Never",
        "containers": [container],
        "volumes": [{"name": each, "hostPath": {"path": str(folder)}} for each, folder in volumes.items()],
    }
    path = f"/api/v1/namespaces/{namespace}/pods"
    server.call("POST", path, {"metadata": {"name": name}, "spec": spec})
    for _ in range(600):
        phase = server.call("GET", f"{path}/{name}")["status"].get("phase")
        if phase in ("Succeeded", "Failed"):
            return answers(server.text(f"{path}/{name}/log"))
        time.sleep(0.1)
    raise AssertionError(f"the pod did not end: {phase}")


def answers(text: str) -> dict[str, str]:
    found = dict(line.split(" -> ", 1) for line in text.splitlines() if " -> " in line)
    assert found, text
    return found
