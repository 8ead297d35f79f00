"""Kubeflow's own clients of tuning, unmodified, with trials that really run. Each in an environment of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sampan.testing.clients import KATIBS_CLIENT_IMPORTS, interpreter_with
from sampan.testing.server import ServerProcess

HERE = Path(__file__).parent
KATIB = ("kubeflow-katib==0.19.0", "kubernetes==35.0.0")
OPTIMIZER = ("kubeflow==0.5.0",)
CLIENTS = {"katib_sdk.py": KATIB, "optimizer_sdk.py": OPTIMIZER}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path / "home") as server:
        yield server


def play(server: ServerProcess, folder: Path, script: str, *words: str) -> None:
    python = interpreter_with(*CLIENTS[script])
    ended = subprocess.run(
        [python, "-W", "ignore", HERE / script, server.home / "kubeconfig", *words],
        env={"HOME": str(folder), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=850,
    )
    failed = "\n".join(ended.stdout.partition("FAILED")[1:])
    assert ended.returncode == 0, f"{failed}\n{ended.stderr[-2000:]}"
    assert " is over: " in ended.stdout


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("script", CLIENTS)
def test_all_that_they_do(server: ServerProcess, tmp_path: Path, script: str) -> None:
    play(server, tmp_path, script)


@pytest.mark.skipif(not KATIBS_CLIENT_IMPORTS, reason="kubeflow-katib cannot be imported by this Python")
def test_an_experiment_of_katibs_models(server: ServerProcess, tmp_path: Path) -> None:
    """What most people do first."""
    play(server, tmp_path, "katib_sdk.py", "experiment of models")
