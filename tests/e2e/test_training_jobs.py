"""Training Operator's kinds with real processes: they find each other, are killed, and outlive the server."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sampan.testing.server import HttpError, ServerProcess

CORE = "/api/v1/namespaces/default"
JOBS = "/apis/kubeflow.org/v1/namespaces/default"

MEETING = """
import os, socket, time
rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
address = (os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
if rank == 0:
    server = socket.create_server(address)
    met = sorted(int(server.accept()[0].recv(9)) for _ in range(size - 1))
    print("met", met, flush=True)
    assert met == list(range(1, size))
else:
    for _ in range(900):
        try:
            with socket.create_connection(address) as connection:
                connection.sendall(str(rank).encode())
            break
        except ConnectionRefusedError:
            time.sleep(0.1)
    else:
        raise SystemExit(3)
"""
WAITING = "trap 'exit 0' TERM; echo pid $$$$; while :; do sleep 0.1; done"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path / "home")
    yield process.start()
    process.stop()


def until(look: Callable[[], Any], seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)
    return found


def replica(container: str, image: str, command: list[str], **fields: Any) -> dict[str, Any]:
    spec = {"containers": [{"name": container, "image": image, "command": command}]}
    return {"template": {"spec": spec}, **fields}


def submit(server: ServerProcess, kind: str, field: str, roles: dict[str, Any], **spec: Any) -> None:
    body = {"apiVersion": "kubeflow.org/v1", "kind": kind, "metadata": {"name": "train"}}
    # The kinds are served a moment after the server is ready.
    until(lambda: _is_served(server, kind))
    server.call("POST", f"{JOBS}/{kind.lower()}s", {**body, "spec": {field: roles, **spec}})


def _is_served(server: ServerProcess, kind: str) -> bool:
    try:
        return "items" in server.call("GET", f"{JOBS}/{kind.lower()}s")
    except HttpError:
        return False


def becomes(server: ServerProcess, kind: str, type_: str) -> dict[str, Any]:
    def look() -> Any:
        job = server.call("GET", f"{JOBS}/{kind.lower()}s/train")
        found = job.get("status", {}).get("conditions", ())
        held = [each["type"] for each in found if each["status"] == "True"]
        assert type_ == "Failed" or "Failed" not in held, job["status"]
        return job if type_ in held else None

    return until(look)


def pod(server: ServerProcess, name: str) -> dict[str, Any]:
    try:
        return server.call("GET", f"{CORE}/pods/{name}")
    except HttpError:
        return {}


def pid_of(server: ServerProcess, name: str) -> int:
    def look() -> int:
        try:
            words = server.text(f"{CORE}/pods/{name}/log").split()
        except HttpError:
            return 0
        return int(words[-1]) if words[:1] == ["pid"] else 0

    return until(look)


def test_ranks_find_the_master_by_its_name(server):
    command = ["python", "-c", MEETING]
    roles = {
        "Master": replica("pytorch", "python:3.11", command, replicas=1),
        "Worker": replica("pytorch", "python:3.11", command, replicas=2, restartPolicy="Never"),
    }
    submit(server, "PyTorchJob", "pytorchReplicaSpecs", roles)
    becomes(server, "PyTorchJob", "Succeeded")
    assert server.text(f"{CORE}/pods/train-master-0/log") == "met [1, 2]\n"


def test_a_killed_worker_is_back_with_its_index_and_the_job_outlives_the_server(server):
    worker = replica("tensorflow", "busybox", ["sh", "-c", WAITING], replicas=2, restartPolicy="ExitCode")
    policy = {"cleanPodPolicy": "Running"}
    submit(server, "TFJob", "tfReplicaSpecs", {"Worker": worker}, runPolicy=policy)
    becomes(server, "TFJob", "Running")
    first, old = pod(server, "train-worker-1"), pid_of(server, "train-worker-1")
    os.kill(old, signal.SIGKILL)
    until(
        lambda: (
            pod(server, "train-worker-1").get("metadata", {}).get("uid", first["metadata"]["uid"])
            != first["metadata"]["uid"]
        )
    )
    assert pid_of(server, "train-worker-1") != old
    second = pod(server, "train-worker-1")
    assert second["metadata"]["labels"] == first["metadata"]["labels"]
    assert second["spec"]["containers"][0]["env"] == first["spec"]["containers"][0]["env"]
    becomes(server, "TFJob", "Running")

    pids = [pid_of(server, f"train-worker-{index}") for index in range(2)]
    server.kill()
    os.kill(pids[0], signal.SIGTERM)  # it ends well while nobody looks
    server.start()
    becomes(server, "TFJob", "Succeeded")
    until(lambda: not pod(server, "train-worker-1"))
    assert pod(server, "train-worker-0")["status"]["phase"] == "Succeeded"
    until(lambda: not _is_alive(pids[1]))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
