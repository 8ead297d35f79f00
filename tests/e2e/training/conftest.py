"""Servers for training tests: their homes share one folder of environments, so that a framework is installed once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sampan.testing.homes import home_with_frameworks
from sampan.testing.server import ServerProcess


@pytest.fixture
def training_home(tmp_path: Path) -> Path:
    """An empty home, but for the environments of frameworks."""
    return home_with_frameworks(tmp_path / "home")


@pytest.fixture
def server(training_home: Path) -> Iterator[ServerProcess]:
    with ServerProcess(training_home) as server:
        yield server
