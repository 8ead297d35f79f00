"""What training costs beside its floor, in one run: `training.py [NAME…]`. benchmarks/README.md lists them."""

from __future__ import annotations

import argparse
import itertools
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from harness import memory_mib, table

from sampan.testing.homes import home_with_frameworks
from sampan.testing.server import ServerProcess

TORCH = "pytorch/pytorch:2.13.0-cuda13.0-cudnn9-runtime"
PLAIN = "python:3.11"
TRAINER = "/apis/trainer.kubeflow.org/v1alpha1/namespaces/default/trainjobs"
PYTORCH = "/apis/kubeflow.org/v1/namespaces/default/pytorchjobs"
PODS = "/api/v1/namespaces/default/pods"

# Says when its first line ran, nothing else: what comes before it is the launch.
FIRST = """
import os, sys, time
now = time.time()
open(os.path.join(sys.argv[1], os.environ["RANK"]), "w").write(repr(now))
"""
# A training that computes and now and then prints, as a training does.
WORK = """
import hashlib, os, sys, time
folder, steps, lines = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
began, spent, data = time.perf_counter(), time.process_time(), b"x" * 200_000
for step in range(steps):
    hashlib.sha256(data).digest()
    if lines and step % (steps // lines) == 0:
        print(f"step={step} loss={1 / (step + 1)}", flush=True)
open(os.path.join(folder, os.environ.get("RANK", "0")), "w").write(
    f"{time.perf_counter() - began} {time.process_time() - spent}"
)
"""
# A hundred lines a second and nothing else.
TALK = """
import sys, time
until, n = time.monotonic() + float(sys.argv[1]), 0
while time.monotonic() < until:
    print(f"step={n} loss={1 / (n + 1)} accuracy=0.9", flush=True)
    n += 1
    time.sleep(0.01)
"""


@contextmanager
def server() -> Iterator[ServerProcess]:
    with tempfile.TemporaryDirectory(prefix="sampan-bench-", ignore_cleanup_errors=True) as folder:
        home = home_with_frameworks(Path(folder) / "home")
        with ServerProcess(home) as it:
            (home / "work").mkdir()
            yield it


def trainjob(name: str, command: list[str], *, image: str = "", nodes: int = 2) -> dict[str, Any]:
    trainer = {"numNodes": nodes, "command": command, **({"image": image} if image else {})}
    spec = {"runtimeRef": {"name": "torch-distributed"}, "trainer": trainer}
    return {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainJob",
        "metadata": {"name": name},
        "spec": spec,
    }


def pytorchjob(
    name: str, command: list[str], *, image: str = TORCH, workers: int = 1, cpu: str = ""
) -> dict[str, Any]:
    container: dict[str, Any] = {"name": "pytorch", "image": image, "command": command}
    if cpu:
        container["resources"] = {"requests": {"cpu": cpu}}
    template = {"spec": {"containers": [container]}}
    replicas = {"Master": {"replicas": 1, "restartPolicy": "Never", "template": template}}
    if workers:
        replicas["Worker"] = {"replicas": workers, "restartPolicy": "Never", "template": template}
    return {
        "apiVersion": "kubeflow.org/v1",
        "kind": "PyTorchJob",
        "metadata": {"name": name},
        "spec": {"pytorchReplicaSpecs": replicas},
    }


def run(it: ServerProcess, path: str, job: dict[str, Any], *, poll_seconds: float = 0.1) -> float:
    """Seconds from the request to the seen end; raises if it does not succeed."""
    started = time.time()
    it.call("POST", path, job)
    while True:
        time.sleep(poll_seconds)
        status = it.call("GET", f"{path}/{job['metadata']['name']}").get("status", {})
        true = {each["type"] for each in status.get("conditions", ()) if each["status"] == "True"}
        if true & {"Succeeded", "Complete"}:
            return time.time() - started
        if "Failed" in true:
            raise RuntimeError(f"{job['metadata']['name']} failed: {status['conditions']}")


def first_line() -> None:
    """From submit to the first line of user code, two ranks under torchrun, beside torchrun alone."""
    with server() as it:
        script = it.home / "work" / "first.py"
        script.write_text(FIRST)
        ranks = it.home / "work" / "ranks"
        ranks.mkdir()
        command = ["torchrun", str(script), str(ranks)]
        # Makes the one environment of all three, and reads it from the disk: cold, PyTorch takes ten seconds or more.
        run(it, TRAINER, trainjob("warm-up", command, image=TORCH))
        bin_folder = _environment(it)
        bare: list[float] = []
        ours: dict[str, list[float]] = {"TrainJob": [], "PyTorchJob": []}
        for n in range(10):
            bare.append(_last_first(ranks, lambda: _torchruns(bin_folder, script, ranks)))
            job = trainjob(f"t{n}", command, image=TORCH)
            ours["TrainJob"].append(_last_first(ranks, lambda job=job: run(it, TRAINER, job)))
            other = pytorchjob(f"p{n}", command)
            ours["PyTorchJob"].append(_last_first(ranks, lambda job=other: run(it, PYTORCH, job)))
    floor = statistics.median(bare)
    rows = [("bare torchrun, two of them", f"{floor:.2f} s", _spread(bare))]
    for kind, seconds in ours.items():
        over = statistics.median(seconds) - floor
        rows.append(
            (kind, f"{statistics.median(seconds):.2f} s", f"{over:+.2f} s; goal +1 s; {_spread(seconds)}")
        )
    table("from submit to the first line of user code on both ranks, warm", rows)


def overhead() -> None:
    """The same computation bare and in a job; what the server takes while a job prints 100 lines a second."""
    steps = 12000
    with server() as it:
        script, folder = it.home / "work" / "work.py", it.home / "work"
        script.write_text(WORK)
        talk = it.home / "work" / "talk.py"
        talk.write_text(TALK)
        command = ["python", str(script), str(folder), str(steps), "200"]
        run(it, PYTORCH, pytorchjob("warm-up", command, image=PLAIN, workers=0))
        python = it.home / "envs"
        bare, ours = [], []
        for n in range(5):
            bare.append(_work([sys.executable, *command[1:]], folder))
            run(it, PYTORCH, pytorchjob(f"w{n}", command, image=PLAIN, workers=0), poll_seconds=1.0)
            ours.append(_figures(folder))
        assert python.exists()
        server_process = _process(it)
        seconds = 20.0
        job = pytorchjob("talk", ["python", str(talk), str(seconds)], image=PLAIN, workers=0)
        it.call("POST", PYTORCH, job)
        time.sleep(3)
        before, at = _cpu(server_process), time.monotonic()
        time.sleep(seconds - 6)
        share = (_cpu(server_process) - before) / (time.monotonic() - at)
        time.sleep(5)
        before, at = _cpu(server_process), time.monotonic()
        time.sleep(10)
        idle = (_cpu(server_process) - before) / (time.monotonic() - at)
    table(
        "during training",
        [
            *(
                row
                for at, what in ((0, "by the clock"), (1, "of the processor"))
                for row in _beside([each[at] for each in bare], [each[at] for each in ours], what)
            ),
            (
                "server and launcher, 100 lines a second",
                f"{share * 100:.1f} %",
                f"of one CPU; idle {idle * 100:.1f} %",
            ),
        ],
    )


def queue() -> None:
    """Two hundred jobs, of which two run at a time: their order, and what one costs."""
    count = 200
    with server() as it:
        cpus = int(it.call("GET", "/api/v1/nodes")["items"][0]["status"]["allocatable"]["cpu"].rstrip("m"))
        cpus = cpus // 1000 if cpus > 1000 else cpus
        began = time.time()
        for n in range(count):
            command = ["sh", "-c", "exit 0"]
            it.call("POST", PYTORCH, pytorchjob(f"q{n:03}", command, image=PLAIN, workers=0, cpu="1"))
        submitted = time.time() - began
        while True:
            time.sleep(1.0)
            jobs = it.call("GET", PYTORCH)["items"]
            ended = [job for job in jobs if _true(job, "Succeeded")]
            if len(ended) == count:
                break
        seconds = time.time() - began
        pods = it.call("GET", PODS)["items"]
        starts = {
            pod["metadata"]["labels"]["training.kubeflow.org/job-name"]: _placed_at(pod) for pod in pods
        }
        order = [starts[name] for name in sorted(starts)]
        late = sum(1 for a, b in itertools.pairwise(order) if b < a)
        memory = memory_mib(it)
    table(
        f"{count} jobs queued, {cpus} at a time",
        [
            ("all submitted", f"{submitted:.1f} s", ""),
            ("all ended", f"{seconds:.1f} s", f"{seconds / count * 1000:.0f} ms a job"),
            ("got a place before an older one", f"{late}", "by the second of their PodScheduled"),
            ("memory, process tree", f"{memory:.0f} MiB", ""),
        ],
    )


def listing() -> None:
    """A thousand finished jobs: the list, a page, as a table, and memory."""
    count = 1000
    with server() as it:
        idle = memory_mib(it)
        for n in range(count):
            it.call("POST", PYTORCH, pytorchjob(f"l{n:04}", ["true"], image=PLAIN, workers=0))
        deadline = time.time() + 900
        while time.time() < deadline:
            time.sleep(3.0)
            if all(_true(job, "Succeeded") for job in it.call("GET", PYTORCH)["items"]):
                break
        time.sleep(5)
        rows = []
        for what, path in (("all", PYTORCH), ("a page of 50", f"{PYTORCH}?limit=50")):
            seconds = [_timed(lambda path=path: it.call("GET", path)) for _ in range(5)]
            rows.append((what, f"{min(seconds) * 1000:.0f} ms", ""))
        rows.append(("memory, process tree", f"{memory_mib(it):.0f} MiB", f"idle before {idle:.0f} MiB"))
    table(f"{count} finished jobs listed", rows)


def _beside(bare: list[float], ours: list[float], what: str) -> list[tuple[str, str, str]]:
    more = (min(ours) / min(bare) - 1) * 100
    return [
        (f"the same script bare, {what}", f"{min(bare):.3f} s", f"best of 5; {_spread(bare)}"),
        (f"in a PyTorchJob, {what}", f"{min(ours):.3f} s", f"{more:+.1f} %; goal below 1 %; {_spread(ours)}"),
    ]


def _environment(it: ServerProcess) -> Path:
    """The `bin` of the environment that has torchrun and was used last."""
    found = [path.parent for path in (it.home / "envs").glob("*/bin/torchrun")]
    return max(found, key=lambda path: (path.parent / "sampan.json").stat().st_mtime)


def _torchruns(bin_folder: Path, script: Path, ranks: Path) -> float:
    """Two nodes of one process each, as a user would start them by hand."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = time.time()
    # Its own name need not be known to any DNS: that would take seconds.
    options = [
        "--local-addr=127.0.0.1",
        "--nnodes=2",
        "--nproc-per-node=1",
        "--master-addr=127.0.0.1",
        f"--master-port={port}",
    ]
    env = {**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}"}
    running = [
        subprocess.Popen(
            [str(bin_folder / "torchrun"), *options, f"--node-rank={rank}", str(script), str(ranks)],
            env=env,
            stderr=subprocess.DEVNULL,
        )
        for rank in range(2)
    ]
    for process in running:
        if process.wait():
            raise RuntimeError("torchrun failed")
    return time.time() - started


def _last_first(ranks: Path, do: Callable[[], float]) -> float:
    """Seconds from now until the first line of the last rank."""
    for file in ranks.iterdir():
        file.unlink()
    started = time.time()
    do()
    return max(float(file.read_text()) for file in ranks.iterdir()) - started


def _work(command: list[str], folder: Path) -> tuple[float, float]:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "RANK": "0"})
    return _figures(folder)


def _figures(folder: Path) -> tuple[float, float]:
    """What the script says of itself: seconds by the clock, and of the processor."""
    wall, spent = map(float, (folder / "0").read_text().split())
    return wall, spent


def _process(it: ServerProcess) -> list[psutil.Process]:
    """The server and its launchers, without what runs in pods."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        line = " ".join(process.info["cmdline"] or ())
        if (it.process is not None and process.pid == it.process.pid) or (
            str(it.home / "run") in line and "launcher" in line
        ):
            found.append(process)
    return found


def _cpu(processes: list[psutil.Process]) -> float:
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def _true(job: dict[str, Any], condition: str) -> bool:
    return any(
        each["type"] == condition and each["status"] == "True"
        for each in job.get("status", {}).get("conditions", ())
    )


def _placed_at(pod: dict[str, Any]) -> str:
    found = (each for each in pod["status"]["conditions"] if each["type"] == "PodScheduled")
    at: str = next(found)["lastTransitionTime"]
    return at


def _timed(do: Callable[[], object]) -> float:
    started = time.perf_counter()
    do()
    return time.perf_counter() - started


def _spread(seconds: list[float]) -> str:
    return f"{min(seconds):.2f} to {max(seconds):.2f} s"


BENCHMARKS = {"first_line": first_line, "overhead": overhead, "queue": queue, "listing": listing}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    for name in parser.parse_args().names or BENCHMARKS:
        BENCHMARKS[name]()
