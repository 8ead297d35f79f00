"""What every `ArtifactStore` does. Inherit `ArtifactStoreConformance` and give it a fixture `store`: an empty one.

What a store need not be able to do is said by the class attributes.
"""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from sampan.store.artifacts import trees
from sampan.store.artifacts.protocol import (
    ArtifactStore,
    ObjectMissingError,
    StoredObject,
    StoreError,
    StoreUnusableError,
)

NAMES = (
    "plain.txt",
    "deep/er/file",
    "with space/ü%20#+&?.csv",
    "a=b/c@d:e,f;g",
    "emoji😀",
    ".hidden",
    "x'y(z)[]{}~$!",
    "n" * 255,
)
BAD_NAMES = ("../x", "a/../../x", "/x", "a//b", "a/./b", "", "a/..", "x\0y", "n" * 256)


class ArtifactStoreConformance:
    tags_follow_content = True
    """Whether an object's etag is another one when its content is, even at the same size and within an instant."""

    def test_what_was_uploaded_comes_back(self, store: ArtifactStore, tmp_path: Path) -> None:
        for number, name in enumerate(NAMES):
            content = f"content {number}".encode()
            put(store, name, content, tmp_path)
            assert get(store, name, tmp_path) == content
            found = store.stat(name)
            assert found is not None
            assert (found.key, found.size) == (name, len(content))

    def test_an_empty_object_is_one(self, store: ArtifactStore, tmp_path: Path) -> None:
        put(store, "empty", b"", tmp_path)
        assert get(store, "empty", tmp_path) == b""
        assert b"".join(store.read("empty")) == b""

    def test_a_large_object_is_streamed(self, store: ArtifactStore, tmp_path: Path) -> None:
        content = bytes(range(256)) * 4096 * 20
        put(store, "large", content, tmp_path)
        assert get(store, "large", tmp_path) == content

    def test_an_upload_takes_the_place_of_what_was_there(self, store: ArtifactStore, tmp_path: Path) -> None:
        first = put(store, "key", b"one", tmp_path)
        second = put(store, "key", b"two", tmp_path)
        assert get(store, "key", tmp_path) == b"two"
        if self.tags_follow_content:
            assert first.etag != second.etag
        assert store.stat("key") == second

    def test_what_is_not_there_is_said(self, store: ArtifactStore, tmp_path: Path) -> None:
        put(store, "folder/file", b"x", tmp_path)
        for key in ("none", "folder", "folder/file/below", "fold"):
            assert store.stat(key) is None
            with pytest.raises(ObjectMissingError):
                store.download(key, tmp_path / "target")
            with pytest.raises(ObjectMissingError):
                b"".join(store.read(key))
        assert not (tmp_path / "target").exists()
        assert list(store.list("none")) == []

    def test_a_list_holds_what_lies_below(self, store: ArtifactStore, tmp_path: Path) -> None:
        for key in ("a/1", "a/b/2", "ab", "a/b/c/3", "b/1"):
            put(store, key, key.encode(), tmp_path)
        assert {found.key for found in store.list("a")} == {"a/1", "a/b/2", "a/b/c/3"}
        assert {found.key for found in store.list("a/b")} == {"a/b/2", "a/b/c/3"}
        assert {found.key: found.size for found in store.list("")}["b/1"] == 3
        assert len(list(store.list(""))) == 5

    def test_a_long_list_is_whole(self, store: ArtifactStore, tmp_path: Path) -> None:
        keys = {f"many/{number:04}" for number in range(1100)}
        file = tmp_path / "file"
        file.write_bytes(b"x")
        work = sorted(keys)

        def upload() -> None:
            while work:
                store.upload(file, work.pop())

        threads = [threading.Thread(target=upload) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {found.key for found in store.list("many")} == keys
        store.delete(keys)
        assert list(store.list("many")) == []

    def test_parts_are_read(self, store: ArtifactStore, tmp_path: Path) -> None:
        put(store, "key", b"0123456789", tmp_path)
        assert b"".join(store.read("key")) == b"0123456789"
        assert b"".join(store.read("key", 3)) == b"3456789"
        assert b"".join(store.read("key", 3, 4)) == b"3456"
        assert b"".join(store.read("key", 8, 100)) == b"89"
        assert b"".join(store.read("key", 10)) == b""
        assert b"".join(store.read("key", 1000, 5)) == b""
        assert b"".join(store.read("key", 0, 0)) == b""

    def test_deleting_is_final_and_may_be_repeated(self, store: ArtifactStore, tmp_path: Path) -> None:
        for key in ("a/1", "a/2", "b"):
            put(store, key, b"x", tmp_path)
        store.delete(["a/1", "none", "b"])
        store.delete(["a/1"])
        store.delete([])
        assert [found.key for found in store.list("")] == ["a/2"]

    @pytest.mark.parametrize("key", BAD_NAMES)
    def test_names_that_lead_elsewhere_are_refused(
        self, store: ArtifactStore, tmp_path: Path, key: str
    ) -> None:
        (tmp_path / "file").write_bytes(b"x")
        for act in (
            lambda: store.upload(tmp_path / "file", key),
            lambda: store.download(key, tmp_path / "target"),
            lambda: store.stat(key),
            lambda: store.delete([key]),
            lambda: list(store.read(key)),
        ):
            with pytest.raises(StoreUnusableError):
                act()

    def test_folders_and_files_go_to_and_fro(self, store: ArtifactStore, tmp_path: Path) -> None:
        source = tmp_path / "source"
        (source / "sub" / "empty").mkdir(parents=True)
        (source / "a").write_text("1")
        (source / "sub" / "b").write_text("2")
        trees.push(store, source, "run/out")
        assert {found.key for found in store.list("run")} == {"run/out/a", "run/out/sub/b"}
        trees.fetch(store, "run/out", tmp_path / "target")
        assert (tmp_path / "target" / "a").read_text() == "1"
        assert (tmp_path / "target" / "sub" / "b").read_text() == "2"
        trees.push(store, source / "a", "run/file")
        trees.fetch(store, "run/file", tmp_path / "new" / "place" / "file")
        assert (tmp_path / "new" / "place" / "file").read_text() == "1"
        assert trees.mark(store, "run/out") == trees.mark(store, "run/out") != trees.mark(store, "run/file")
        assert trees.mark(store, "run/none") is None
        trees.remove(store, "run/out")
        assert [found.key for found in store.list("run")] == ["run/file"]
        with pytest.raises(ObjectMissingError):
            trees.fetch(store, "run/out", tmp_path / "gone")

    def test_errors_are_its_own(self, store: ArtifactStore, tmp_path: Path) -> None:
        with pytest.raises(StoreError) as told:
            store.download("none", tmp_path / "target")
        assert "none" in told.value.message
        assert "Traceback" not in told.value.message
        assert "\n" not in told.value.message


def put(store: ArtifactStore, key: str, content: bytes, folder: Path) -> StoredObject:
    file = folder / "to-upload"
    file.write_bytes(content)
    return store.upload(file, key)


def get(store: ArtifactStore, key: str, folder: Path) -> bytes:
    target = folder / "downloaded"
    store.download(key, target)
    return target.read_bytes()
