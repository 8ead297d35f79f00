"""The official clients and others, unmodified, each in an environment of its own, against a real server.

The journeys are programs beside this file. One by hand, against a server that runs, and only some of its checks:

    /tmp/sampan-test-envs/kubernetes-37.0.0/bin/python official.py ~/.sampan/kubeconfig logs
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sampan.testing.clients import interpreter_with
from sampan.testing.server import ServerProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

HERE = Path(__file__).parent
OFFICIAL = ("kubernetes==30.1.0", "kubernetes==35.0.0", "kubernetes==37.0.0")
OTHERS = {
    "asynchronous.py": ("kubernetes_asyncio==36.1.0",),
    "light.py": ("lightkube==1.0.1",),
    "kr8s_journey.py": ("kr8s==0.20.15",),
    "pykube_journey.py": ("pykube-ng==23.6.0",),
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path / "home") as server:
        yield server


def journey(server: ServerProcess, folder: Path, script: str, *requirements: str) -> None:
    python = interpreter_with(*requirements)
    ended = subprocess.run(
        [python, "-W", "ignore", HERE / script, server.home / "kubeconfig"],
        env={"HOME": str(folder), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=500,
    )
    failed = "\n".join(line for line in ended.stdout.splitlines() if not line.startswith("ok "))
    assert ended.returncode == 0, f"{failed}\n{ended.stderr[-2000:]}"
    assert " is over: " in ended.stdout


@pytest.mark.parametrize("requirement", OFFICIAL)
def test_what_programs_do(server: ServerProcess, tmp_path: Path, requirement: str) -> None:
    journey(server, tmp_path, "official.py", requirement)


@pytest.mark.parametrize("requirement", OFFICIAL)
def test_every_kind_by_its_typed_calls(server: ServerProcess, tmp_path: Path, requirement: str) -> None:
    journey(server, tmp_path, "typed_kinds.py", requirement)


@pytest.mark.parametrize("script", OTHERS)
def test_other_clients(server: ServerProcess, tmp_path: Path, script: str) -> None:
    journey(server, tmp_path, script, *OTHERS[script])
