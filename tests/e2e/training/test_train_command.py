"""`sampan train` chooses the job by what a script imports, and the real frameworks run in it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from sampan.testing.server import ServerProcess

EXAMPLE = Path(__file__).parents[3] / "examples" / "02-distributed-training"
MPI = """
from mpi4py import MPI
world = MPI.COMM_WORLD
print("rank", world.rank, "of", world.size, "sum", world.allreduce(world.rank))
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def train(server: ServerProcess, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "sampan", "train", "--home", str(server.home), *arguments],
        capture_output=True,
        text=True,
        timeout=800,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_pytorch_has_the_same_losses_on_one_node_and_on_two(server: ServerProcess, tmp_path: Path) -> None:
    script = str(EXAMPLE / "train_torch.py")
    found = []
    for nodes in ("1", "2"):
        said = train(server, "-n", nodes, "--output", str(tmp_path / nodes), script, "--steps", "6")
        assert "torch-distributed: the script imports PyTorch" in said
        found.append(re.findall(r"step=\d loss=(\S+)", said))
        assert (tmp_path / nodes / "model.pt").exists()
    assert len(found[0]) == 6
    assert found[0] == found[1]


def test_mpi_ranks_find_each_other(server: ServerProcess, tmp_path: Path) -> None:
    (tmp_path / "sums.py").write_text(MPI)
    said = train(server, "-n", "2", str(tmp_path / "sums.py"))
    assert "MPIJob, 2 nodes, the script imports MPI" in said
    assert sorted(re.findall(r"rank (\d) of 2 sum 1", said)) == ["0", "1"]
