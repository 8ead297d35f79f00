"""`sampan up` and `sampan run` where no server can start: one sentence, with the file or setting and the remedy.

A port in use and a second `up` are in test_up.py; every form of a bad setting in test_settings.py.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sampan.testing.pipelines import chain


@pytest.fixture
def start(command: Any, tmp_path: Path) -> Any:
    """Starts a server in `home`, by itself or for a run; its error."""
    file = tmp_path / "pipeline.json"
    file.write_text(json.dumps(chain(1)))

    def begin(name: str, home: Path, *options: object) -> str:
        if name == "up":
            return str(command("up", "--home", home, "--port", "0", *options).error)
        return str(command("run", file, "--home", home, *options).error)

    return begin


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A file system that nobody may write to, root included."""
    folder = tmp_path / "read-only"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "ro,size=1m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root may mount a file system here")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("name", ["up", "run"])
def test_a_home_on_a_read_only_disk(start: Any, read_only: Path, name: str) -> None:
    said = start(name, read_only / "home")
    assert f"{read_only}/home: Read-only file system" in said
    assert "choose another with --home or SAMPAN_HOME" in said


def test_a_home_below_a_file(start: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = start("up", tmp_path / "file" / "home")
    assert f"{tmp_path}/file/home: Not a directory" in said


def test_a_database_that_is_none(start: Any, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "sampan.db").write_bytes(b"this is no database" * 1000)
    said = start("up", home)
    assert str(home / "sampan.db") in said
    assert (home / "sampan.db").read_bytes() == b"this is no database" * 1000


def test_a_bad_setting_is_named_with_its_line(start: Any, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "settings.toml").write_text('# mine\n[server]\nport = "eighty"\n')
    assert start("run", home) == f"{home}/settings.toml:3: server.port must be a whole number, not 'eighty'"


def test_up_with_a_bad_setting_makes_nothing(command: Any, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("[server]\nporrt = 1\n")
    said = command("up", "--home", tmp_path / "home", "--settings", file).error
    assert said.startswith(f"{file}:2: unknown setting server.porrt; known in [server]: host, port")
    assert not (tmp_path / "home").exists()
