"""What the chaos tests share: jobs of every kind whose ranks checkpoint, ways to kill their parts, and what must be
true in the end.

A rank goes through its steps, each a function of the one before, and writes each down before the next. So the last
checkpoint tells whether a step was lost or done by two at once. Each rank has a child in a session of its own, and
listens on its job's port: what is left of an earlier run is found at once.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sampan.testing.server import HttpError, ServerProcess

IMAGE = "python:3.11"
RANKS = """
import fcntl, hashlib, json, os, signal, socket, subprocess, sys, time
folder, steps, pace, ranks = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
me = os.environ["HOSTNAME"].partition(".")[0]
path, asked = os.path.join(folder, me), []
signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
def wrong(what):
    with open(os.path.join(folder, "wrong"), "a") as file:
        file.write(f"{me}: {what}\\n")
    sys.exit(9)
lock = open(path + ".lock", "w")
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    door = socket.socket()
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    door.bind(("0.0.0.0", 23456))
    door.listen()
except OSError as error:
    wrong(error)
subprocess.Popen(["sleep", "1000"], start_new_session=True, env={})
try:
    with open(path) as file:
        at, value = json.load(file)
except FileNotFoundError:
    at, value = 0, me
while at < steps:
    at += 1
    value = hashlib.sha256(f"{value} {at}".encode()).hexdigest()
    print(f"step={at} value={value}", flush=True)
    with open(path + ".new", "w") as file:
        json.dump([at, value], file)
    os.replace(path + ".new", path)
    if asked:
        sys.exit(143)
    while at == steps // 2 and os.path.exists(os.path.join(folder, "held")) and not asked:
        time.sleep(0.05)
    time.sleep(pace)
# With the master the job is over: it is the last to end.
job, _, role = me.rpartition("-")[0].rpartition("-")
def done(name):
    with open(os.path.join(folder, name)) as file:
        return json.load(file)[0] >= steps
while role in ("master", "chief"):
    if sum(map(done, (n for n in os.listdir(folder) if n.startswith(job + "-") and "." not in n))) == ranks:
        break
    if asked:
        sys.exit(143)
    time.sleep(0.1)
"""


@dataclass(frozen=True)
class Kind:
    """How a job of a kind is made: its path, the field of its replicas, and its roles with who restarts them."""

    path: str
    replicas: str
    container: str
    roles: dict[str, str]


GROUP = "/apis/kubeflow.org/v1/namespaces/default"
KINDS = {
    "PyTorchJob": Kind(
        f"{GROUP}/pytorchjobs",
        "pytorchReplicaSpecs",
        "pytorch",
        {"Master": "OnFailure", "Worker": "ExitCode"},
    ),
    "TFJob": Kind(
        f"{GROUP}/tfjobs", "tfReplicaSpecs", "tensorflow", {"Chief": "ExitCode", "Worker": "OnFailure"}
    ),
    "XGBoostJob": Kind(
        f"{GROUP}/xgboostjobs", "xgbReplicaSpecs", "xgboost", {"Master": "ExitCode", "Worker": "ExitCode"}
    ),
    "JAXJob": Kind(f"{GROUP}/jaxjobs", "jaxReplicaSpecs", "jax", {"Worker": "ExitCode"}),
    "PaddleJob": Kind(
        f"{GROUP}/paddlejobs", "paddleReplicaSpecs", "paddle", {"Master": "OnFailure", "Worker": "OnFailure"}
    ),
}
MPI = f"{GROUP}/mpijobs"
TRAINER = "/apis/trainer.kubeflow.org/v1alpha1/namespaces/default"


@dataclass
class Chaos:
    """A server, the jobs on it, and the ways to kill."""

    server: ServerProcess
    steps: int = 40
    pace: float = 0.05
    jobs: dict[str, str] = field(default_factory=dict)
    """Name to path."""
    ranks: dict[str, list[str]] = field(default_factory=dict)
    """Of each job the names of its ranks."""

    @property
    def folder(self) -> Path:
        folder = self.server.home / "work"
        folder.mkdir(exist_ok=True)
        return folder

    # Jobs

    def command(self, ranks: int) -> list[str]:
        script = self.folder / "ranks.py"
        if not script.exists():
            script.write_text(RANKS)
        return ["python", str(script), str(self.folder), str(self.steps), str(self.pace), str(ranks)]

    def submit(self, kind: str, name: str, workers: int = 1) -> None:
        made = KINDS[kind]
        command = self.command(sum(workers if role == "Worker" else 1 for role in made.roles))
        replicas, ranks = {}, []
        for role, restarts in made.roles.items():
            container = {"name": made.container, "image": IMAGE, "command": command}
            count = workers if role == "Worker" else 1
            replicas[role] = {
                "replicas": count,
                "restartPolicy": restarts,
                "template": {"spec": {"containers": [container], "terminationGracePeriodSeconds": 5}},
            }
            ranks += [f"{name}-{role.lower()}-{n}" for n in range(count)]
        body = {
            "apiVersion": "kubeflow.org/v1",
            "kind": kind,
            "metadata": {"name": name},
            "spec": {"runPolicy": {"cleanPodPolicy": "None"}, made.replicas: replicas},
        }
        self._post(made.path, body)
        self.jobs[name], self.ranks[name] = made.path, ranks

    def submit_trainjob(self, name: str, nodes: int = 2) -> None:
        self._post(f"{TRAINER}/trainingruntimes", _runtime())
        trainer = {"numNodes": nodes, "command": self.command(nodes), "image": IMAGE}
        spec = {"runtimeRef": {"name": "patient", "kind": "TrainingRuntime"}, "trainer": trainer}
        body = {
            "apiVersion": "trainer.kubeflow.org/v1alpha1",
            "kind": "TrainJob",
            "metadata": {"name": name},
            "spec": spec,
        }
        self._post(f"{TRAINER}/trainjobs", body)
        self.jobs[name] = f"{TRAINER}/trainjobs"
        self.ranks[name] = [f"{name}-node-0-{n}" for n in range(nodes)]

    def submit_mpijob(self, name: str) -> None:
        """A launcher that does the work itself: how ranks start is a matter of MPI's own tests."""
        container = {"name": "mpi", "image": IMAGE, "command": self.command(1)}
        launcher = {
            "replicas": 1,
            "restartPolicy": "OnFailure",
            "template": {"spec": {"containers": [container], "terminationGracePeriodSeconds": 5}},
        }
        worker = {"containers": [{"name": "mpi", "image": IMAGE, "command": ["sleep", "1000"]}]}
        replicas = {
            "Launcher": launcher,
            "Worker": {"replicas": 1, "restartPolicy": "OnFailure", "template": {"spec": worker}},
        }
        spec = {"runPolicy": {"cleanPodPolicy": "Running"}, "mpiReplicaSpecs": replicas}
        body = {"apiVersion": "kubeflow.org/v1", "kind": "MPIJob", "metadata": {"name": name}, "spec": spec}
        self._post(MPI, body)
        self.jobs[name], self.ranks[name] = MPI, [f"{name}-launcher"]

    def _post(self, path: str, body: dict[str, Any]) -> None:
        try:
            self.server.call("POST", path, body)
        except HttpError as error:
            if error.code != 409:
                raise

    def hold(self) -> None:
        """From now on ranks go no further than half of their steps: none is over before it is killed."""
        (self.folder / "held").touch()

    def release(self) -> None:
        (self.folder / "held").unlink()

    # What is so

    def job(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.server.call("GET", f"{self.jobs[name]}/{name}")
        return found

    def end(self, name: str) -> str:
        """`Succeeded`, `Complete` or `Failed`; empty while the job goes on."""
        true = {each for each, status in conditions(self.job(name)).items() if status == "True"}
        return next(iter(true & {"Succeeded", "Complete", "Failed"}), "")

    def step(self, rank: str) -> int:
        try:
            return int(json.loads((self.folder / rank).read_text())[0])
        except FileNotFoundError:
            return 0

    def reaches(self, rank: str, step: int, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while self.step(rank) < step:
            assert time.monotonic() < deadline, f"{rank} does not get beyond step {self.step(rank)}"
            time.sleep(0.02)

    def wait(self, seconds: float) -> dict[str, str]:
        """How each job has ended."""
        deadline = time.monotonic() + seconds
        while True:
            ends = {name: self.end(name) for name in self.jobs}
            if all(ends.values()):
                return ends
            assert time.monotonic() < deadline, f"have not ended: {ends}"
            time.sleep(0.1)

    # Killing

    def pids(self) -> dict[str, int]:
        """The first process of every container that runs, by the name of its rank, as the disk has it."""
        found = {}
        for started in (self.server.home / "pods").glob("*/*/started.json"):
            if (started.parent / "exit.json").exists():
                continue
            pid = int(json.loads(started.read_text())["pid"])
            with contextlib.suppress(OSError):
                variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
                names = [each[9:] for each in variables if each.startswith(b"HOSTNAME=")]
                if names and str(self.server.home).encode() in b"\0".join(variables):
                    found[names[0].decode().partition(".")[0]] = pid
        return found

    def kill_rank(self, rank: str) -> bool:
        """With SIGKILL, so that it writes nothing more. Whether it ran."""
        pid = self.pids().get(rank)
        return pid is not None and _kill(pid)

    def launchers(self) -> list[int]:
        return [
            pid
            for pid, line in commands().items()
            if f"{self.server.home}/run/" in line and "launcher" in line
        ]

    def kill_launchers(self) -> None:
        for pid in self.launchers():
            _kill(pid)

    def restart(self, *, with_launchers: bool = False) -> None:
        """As after a crash, or after the machine was switched off and on."""
        self.server.kill()
        if with_launchers:
            self.kill_launchers()
        self.server.start()

    # In the end

    def check(self) -> None:
        """All that must be as if nothing had happened. Stops the server."""
        wrong = self.folder / "wrong"
        assert not wrong.exists(), wrong.read_text()
        for name, ranks in self.ranks.items():
            for rank in ranks:
                assert json.loads((self.folder / rank).read_text()) == undisturbed(rank, self.steps), rank
            check_conditions(self.job(name))
        deadline = time.monotonic() + 60
        while "Running" in (phases := self.phases()).values() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert set(phases.values()) <= {"Succeeded", "Failed"}, phases
        assert len([each for each in phases.values() if each == "Succeeded"]) == sum(
            map(len, self.ranks.values())
        )
        deadline = time.monotonic() + 60
        while left := set(self.processes()) - set(self.launchers()):
            assert time.monotonic() < deadline, f"no pod has them any more: {_told(left)}"
            time.sleep(0.1)
        self.server.stop()
        deadline = time.monotonic() + 60
        while left := set(self.processes()):
            assert time.monotonic() < deadline, f"left behind: {_told(left)}"
            time.sleep(0.1)
        assert str(self.server.home) not in Path("/proc/self/mountinfo").read_text()

    def phases(self) -> dict[str, str]:
        """Of all pods."""
        pods = self.server.call("GET", "/api/v1/namespaces/default/pods")["items"]
        return {pod["metadata"]["name"]: str(pod["status"].get("phase")) for pod in pods}

    def processes(self) -> list[int]:
        """All that see the home's pods or are told of the home, but this one and the server."""
        found = []
        own = {os.getpid(), self.server.process.pid if self.server.process else 0}
        home = str(self.server.home).encode()
        view = os.stat("/proc/self/ns/mnt").st_ino
        for pid, line in commands().items():
            if pid in own:
                continue
            with contextlib.suppress(OSError):
                proc = Path(f"/proc/{pid}")
                sees = (
                    os.stat(proc / "ns/mnt").st_ino != view
                    and home + b"/pods/" in (proc / "mountinfo").read_bytes()
                )
                if sees or home in (proc / "environ").read_bytes() or f"{home.decode()}/run/" in line:
                    found.append(pid)
        return found


def undisturbed(rank: str, steps: int) -> list[Any]:
    """The checkpoint after all steps."""
    value = rank
    for at in range(1, steps + 1):
        value = hashlib.sha256(f"{value} {at}".encode()).hexdigest()
    return [steps, value]


def conditions(job: dict[str, Any]) -> dict[str, str]:
    return {each["type"]: each["status"] for each in job.get("status", {}).get("conditions") or ()}


def check_conditions(job: dict[str, Any]) -> None:
    """As those of a job that nobody disturbed, apart from having restarted; their times never go back."""
    found = conditions(job)
    if job["kind"] == "TrainJob":
        assert found == {"Complete": "True"}, found
        return
    restarted = found.pop("Restarting", "False")
    assert restarted == "False"
    assert found == {"Created": "True", "Running": "False", "Succeeded": "True"}, found
    status = job["status"]
    times = {each["type"]: each["lastTransitionTime"] for each in status["conditions"]}
    assert times["Created"] <= times["Running"] <= times["Succeeded"]
    assert status["startTime"] <= status["completionTime"]
    assert not any(each.get("active") for each in status["replicaStatuses"].values())


def commands() -> dict[int, str]:
    """The command lines of all processes that live."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if line:
                    found[int(entry.name)] = line
    return found


def _told(pids: set[int]) -> dict[int, str | None]:
    now = commands()
    return {pid: now.get(pid) for pid in pids}


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def _runtime() -> dict[str, Any]:
    """As torch-distributed, with more patience for pods that are killed."""
    pod = {"restartPolicy": "OnFailure", "containers": [{"name": "node", "image": IMAGE}]}
    job = {"backoffLimit": 1000, "template": {"spec": pod}}
    labels = {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}
    replicated = {"name": "node", "template": {"metadata": {"labels": labels}, "spec": job}}
    return {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainingRuntime",
        "metadata": {"name": "patient", "labels": {"trainer.kubeflow.org/framework": "torch"}},
        "spec": {
            "mlPolicy": {"numNodes": 1, "torch": {"numProcPerNode": 1}},
            "template": {"spec": {"replicatedJobs": [replicated]}},
        },
    }
