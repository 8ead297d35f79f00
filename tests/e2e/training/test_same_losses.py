"""A job of one, two and four nodes with the same seed and global batch has the same losses, in every framework.

As a job of the Training Operator, and as a TrainJob of a runtime that Trainer ships.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sampan.testing import training_jobs as jobs
from sampan.testing.server import ServerProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

PROGRAMS = Path(__file__).with_name("programs")
NODES = (1, 2, 4)
_LOSS = re.compile(r"^loss (\d+) (\S+) of (\d+)$", re.M)


def with_master(nodes: int) -> dict[str, int]:
    return {"Master": 1, "Worker": nodes - 1}


def workers(nodes: int) -> dict[str, int]:
    return {"Worker": nodes}


def with_servers(nodes: int) -> dict[str, int]:
    return {"Chief": 1, "PS": 1, "Worker": nodes}


OPERATOR = {
    "pytorch": ("PyTorchJob", jobs.TORCH, "torch_ddp", with_master),
    "mirrored": ("TFJob", jobs.TENSORFLOW, "tensorflow_mirrored", workers),
    "parameter-server": ("TFJob", jobs.TENSORFLOW, "tensorflow_parameter_server", with_servers),
    "jax": ("JAXJob", jobs.JAX, "jax_data_parallel", workers),
    "xgboost": ("XGBoostJob", jobs.XGBOOST, "xgboost_collective", with_master),
}
TRAINER = {
    "torch": ("torch-distributed", "torch_ddp", "torchrun"),
    "jax": ("jax-distributed", "jax_data_parallel", "python"),
    "xgboost": ("xgboost-distributed", "xgboost_collective", "python"),
}


@pytest.mark.parametrize("case", OPERATOR)
def test_losses_of_the_training_operators_jobs(server: ServerProcess, case: str) -> None:
    kind, image, program, replicas = OPERATOR[case]
    text = source(program)

    def made(nodes: int) -> dict[str, Any]:
        return jobs.job(kind, f"{case}-{nodes}", image, text, replicas(nodes))

    same_losses(server, made)


@pytest.mark.parametrize("case", TRAINER)
def test_losses_of_train_jobs(server: ServerProcess, case: str) -> None:
    runtime, program, start = TRAINER[case]
    text = source(program)

    def made(nodes: int) -> dict[str, Any]:
        return jobs.train_job(f"{case}-{nodes}", runtime, text, nodes, start)

    same_losses(server, made)


def same_losses(server: ServerProcess, made: Callable[[int], dict[str, Any]]) -> None:
    found = {nodes: losses(server, made(nodes), nodes) for nodes in NODES}
    alone = found[1]
    assert alone[-1] < 0.8 * alone[0], "it learnt nothing, so it shows nothing"
    for nodes in NODES[1:]:
        assert found[nodes] == pytest.approx(alone, rel=1e-4), f"{nodes} nodes"


def losses(server: ServerProcess, made: dict[str, Any], nodes: int) -> list[float]:
    name = made["metadata"]["name"]
    end = jobs.run(server, made)
    text = jobs.logs(server, name)
    assert end in ("Succeeded", "Complete"), text[-6000:]
    lines = [(int(step), float(loss)) for step, loss, of in _LOSS.findall(text) if int(of) == nodes]
    assert [step for step, _ in lines] == list(range(12)), text[-6000:]
    return [loss for _, loss in lines]


def source(program: str) -> str:
    return (PROGRAMS / f"{program}.py").read_text()
