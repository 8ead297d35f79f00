"""Any file system that fsspec knows, as an artifact store: for providers that obstore does not speak to."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sampan.store.artifacts import files, uris
from sampan.store.artifacts.protocol import (
    AccessRefusedError,
    ObjectMissingError,
    StoredObject,
    StoreUnavailableError,
)

_PIECE = 1024 * 1024


class FsspecStore:
    """`ArtifactStore`. `filesystem` is fsspec's, `root` the bucket or folder in it."""

    def __init__(self, filesystem: Any, root: str) -> None:
        self._fs = filesystem
        self._root = root.rstrip("/")

    def stat(self, key: str) -> StoredObject | None:
        self._fs.invalidate_cache()
        with _told(key):
            try:
                found = self._fs.info(self._path(key))
            except (FileNotFoundError, NotADirectoryError):
                return None
        return self._object(found) if found["type"] == "file" else None

    def list(self, prefix: str) -> Iterator[StoredObject]:
        self._fs.invalidate_cache()
        with _told(prefix):
            path = self._path(prefix) if prefix else self._root
            if not self._fs.isdir(path):
                return
            for found in self._fs.find(path, detail=True).values():
                yield self._object(found)

    def read(self, key: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        if self.stat(key) is None:
            raise ObjectMissingError(f"{key} does not exist")
        with _told(key):
            stream = self._fs.open(self._path(key), "rb")
        return self._pieces(stream, key, offset, length)

    def _pieces(self, stream: Any, key: str, offset: int, length: int | None) -> Iterator[bytes]:
        with _told(key), stream:
            if offset >= (stream.size or 0):
                return
            stream.seek(offset)
            while length is None or length > 0:
                piece = stream.read(_PIECE if length is None else min(_PIECE, length))
                if not piece:
                    return
                length = None if length is None else length - len(piece)
                yield piece

    def upload(self, file: Path, key: str) -> StoredObject:
        with _told(key):
            path = self._path(key)
            self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._fs.put_file(str(file), path)
        found = self.stat(key)
        if found is None:
            raise StoreUnavailableError(f"{key} was written and is not there")
        return found

    def download(self, key: str, file: Path) -> StoredObject:
        found = self.stat(key)
        if found is None:
            raise ObjectMissingError(f"{key} does not exist")
        with _told(key), files.arriving(file) as part:
            self._fs.get_file(self._path(key), str(part))
        return found

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            with _told(key), contextlib.suppress(FileNotFoundError):
                self._fs.rm_file(self._path(key))

    def _path(self, key: str) -> str:
        return f"{self._root}/{uris.file_name(key)}"

    def _object(self, found: Any) -> StoredObject:
        name = str(found["name"])
        key = name[name.index(self._root.lstrip("/")) + len(self._root.lstrip("/")) :].lstrip("/")
        tag = found.get("ETag") or found.get("etag") or found.get("mtime") or found.get("created") or ""
        return StoredObject(key, int(found["size"]), str(tag).strip('"'))


@contextlib.contextmanager
def _told(key: str) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise ObjectMissingError(f"{key} does not exist") from error
    except PermissionError as error:
        raise AccessRefusedError(f"{key}: {error}") from error
    except OSError as error:
        raise StoreUnavailableError(f"{key}: {error}") from error
