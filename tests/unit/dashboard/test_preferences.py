"""What users keep for themselves."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from sampan.dashboard import preferences
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


def test_what_is_kept_while_another_hangs_up_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The write that was given up came after the next one, in whose place it stood after a restart."""
    replace, began, overtaken = preferences.replace_bytes, threading.Event(), threading.Event()

    def slowly(*arguments: Any, **options: Any) -> None:
        if not began.is_set():
            began.set()
            overtaken.wait(0.3)
            replace(*arguments, **options)
        else:
            replace(*arguments, **options)
            overtaken.set()

    monkeypatch.setattr(preferences, "replace_bytes", slowly)
    kept = Preferences(tmp_path)

    async def main() -> None:
        first = asyncio.create_task(kept.keep("ann", "first", 1))
        await asyncio.to_thread(began.wait, 60)
        first.cancel()
        await kept.keep("ann", "second", 2)

    # The end of the loop waits for its threads.
    asyncio.run(main())
    assert kept.of("ann") == Preferences(tmp_path).of("ann") == {"first": 1, "second": 2}
