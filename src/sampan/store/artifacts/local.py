"""An artifact store that is a folder. Links in it are not followed out of it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from sampan.store.artifacts import files, uris
from sampan.store.artifacts.protocol import (
    AccessRefusedError,
    ObjectMissingError,
    StoredObject,
    StoreUnavailableError,
)

_PIECE = 1024 * 1024


class LocalStore:
    """`ArtifactStore`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def stat(self, key: str) -> StoredObject | None:
        path = self._path(key)
        return self._object(key, path) if path.is_file() else None

    def list(self, prefix: str) -> Iterator[StoredObject]:
        folder = self._path(prefix) if prefix else self._root
        for where, _, names in os.walk(folder):
            for name in names:
                path = Path(where, name)
                key = path.relative_to(self._root).as_posix()
                if path.is_file() and not path.is_symlink():
                    yield self._object(key, path)

    def read(self, key: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        with _told(key):
            stream = open(self._path(key), "rb")  # noqa: SIM115  closed by the generator below
        return _pieces(stream, offset, length)

    def upload(self, file: Path, key: str) -> StoredObject:
        target = self._path(key)
        with _told(key):
            target.parent.mkdir(parents=True, exist_ok=True)
            files.copy(file, target)
        return self._object(key, target)

    def download(self, key: str, file: Path) -> StoredObject:
        source = self._path(key)
        with _told(key):
            files.copy(source, file)
        return self._object(key, source)

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            path = self._path(key)
            with _told(key):
                path.unlink(missing_ok=True)
            files.remove_empty(path.parent, self._root)

    def _path(self, key: str) -> Path:
        path = self._root / uris.file_name(key)
        if not path.resolve().is_relative_to(self._root.resolve()):
            raise AccessRefusedError(f"{key} lies outside of its store")
        return path

    def _object(self, key: str, path: Path) -> StoredObject:
        with _told(key):
            found = path.stat()
        return StoredObject(key, found.st_size, f"{found.st_mtime_ns:x}-{found.st_size:x}")


def _pieces(stream: BinaryIO, offset: int, length: int | None) -> Iterator[bytes]:
    with stream:
        stream.seek(offset)
        while length is None or length > 0:
            piece: bytes = stream.read(_PIECE if length is None else min(_PIECE, length))
            if not piece:
                return
            length = None if length is None else length - len(piece)
            yield piece


@contextlib.contextmanager
def _told(key: str) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise ObjectMissingError(f"{key}: there is no such file") from error
    except PermissionError as error:
        raise AccessRefusedError(f"{key}: {error.strerror}") from error
    except OSError as error:
        raise StoreUnavailableError(f"{key}: {error.strerror or error}") from error
