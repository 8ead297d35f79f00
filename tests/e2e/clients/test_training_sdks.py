"""Kubeflow's own clients of training, unmodified, with jobs that really run. Each in an environment of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sampan.testing.clients import interpreter_with
from sampan.testing.homes import home_with_frameworks
from sampan.testing.server import ServerProcess

HERE = Path(__file__).parent
TRAINER, TRAINING = "kubeflow==0.5.0", "kubeflow-training==1.9.4"
CLIENTS = {"trainer_sdk.py": TRAINER, "training_sdk.py": TRAINING}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path / "home") as server:
        yield server


def play(server: ServerProcess, folder: Path, client: str, script: str, *words: str) -> None:
    python = interpreter_with(client)
    ended = subprocess.run(
        [python, "-W", "ignore", HERE / script, server.home / "kubeconfig", *words],
        env={"HOME": str(folder), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=500,
    )
    failed = "\n".join(line for line in ended.stdout.splitlines() if not line.startswith("ok "))
    assert ended.returncode == 0, f"{failed}\n{ended.stderr[-2000:]}"
    assert " is over: " in ended.stdout


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("script", CLIENTS)
def test_all_that_they_do(server: ServerProcess, tmp_path: Path, script: str) -> None:
    play(server, tmp_path, CLIENTS[script], script)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_with_pytorch_itself(tmp_path: Path) -> None:
    with ServerProcess(home_with_frameworks(tmp_path / "home")) as server:
        for client in (TRAINER, TRAINING):
            play(server, tmp_path, client, "torch_sdks.py")


def test_a_function_becomes_a_job_on_two_nodes(server: ServerProcess, tmp_path: Path) -> None:
    """What most people do first."""
    play(server, tmp_path, TRAINER, "trainer_sdk.py", "runtimes", "two nodes")
