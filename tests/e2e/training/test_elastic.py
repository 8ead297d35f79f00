"""Elastic PyTorch: torchrun forms its group anew when ranks and agents die and when workers come and go, a job goes on
from its last checkpoint, and ends with the weights of one that nobody disturbed.

Each rank sees the whole batch of a step, so that the weights do not depend on how many there are.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.training.chaos import Chaos, conditions

from sampan.testing.server import ServerProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

IMAGE = "pytorch/pytorch:2.9.1-cuda12.8-cudnn9-runtime"
PATH = "/apis/kubeflow.org/v1/namespaces/default/pytorchjobs"
STEPS = 2000
"""More than are made while the group changes, however slow the machine: then they are made without a pause."""
TRAIN = """
import json, os, signal, sys, time
import torch, torch.distributed as dist
folder, steps, pace = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
dist.init_process_group("gloo")
rank, path = dist.get_rank(), os.path.join(folder, "checkpoint.pt")
torch.manual_seed(7)
model = torch.nn.Linear(8, 1)
# Slow, towards what moves: the weights at the end tell of hundreds of steps, and of none left out or made twice.
optimizer = torch.optim.SGD(model.parameters(), lr=0.0002, momentum=0.9)
at = 0
if os.path.exists(path):
    found = torch.load(path)
    at = found["at"]
    model.load_state_dict(found["model"])
    optimizer.load_state_dict(found["optimizer"])
parallel = torch.nn.parallel.DistributedDataParallel(model)
while at < steps:
    chance = torch.Generator().manual_seed(at)
    x = torch.randn(16, 8, generator=chance)
    wanted = x.sum(dim=1, keepdim=True) + 1 + torch.randn(16, 1, generator=chance)
    loss = ((parallel(x) - wanted) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    at += 1
    if rank == 0:
        state = {"at": at, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
        torch.save(state, path + ".new")
        os.replace(path + ".new", path)
        with open(os.path.join(folder, "steps"), "a") as file:
            file.write(json.dumps([at, dist.get_world_size(), loss.item()]) + "\\n")
        print(f"step={at} loss={loss.item()} world={dist.get_world_size()}", flush=True)
    if not os.path.exists(os.path.join(folder, "hurry")):
        time.sleep(pace)
if rank == 0:
    weights = [value for each in model.parameters() for value in each.flatten().tolist()]
    with open(os.path.join(folder, "weights"), "w") as file:
        json.dump(weights, file)
dist.barrier()
"""


class Elastic:
    """One job of workers alone, in a folder of its own."""

    def __init__(self, server: ServerProcess, name: str, *, steps: int, pace: float) -> None:
        self.server, self.name, self.steps, self.pace = server, name, steps, pace
        self.chaos = Chaos(server)
        self.folder = self.chaos.folder / name
        self.folder.mkdir()
        (self.folder / "train.py").write_text(TRAIN)

    def submit(self, replicas: int, least: int, most: int, **more: Any) -> None:
        command = [
            "torchrun",
            str(self.folder / "train.py"),
            str(self.folder),
            str(self.steps),
            str(self.pace),
        ]
        container = {"name": "pytorch", "image": IMAGE, "command": command, **more.pop("container", {})}
        worker = {
            "replicas": replicas,
            "restartPolicy": "OnFailure",
            "template": {"spec": {"containers": [container], "terminationGracePeriodSeconds": 10, **more}},
        }
        policy = {
            "minReplicas": least,
            "maxReplicas": most,
            "maxRestarts": 100,
            "rdzvBackend": "c10d",
            "nProcPerNode": 1,
            # How long a group that could be larger waits for more.
            "rdzvConf": [{"key": "last_call_timeout", "value": "2"}],
        }
        spec = {"elasticPolicy": policy, "pytorchReplicaSpecs": {"Worker": worker}}
        body = {
            "apiVersion": "kubeflow.org/v1",
            "kind": "PyTorchJob",
            "metadata": {"name": self.name},
            "spec": spec,
        }
        self.server.call("POST", PATH, body)

    def scale(self, replicas: int) -> None:
        body = {
            "apiVersion": "autoscaling/v1",
            "kind": "Scale",
            "metadata": {"name": self.name, "namespace": "default"},
            "spec": {"replicas": replicas},
        }
        self.server.call("PUT", f"{PATH}/{self.name}/scale", body)

    def done(self) -> list[tuple[int, int]]:
        """Steps, and of how many ranks the group was."""
        with contextlib.suppress(FileNotFoundError):
            lines = (self.folder / "steps").read_text().splitlines()
            return [tuple(json.loads(line)[:2]) for line in lines]  # type: ignore[misc]
        return []

    def goes_on_with(self, world: int, seconds: float = 150.0) -> None:
        """Until a few more steps were made by so many."""
        before, deadline = len(self.done()), time.monotonic() + seconds
        while [size for _, size in self.done()[before:]].count(world) < 3:
            assert time.monotonic() < deadline, (world, self.done()[-5:], self.log())
            assert not (self.folder / "weights").exists(), f"over before there were {world}"
            time.sleep(0.1)

    def kill(self, worker: int, *, agent: bool) -> None:
        """Of a worker its agent (torchrun), or the rank below that."""
        pid = self.chaos.pids()[f"{self.name}-worker-{worker}"]
        if not agent:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            pid = int(children[-1])
        os.kill(pid, signal.SIGKILL)

    def weights(self, seconds: float = 200.0) -> list[float]:
        """In the end, which it is now to reach as soon as it can."""
        (self.folder / "hurry").touch()
        deadline = time.monotonic() + seconds
        while conditions(self.server.call("GET", f"{PATH}/{self.name}")).get("Succeeded") != "True":
            assert time.monotonic() < deadline, (self.done()[-5:], self.log())
            time.sleep(0.2)
        found: list[float] = json.loads((self.folder / "weights").read_text())
        return found

    def log(self) -> str:
        return self.server.text(f"/training/v1/namespaces/default/pytorchjobs/{self.name}/log?tail=40")


def test_the_group_shrinks_and_grows_and_the_weights_are_the_same(server: ServerProcess) -> None:
    alone = Elastic(server, "alone", steps=STEPS, pace=0.0)
    alone.submit(1, 1, 1)
    expected = alone.weights()
    job = Elastic(server, "elastic", steps=STEPS, pace=0.25)
    job.submit(2, 1, 3)
    job.goes_on_with(2)
    job.kill(1, agent=False)
    job.goes_on_with(2)
    job.kill(1, agent=True)
    job.goes_on_with(2)
    job.scale(3)
    job.goes_on_with(3)
    job.scale(1)
    job.goes_on_with(1)
    job.scale(2)
    job.goes_on_with(2)
    # With it goes the place where they meet.
    job.kill(0, agent=True)
    job.goes_on_with(2)
    assert job.weights() == pytest.approx(expected, rel=1e-4)
    steps = [at for at, _ in job.done()]
    assert set(steps) == set(range(1, STEPS + 1)), "a step was left out"


def test_a_job_that_is_preempted_saves_its_work_and_comes_back(server: ServerProcess) -> None:
    alone = Elastic(server, "alone", steps=200, pace=0.0)
    alone.submit(1, 1, 1)
    expected = alone.weights()
    node = server.call("GET", "/api/v1/nodes")["items"][0]
    cpus = node["status"]["allocatable"]["cpu"]
    millis = int(cpus[:-1]) if cpus.endswith("m") else int(cpus) * 1000
    half = {"resources": {"requests": {"cpu": f"{millis // 2}m"}}}
    for name, value in (("high", 1000), ("low", 1)):
        body = {"metadata": {"name": name}, "value": value}
        server.call("POST", "/apis/scheduling.k8s.io/v1/priorityclasses", body)
    job = Elastic(server, "low", steps=200, pace=0.25)
    job.submit(2, 2, 2, container=half, priorityClassName="low")
    job.goes_on_with(2)
    urgent = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "urgent"},
        "spec": {
            "restartPolicy": "Never",
            "priorityClassName": "high",
            "containers": [{"name": "main", "image": "busybox", "command": ["sleep", "3"], **half}],
        },
    }
    pods = "/api/v1/namespaces/default/pods"
    server.call("POST", pods, urgent)
    deadline = time.monotonic() + 60
    while server.call("GET", f"{pods}/urgent")["status"].get("phase") != "Succeeded":
        names = {each["metadata"]["name"] for each in server.call("GET", pods)["items"] if is_running(each)}
        assert time.monotonic() < deadline, names
        time.sleep(0.1)
    before = len(job.done())
    assert job.weights() == pytest.approx(expected, rel=1e-4)
    assert len(job.done()) > before
    # What was done before was not done again, but for the steps that no checkpoint had.
    assert [at for at, _ in job.done()].count(1) == 1


def is_running(pod: dict[str, Any]) -> bool:
    return bool(pod["status"].get("phase") == "Running")
