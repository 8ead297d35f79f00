"""Folders of many objects: several are brought at a time, until one cannot be."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from sampan.lib.threads import ClosedError, Threads, check_wanted
from sampan.store.artifacts import trees
from sampan.store.artifacts.local import LocalStore
from sampan.store.artifacts.protocol import StoredObject, StoreUnusableError


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    folder = tmp_path / "objects" / "many"
    folder.mkdir(parents=True)
    for number in range(20):
        (folder / f"{number:02}").write_text("content")
    return LocalStore(tmp_path / "objects")


def endless(begun: threading.Event) -> None:
    """A download that goes on as long as anybody wants it."""
    while True:
        check_wanted()
        begun.set()
        time.sleep(0.001)  # as a piece takes to come


def test_one_that_cannot_be_had_ends_the_others(store: LocalStore, tmp_path: Path) -> None:
    begun, asked = threading.Event(), list[str]()

    def get(item: StoredObject, _place: Path) -> None:
        asked.append(item.key)
        if item.key == asked[0]:
            assert begun.wait(60)
            raise StoreUnusableError("it is broken")
        endless(begun)

    with pytest.raises(StoreUnusableError, match="broken"):
        trees.fetch(store, "many", tmp_path / "target", get=get)
    # What had not begun does not.
    assert len(asked) < 20


def test_nothing_is_fetched_for_whom_nobody_waits(store: LocalStore, tmp_path: Path) -> None:
    threads, begun = Threads("own", 1), threading.Event()

    def get(_item: StoredObject, _place: Path) -> None:
        endless(begun)

    fetching = threads.submit(trees.fetch, store, "many", tmp_path / "target", None, get)
    assert begun.wait(60)
    threads.close()
    with pytest.raises(ClosedError):
        fetching.result(60)
