"""The server is killed around a write of a job's life, and the job ends as an undisturbed one: same conditions, same
pods, every rank once.

Which write is counted from the job's creation on; the last test takes every one.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.training.chaos import KINDS, TRAINER, conditions

from sampan.testing.server import HttpError, ServerProcess

pytestmark = pytest.mark.slow

CRASHING = Path(__file__).parents[1] / "crashing_server.py"
PODS, SERVICES = "/api/v1/namespaces/default/pods", "/api/v1/namespaces/default/services"
# Each rank notes that it ran. The worker fails at its first run.
_ROLE = """
echo {role} >> {folder}/ran; sleep 0.3
if [ {role} = worker ] && [ ! -e {folder}/failed ]; then : > {folder}/failed; exit 130; fi
echo done
"""


@dataclass(frozen=True)
class Outcome:
    """What must not differ."""

    conditions: list[str]
    """Those that are true. What a job was in between may have been seen by nobody."""
    statuses: Any
    pods: dict[str, str]
    services: list[str]
    ran: dict[str, int]


def pytorchjob(folder: Path) -> dict[str, Any]:
    """Cleans up what still runs; the worker is made anew once."""
    replicas = {}
    for role in ("Master", "Worker"):
        command = ["sh", "-c", _ROLE.format(role=role.lower(), folder=folder)]
        if role == "Master":
            command[2] += f"while [ $(grep -c worker {folder}/ran) -lt 2 ]; do sleep 0.1; done; sleep 0.8"
        container = {"name": "pytorch", "image": "busybox", "command": command}
        template = {"spec": {"containers": [container], "terminationGracePeriodSeconds": 1}}
        replicas[role] = {"replicas": 1, "restartPolicy": "ExitCode", "template": template}
    spec = {"runPolicy": {"cleanPodPolicy": "All"}, "pytorchReplicaSpecs": replicas}
    return {
        "apiVersion": "kubeflow.org/v1",
        "kind": "PyTorchJob",
        "metadata": {"name": "crash"},
        "spec": spec,
    }


def trainjob(folder: Path) -> dict[str, Any]:
    command = ["sh", "-c", f"echo node >> {folder}/ran; sleep 0.5; echo done"]
    trainer = {"image": "python:3.11", "numNodes": 2, "command": command}
    return {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainJob",
        "metadata": {"name": "crash"},
        "spec": {"runtimeRef": {"name": "torch-distributed"}, "trainer": trainer},
    }


MADE = {"PyTorchJob": (KINDS["PyTorchJob"].path, pytorchjob), "TrainJob": (f"{TRAINER}/trainjobs", trainjob)}


def is_over(server: ServerProcess, path: str) -> bool:
    return bool({"Succeeded", "Complete", "Failed"} & set(_true(server.call("GET", f"{path}/crash"))))


def _true(job: dict[str, Any]) -> list[str]:
    return sorted(each for each, status in conditions(job).items() if status == "True")


def outcome(
    server: ServerProcess, path: str, folder: Path, expected: Outcome | None = None, seconds: float = 90
) -> Outcome:
    """How the job ended. What its end takes away goes after it: `expected` is waited for."""
    deadline = time.monotonic() + seconds
    while not is_over(server, path):
        assert time.monotonic() < deadline, server.call("GET", f"{path}/crash").get("status")
        time.sleep(0.1)
    settled = 0
    while True:
        found = _look(server, path, folder)
        settled = 0 if "Running" in found.pods.values() else settled + 1
        if (settled >= 5 and expected in (None, found)) or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def _look(server: ServerProcess, path: str, folder: Path) -> Outcome:
    job = server.call("GET", f"{path}/crash")
    status = job["status"]
    # Pods of Indexed Jobs have names by chance: what stands before it is theirs.
    pods = {
        each["metadata"].get("generateName") or each["metadata"]["name"]: each["status"]["phase"]
        for each in server.call("GET", PODS)["items"]
    }
    services = sorted(each["metadata"]["name"] for each in server.call("GET", SERVICES)["items"])
    ran = dict(Counter((folder / "ran").read_text().split()))
    return Outcome(_true(job), status.get("replicaStatuses") or status.get("jobsStatus"), pods, services, ran)


def crashed(tmp_path: Path, expected: Outcome, kind: str, at: int, when: str) -> tuple[bool, Outcome]:
    """Runs until the crash, starts again undisturbed. False: the job had ended before write number `at`."""
    path, made = MADE[kind]
    folder = tmp_path / "home" / "work"
    folder.mkdir(parents=True)
    server = ServerProcess(
        tmp_path / "home", command=(sys.executable, str(CRASHING), str(at), when, "up")
    ).start()
    (server.home / "armed").touch()
    with contextlib.suppress(OSError, HttpError):
        server.call("POST", path, made(folder))
    hit, deadline = True, time.monotonic() + 60
    assert server.process is not None
    while server.process.poll() is None:
        try:
            if is_over(server, path):
                # The writes of the end count too.
                time.sleep(1.0)
                hit = server.process.poll() is not None
                break
        except (OSError, HttpError):
            continue
        assert time.monotonic() < deadline, "neither crashed nor ended"
        time.sleep(0.05)
    server.kill()
    (server.home / "armed").unlink()
    with ServerProcess(tmp_path / "home") as again:
        with contextlib.suppress(HttpError):
            # It may not have been stored; else this one is refused.
            again.call("POST", path, made(folder))
        return hit, outcome(again, path, folder, expected)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    found = {}
    for kind, (path, made) in MADE.items():
        folder = tmp_path_factory.mktemp("undisturbed") / "home" / "work"
        folder.mkdir(parents=True)
        with ServerProcess(folder.parent) as server:
            server.call("POST", path, made(folder))
            found[kind] = outcome(server, path, folder)
    return found


def test_the_undisturbed_jobs_are_what_the_others_are_compared_with(undisturbed: dict[str, Outcome]) -> None:
    torch, train = undisturbed["PyTorchJob"], undisturbed["TrainJob"]
    assert torch.conditions == ["Created", "Succeeded"]
    assert torch.ran == {"master": 1, "worker": 2}
    assert torch.pods == {}
    assert train.conditions == ["Complete"]
    assert train.ran == {"node": 2}


@pytest.mark.parametrize(
    ("kind", "at"),
    [
        *(("PyTorchJob", at) for at in (3, 12, 18, 25)),
        *(("TrainJob", at) for at in (2, 5, 9, 14)),
    ],
)
def test_a_crash_changes_nothing(tmp_path: Path, undisturbed: dict[str, Outcome], kind: str, at: int) -> None:
    hit, found = crashed(tmp_path, undisturbed[kind], kind, at, "after" if at % 2 else "before")
    assert hit, "the job has fewer writes than that: lower the number"
    assert found == undisturbed[kind]


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("kind", list(MADE))
def test_a_crash_at_every_write_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, undisturbed: dict[str, Outcome], kind: str
) -> None:
    at = 1
    while True:
        results = [
            crashed(tmp_path_factory.mktemp(f"{at}-{when}"), undisturbed[kind], kind, at, when)
            for when in ("before", "after")
        ]
        for hit, found in results:
            assert found == undisturbed[kind], f"differs when killed at write {at} (hit: {hit})"
        if not any(hit for hit, _ in results):
            break
        at += 1
    assert at > 10
