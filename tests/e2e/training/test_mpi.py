"""MPIJobs with the MPI that they are for: Open MPI, MPICH and Intel MPI from PyPI, ranks in workers' pods."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from tests.e2e.training.mpi_jobs import end, submit

from sampan.testing.server import ServerProcess

pytestmark = pytest.mark.slow

PI = ["mpirun", "-n", "2", "/home/mpiuser/pi"]
# As upstream's example of Training Operator has it, whose options are those of Open MPI 4.
OLD_OPTIONS = (
    "-np 4 --allow-run-as-root -bind-to none -map-by slot "
    "-x LD_LIBRARY_PATH -x PATH -mca pml ob1 -mca btl ^openib"
)
# Data parallel: each rank has its share of the data, gradients are averaged. One process must come to the same.
TRAIN = """
import numpy as np
from mpi4py import MPI

world = MPI.COMM_WORLD
rng = np.random.default_rng(1)
x = rng.normal(size=(64, 8)); y = x @ rng.normal(size=8)
mine = slice(world.rank * 64 // world.size, (world.rank + 1) * 64 // world.size)

def losses(x, y, average):
    w = np.zeros(8)
    for _ in range(30):
        error = x @ w - y
        yield average(float(error @ error) / len(x))
        w = w - 0.1 * average(x.T @ error / len(x))

together = list(losses(x[mine], y[mine], lambda value: world.allreduce(value) / world.size))
alone = list(losses(x, y, lambda value: value))
assert np.allclose(together, alone), (together, alone)
print("rank", world.rank, "of", world.size, MPI.Get_processor_name(), "loss", round(together[-1], 6), flush=True)
"""
DIES = """
import os, sys, time
from mpi4py import MPI
if MPI.COMM_WORLD.rank == 1:
    time.sleep(1)
    os.kill(os.getpid(), 9)
time.sleep(600)
"""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("implementation", ["OpenMPI", "MPICH", "Intel"])
def test_the_example_of_mpi_operator(training_home: Path, implementation: str) -> None:
    with ServerProcess(training_home) as server:
        image = f"mpioperator/mpi-pi:{implementation.lower()}"
        submit(
            server,
            "v2beta1",
            image,
            PI,
            mpiImplementation=implementation,
            sshAuthMountPath="/home/mpiuser/.ssh",
        )
        ended, log = end(server, "v2beta1", seconds=500)
        assert ended == "Succeeded", log
        for rank in (0, 1):
            assert f"Rank {rank} on host pi-worker-{rank}" in log
        assert "pi is approximately 3.14" in log


@pytest.mark.timeout(600)
@pytest.mark.parametrize("version", ["v1", "v2beta1"])
def test_ranks_on_two_workers_train_as_one_process_would(training_home: Path, version: str) -> None:
    command = ["mpirun", *OLD_OPTIONS.split(), "python", "-c", TRAIN]
    with ServerProcess(training_home) as server:
        submit(server, version, "mpioperator/openmpi", command, slotsPerWorker=2)
        ended, log = end(server, version, seconds=500)
        assert ended == "Succeeded", log
        for rank in range(4):
            assert f"rank {rank} of 4 pi-worker-{rank // 2} loss" in log


@pytest.mark.timeout(600)
@pytest.mark.parametrize("implementation", ["OpenMPI", "MPICH"])
def test_a_launcher_that_is_a_worker_has_ranks_too(training_home: Path, implementation: str) -> None:
    script = (
        "from mpi4py import MPI; print(MPI.COMM_WORLD.allreduce(1), MPI.Get_processor_name(), flush=True)"
    )
    with ServerProcess(training_home) as server:
        submit(
            server,
            "v2beta1",
            f"mpioperator/{implementation.lower()}",
            ["mpirun", "-n", "3", "python", "-c", script],
            mpiImplementation=implementation,
            runLauncherAsWorker=True,
        )
        ended, log = end(server, "v2beta1", seconds=500)
        assert ended == "Succeeded", log
        for host in ("pi-launcher", "pi-worker-0", "pi-worker-1"):
            assert f"3 {host}" in log


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("version", "fields"), [("v1", {}), ("v2beta1", {"runPolicy": {"backoffLimit": 0}})])
def test_a_killed_rank_fails_the_job_and_leaves_nobody_behind(
    training_home: Path, version: str, fields: dict[str, object]
) -> None:
    mark = f"mark-of-{os.getpid()}-{version}"
    command = ["mpirun", "--allow-run-as-root", "-np", "2", "python", "-c", DIES, mark]
    with ServerProcess(training_home) as server:
        submit(server, version, "mpioperator/openmpi", command, **fields)
        ended, log = end(server, version, seconds=500)
        assert ended == "Failed", log
        until = time.monotonic() + 60
        while left := processes_with(mark):
            assert time.monotonic() < until, f"still there: {left}"
            time.sleep(0.2)


def processes_with(word: str) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
        except OSError:
            continue
        if word.encode() in words:
            found.append(entry.name)
    return found


@pytest.mark.timeout(900)
def test_a_train_job_of_mlx_runs_on_two_nodes(training_home: Path) -> None:
    script = (
        "import mlx.core as mx, socket; w = mx.distributed.init(strict=True, backend='mpi'); "
        "print(w.rank(), w.size(), mx.distributed.all_sum(mx.ones(1)).item(), socket.gethostname(), flush=True)"
    )
    path = "/apis/trainer.kubeflow.org/v1alpha1/namespaces/default/trainjobs"
    trainer = {"numNodes": 2, "command": ["mpirun", "python", "-c", script]}
    with ServerProcess(training_home) as server:
        server.call(
            "POST",
            path,
            {
                "apiVersion": "trainer.kubeflow.org/v1alpha1",
                "kind": "TrainJob",
                "metadata": {"name": "mlx"},
                "spec": {"runtimeRef": {"name": "mlx-distributed"}, "trainer": trainer},
            },
        )
        until = time.monotonic() + 800
        while not (conditions := server.call("GET", f"{path}/mlx").get("status", {}).get("conditions")):
            assert time.monotonic() < until, "the TrainJob does not end"
            time.sleep(0.2)
        assert conditions[0]["type"] == "Complete", conditions
        pods = server.call("GET", "/api/v1/namespaces/default/pods")["items"]
        (launcher,) = [each["metadata"]["name"] for each in pods if "launcher" in each["metadata"]["name"]]
        log = server.text(f"/api/v1/namespaces/default/pods/{launcher}/log?container=node")
        for host in ("mlx-launcher-0-0", "mlx-node-0-0"):
            assert any(f"2 2.0 {host}" in line for line in log.splitlines()), log
