"""A server for each version of kubectl, shared by all its sessions."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sampan.testing.clients import kubectl
from sampan.testing.console import Session, version_of
from sampan.testing.server import ServerProcess

Player = Callable[[str, str], list[str]]


def program_of(name: str) -> Path:
    """`newest` is that of the developers' environment."""
    if name == "newest":
        return Path(sys.executable).with_name("kubectl")
    return Path(name) if "/" in name else kubectl(name)


@pytest.fixture(scope="session")
def play(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Player]:
    """Plays a session by its name and text: what went otherwise than written."""
    folder = tmp_path_factory.mktemp("kubectl")
    program = program_of(request.param)
    told = subprocess.run(
        [program, "version", "--client", "-o", "yaml"], capture_output=True, text=True, check=True
    )
    found = re.search(r"gitVersion: v([\d.]+)", told.stdout)
    assert found is not None
    version = version_of(found[1])
    (folder / "bin").mkdir()
    (folder / "bin" / "kubectl").symlink_to(program)

    with ServerProcess(folder / "home") as server:

        def player(name: str, text: str) -> list[str]:
            work = folder / name
            work.mkdir()
            shutil.copy(folder / "home" / "kubeconfig", work / "kubeconfig")
            environ = {
                "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
                "HOME": str(folder),
                "KUBECONFIG": str(work / "kubeconfig"),
                "NS": name,
                "URL": server.url,
                "IMAGE": "busybox",
            }
            session = Session(work, environ, version)
            for command in (f"create namespace {name}", f"config set-context --current --namespace={name}"):
                code, printed = session.run(f"kubectl {command}")
                assert code == 0, printed
            return session.play(text)

        yield player
