"""A library can be loaded without what it would load beside itself, and nobody else notices."""

from __future__ import annotations

import importlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sampan.lib.importing import without


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a library that takes another one where it is installed."""
    (tmp_path / "beside_it.py").write_text("")
    text = "try:\n    import beside_it\nexcept ImportError:\n    beside_it = None\n"
    (tmp_path / "taking_it.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("beside_it", "taking_it"):
        # Undone afterwards, whatever is loaded.
        monkeypatch.setitem(sys.modules, name, sys)
        monkeypatch.delitem(sys.modules, name)
    return "taking_it"


def test_what_is_left_out_is_not_loaded_and_can_be_loaded_afterwards(modules: str) -> None:
    finders = [*sys.meta_path]
    with without("beside_it"):
        assert importlib.import_module(modules).beside_it is None
        assert "beside_it" not in sys.modules
    assert sys.meta_path == finders
    assert importlib.import_module("beside_it").__file__


def test_what_is_loaded_already_is_there_all_the_same(modules: str) -> None:
    beside = importlib.import_module("beside_it")
    with without("beside_it"):
        assert importlib.import_module(modules).beside_it is beside


def test_other_threads_find_it(modules: str) -> None:
    with without("beside_it"), ThreadPoolExecutor(1) as other:
        assert other.submit(importlib.import_module, modules).result().beside_it is not None


_SOCKETS = """
from sampan.dashboard import mounting
import sys
mounting._import_serving()
import engineio
assert "aiohttp" not in sys.modules and engineio.async_client.aiohttp is None
import aiohttp
"""


def test_the_sockets_of_the_dashboard_come_without_their_clients() -> None:
    subprocess.run([sys.executable, "-c", _SOCKETS], check=True)
