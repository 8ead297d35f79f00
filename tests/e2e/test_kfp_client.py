"""The official SDK, unmodified, in an environment of its own, against a real server."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sampan.testing.clients import interpreter_with
from sampan.testing.server import ServerProcess

JOURNEY = Path(__file__).with_name("kfp_client_journey.py")
JOURNEY_OF_V1 = Path(__file__).with_name("kfp_v1_journey.py")
WORKFLOWS_OF_V1 = Path(__file__).with_name("kfp_v1_workflow_journey.py")
EVERY_METHOD = Path(__file__).with_name("kfp_every_method.py")
PIPELINES_CLIENT = Path(__file__).with_name("kubeflow_pipelines_journey.py")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path / "home") as server:
        yield server


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("version", "journey", "last_words"),
    [
        ("2.17.0", JOURNEY, "the journey of kfp 2.17.0 is over"),
        pytest.param("2.14.6", JOURNEY, "the journey of kfp 2.14.6 is over", marks=pytest.mark.slow),
        pytest.param("2.7.0", JOURNEY, "the journey of kfp 2.7.0 is over", marks=pytest.mark.slow),
        ("1.8.22", JOURNEY_OF_V1, "the journey of kfp 1.8.22 is over"),
        ("1.8.22", WORKFLOWS_OF_V1, "the journey of workflows of kfp 1.8.22 is over"),
        ("2.17.0", EVERY_METHOD, "every method of kfp 2.17.0 was called"),
        pytest.param("2.14.6", EVERY_METHOD, "every method of kfp 2.14.6 was called", marks=pytest.mark.slow),
        pytest.param("2.7.0", EVERY_METHOD, "every method of kfp 2.7.0 was called", marks=pytest.mark.slow),
        ("2.17.0", PIPELINES_CLIENT, "the journey of PipelinesClient is over"),
    ],
)
def test_the_journey_of_a_client(
    server: ServerProcess, tmp_path: Path, version: str, journey: Path, last_words: str
) -> None:
    python = interpreter_with(f"kfp=={version}")
    ended = subprocess.run(
        [python, "-W", "ignore", journey, server.url, tmp_path],
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
    assert last_words in ended.stdout
