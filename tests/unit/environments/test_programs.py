"""Programs and shells of images, when pods that start together are the first to want them."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sampan.cluster.node.environments.programs import program_folder
from sampan.cluster.node.environments.shells import shell_folder


def meet_before(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """Two threads that call that method of `Path` do so together."""
    meeting, former = threading.Barrier(2), getattr(Path, method)

    def met(path: Path, *args: Any, **options: Any) -> Any:
        meeting.wait(10)
        return former(path, *args, **options)

    monkeypatch.setattr(Path, method, met)


def twice(make: Callable[[], Path | None]) -> list[Path | None]:
    with ThreadPoolExecutor(2) as threads:
        return [each.result() for each in [threads.submit(make), threads.submit(make)]]


def test_both_have_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meet_before(monkeypatch, "chmod")
    assert twice(lambda: program_folder(tmp_path, "cowsay")) == [tmp_path / "cowsay"] * 2
    (program,) = (tmp_path / "cowsay").iterdir()
    assert os.access(program, os.X_OK)


def test_both_have_the_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the script of one would be read by a shell that it was not written for."""
    meet_before(monkeypatch, "symlink_to")
    assert twice(lambda: shell_folder(tmp_path, "bash", None)) == [tmp_path / "bash"] * 2
    assert os.readlink(tmp_path / "bash" / "sh") == shutil.which("bash")
