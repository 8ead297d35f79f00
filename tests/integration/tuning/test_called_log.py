"""The log of a trial in-process: a file in a folder that the trial's own worker may do anything with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sampan.components.tuning.rest.called_log import _read
from sampan.kube.errors import NotFoundError


def whole(path: Path, tail: int | None) -> bytes:
    found, place = b"", -1
    while True:
        data, place = _read(path, place, tail)
        if not data:
            return found
        found += data


@pytest.mark.parametrize("ends", [b"", b"\n"])
def test_the_last_lines(tmp_path: Path, ends: bytes) -> None:
    path = tmp_path / "t.log"
    path.write_bytes(b"one\ntwo\n\nfour" + ends)
    assert whole(path, None) == b"one\ntwo\n\nfour" + ends
    assert whole(path, 1) == b"four" + ends
    assert whole(path, 2) == b"\nfour" + ends
    assert whole(path, 3) == b"two\n\nfour" + ends
    assert whole(path, 99) == b"one\ntwo\n\nfour" + ends
    assert whole(path, 0) == b""


def test_long_logs_come_in_pieces_and_what_is_added_follows(tmp_path: Path) -> None:
    path = tmp_path / "t.log"
    lines = b"".join(b"%d\n" % number for number in range(200_000))
    path.write_bytes(lines)
    assert whole(path, None) == lines
    assert whole(path, 100_000) == b"".join(b"%d\n" % number for number in range(100_000, 200_000))
    data, place = _read(path, -1, 1)
    assert data == b"199999\n"
    with path.open("ab") as file:
        file.write(b"more\n")
    assert _read(path, place, 1)[0] == b"more\n"


def test_nothing_but_a_file_is_opened(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("kept")
    (tmp_path / "link.log").symlink_to(secret)
    os.mkfifo(tmp_path / "pipe.log")
    (tmp_path / "folder.log").mkdir()
    for name in ("link.log", "pipe.log", "folder.log"):
        with pytest.raises(NotFoundError):
            _read(tmp_path / name, -1, None)
    assert _read(tmp_path / "none.log", -1, None) == (b"", -1)
