"""What an artifact's files are: the same content has the same digest, and a change changes the mark."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from sampan.store.artifacts import measuring
from sampan.store.artifacts.measuring import TooLargeError, mark, measure


def folder(path: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return path


def test_a_files_digest_is_its_sha256(tmp_path):
    file = tmp_path / "model"
    file.write_bytes(b"weights")
    found = measure(file)
    assert found.digest == hashlib.sha256(b"weights").hexdigest()
    assert (found.size_bytes, found.file_count) == (7, 1)
    assert found.mark == mark(file)


def test_nothing_has_no_measure(tmp_path):
    assert measure(tmp_path / "none") is None
    assert mark(tmp_path / "none") is None
    (tmp_path / "file").write_text("")
    assert measure(tmp_path / "file" / "below") is None


def test_a_folders_digest_depends_on_names_and_contents_only(tmp_path):
    files = {"a/x": "1", "b": "2", "a.y": "3"}
    one = measure(folder(tmp_path / "one", files))
    two = measure(folder(tmp_path / "two", dict(reversed(files.items()))))
    os.utime(tmp_path / "two" / "b", (1, 1))
    assert one.digest == two.digest == measure(tmp_path / "two").digest
    assert (one.size_bytes, one.file_count) == (3, 3)
    assert mark(tmp_path / "one") != mark(tmp_path / "two")


@pytest.mark.parametrize("other", [{"a": "12"}, {"b": "1"}, {"a": "1", "b": ""}, {"a/a": "1"}, {}])
def test_folders_that_differ_have_other_digests(tmp_path, other):
    (tmp_path / "two").mkdir()
    assert (
        measure(folder(tmp_path / "one", {"a": "1"})).digest
        != measure(folder(tmp_path / "two", other)).digest
    )


def test_names_and_contents_cannot_be_shifted_into_each_other(tmp_path):
    one = folder(tmp_path / "one", {"a\nfile b": "x"})
    two = folder(tmp_path / "two", {"a": "", "b": "x"})
    assert measure(one).digest != measure(two).digest


def test_links_are_not_followed(tmp_path):
    (tmp_path / "secret").write_text("s" * 1000)
    path = folder(tmp_path / "out", {"a": "1"})
    (path / "link").symlink_to(tmp_path / "secret")
    (path / "up").symlink_to(tmp_path)
    before = measure(path)
    assert before.size_bytes < 1000
    (tmp_path / "secret").write_text("other")
    assert measure(path) == before
    (path / "link").unlink()
    (path / "link").symlink_to(tmp_path / "elsewhere")
    assert measure(path).digest != before.digest


def test_pipes_do_not_hang(tmp_path):
    path = folder(tmp_path / "out", {"a": "1"})
    os.mkfifo(path / "pipe")
    assert measure(path).file_count == 1


def test_a_change_of_content_or_time_changes_the_mark(tmp_path):
    file = tmp_path / "f"
    file.write_text("abc")
    os.utime(file, ns=(1, 1))
    first = mark(file)
    file.write_text("abd")
    os.utime(file, ns=(2, 2))
    assert mark(file) != first


def test_limits_are_looked_at_before_anything_is_read(tmp_path):
    path = folder(tmp_path / "out", {str(number): "x" for number in range(5)})
    assert measure(path, most_bytes=5, most_files=5).size_bytes == 5
    for limits in ({"most_bytes": 4}, {"most_files": 4}):
        with pytest.raises(TooLargeError):
            measure(path, **limits)
    with pytest.raises(TooLargeError):
        mark(path, most_files=4)
    with pytest.raises(TooLargeError):
        measure(path / "1", most_bytes=0)


def test_a_folders_size_counts_what_is_there(tmp_path):
    assert measuring.folder_size(folder(tmp_path / "out", {"a": "12", "b/c": "345"})) == (5, 2)
    assert measuring.folder_size(tmp_path / "none") == (0, 0)
    assert measuring.folder_size(tmp_path / "out" / "a") == (2, 1)
