"""Small files that take others' places: whole or not at all, whoever writes them at the same time."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sampan.lib.files import replace_bytes, replace_link, replace_text, staged


def test_what_was_there_is_replaced_with_its_rights(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("former")
    os.link(file, tmp_path / "other")
    replace_text(file, "wörds", 0o600, durable=True)
    assert file.read_text(encoding="utf-8") == "wörds"
    assert file.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "other").read_text() == "former"
    assert {each.name for each in tmp_path.iterdir()} == {"file", "other"}


def test_those_who_write_together_do_not_disturb_each_other(tmp_path: Path) -> None:
    """Each has written before any puts it in place."""
    file, meeting = tmp_path / "file", threading.Barrier(4)

    def write(number: int) -> None:
        with staged(file) as fresh:
            fresh.write_text(f"{number}" * 1000)
            meeting.wait(10)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(4)))
    content = file.read_text()
    assert content in {f"{number}" * 1000 for number in range(4)}
    assert list(tmp_path.iterdir()) == [file]


def test_what_fails_leaves_the_former_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("former")

    def interrupted() -> None:
        with staged(file) as fresh:
            fresh.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        replace_bytes(tmp_path / "folder", b"")
    with pytest.raises(FileNotFoundError):
        replace_bytes(tmp_path / "absent" / "file", b"")
    assert file.read_text() == "former"
    assert {each.name for each in tmp_path.iterdir()} == {"file", "folder"}


def test_a_name_may_be_as_long_as_names_can_be(tmp_path: Path) -> None:
    replace_text(tmp_path / ("x" * 255), "words")
    assert (tmp_path / ("x" * 255)).read_text() == "words"


def test_a_link_leads_elsewhere(tmp_path: Path) -> None:
    link = tmp_path / "link"
    for target in ("first", "second"):
        replace_link(link, target)
        assert os.readlink(link) == target
    assert list(tmp_path.iterdir()) == [link]
