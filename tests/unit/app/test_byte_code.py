"""The doctor says that nothing is kept of what Python compiles, and only then."""

from __future__ import annotations

from pathlib import Path

import pytest

from sampan.app import machine


def test_what_is_not_kept_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kept = tmp_path / "machine.pyc"
    monkeypatch.setattr(machine.__spec__, "cached", str(kept))
    (found,) = machine._byte_code()
    assert (found.ok, "compileall" in found.remedy) == (False, True)
    assert str(Path(machine.__file__).parents[2]) in found.remedy
    kept.touch()
    assert machine._byte_code() == []
