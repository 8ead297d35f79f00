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


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path / "home") as server:
        yield server


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("version", "journey"),
    [
        ("2.17.0", JOURNEY),
        pytest.param("2.14.6", JOURNEY, marks=pytest.mark.slow),
        pytest.param("2.7.0", JOURNEY, marks=pytest.mark.slow),
        ("1.8.22", JOURNEY_OF_V1),
    ],
)
def test_the_journey_of_a_client(server: ServerProcess, tmp_path: Path, version: str, journey: Path) -> None:
    python = interpreter_with(f"kfp=={version}")
    ended = subprocess.run(
        [python, "-W", "ignore", journey, server.url, tmp_path],
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
    assert f"the journey of kfp {version} is over" in ended.stdout
