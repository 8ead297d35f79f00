"""What users keep for themselves."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sampan.dashboard.preferences import Preferences, PreferencesFullError


def test_they_are_kept_by_user_over_restarts(tmp_path: Path) -> None:
    first = Preferences(tmp_path)
    asyncio.run(first.keep("ann/../../etc", "theme", "dark"))
    asyncio.run(first.keep("ann/../../etc", "views", [{"name": "mine"}]))
    asyncio.run(first.keep("ben", "theme", "light"))
    again = Preferences(tmp_path)
    assert again.of("ann/../../etc") == {"theme": "dark", "views": [{"name": "mine"}]}
    assert again.of("ben") == {"theme": "light"}
    assert again.of("zoe") == {}
    assert {path.parent for path in tmp_path.rglob("*.json")} == {tmp_path / "dashboard"}
    asyncio.run(again.keep("ben", "theme", None))
    assert Preferences(tmp_path).of("ben") == {}


def test_too_much_is_refused_and_what_was_there_stays(tmp_path: Path) -> None:
    kept = Preferences(tmp_path)
    asyncio.run(kept.keep("ann", "a", 1))
    with pytest.raises(PreferencesFullError):
        asyncio.run(kept.keep("ann", "b", "x" * 300_000))
    assert kept.of("ann") == Preferences(tmp_path).of("ann") == {"a": 1}


def test_a_broken_file_is_as_if_nothing_had_been_kept(tmp_path: Path) -> None:
    asyncio.run(Preferences(tmp_path).keep("ann", "a", 1))
    next(tmp_path.rglob("*.json")).write_text("{")
    assert Preferences(tmp_path).of("ann") == {}
