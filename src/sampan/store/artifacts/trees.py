"""Artifacts that may be folders, to and from stores whose objects are only files. Blocks.

Where an object has exactly the artifact's key it is a file; otherwise what lies below the key is a folder. Empty
folders do not exist in a store of objects, as with upstream's launcher.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from sampan.lib.threads import Threads, check_wanted
from sampan.store.artifacts import uris
from sampan.store.artifacts.files import PART
from sampan.store.artifacts.protocol import (
    ArtifactStore,
    ObjectMissingError,
    StoredObject,
    StoreUnusableError,
)

T = TypeVar("T")

_THREADS = 8
_DELETED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Limits:
    """What one artifact may be at most."""

    most_bytes: int | None = None
    most_files: int = 100_000


Fetch = Callable[[StoredObject, Path], None]
"""Brings one object to a path."""
Upload = Callable[[str, Path], StoredObject]
"""Brings a file to its key."""


def found(store: ArtifactStore, key: str, limits: Limits | None = None) -> tuple[bool, list[StoredObject]]:
    """Whether the artifact is a single file, and its objects; none where nothing lies there.

    Raises StoreUnusableError where it is more than `limits` allow.
    """
    limits = limits or Limits()
    alone = store.stat(key) if key else None
    if alone is not None:
        _check(alone.size, 1, key, limits)
        return True, [alone]
    objects: list[StoredObject] = []
    size = 0
    for item in store.list(key):
        check_wanted()
        # Consoles make such objects to show a folder.
        if item.key.endswith("/"):
            continue
        objects.append(item)
        size += item.size
        _check(size, len(objects), key, limits)
    return False, objects


def fetch(
    store: ArtifactStore, key: str, target: Path, limits: Limits | None = None, get: Fetch | None = None
) -> list[StoredObject]:
    """Brings a file or folder to `target`; its objects. Raises StoreError, OSError."""
    is_file, objects = found(store, key, limits)
    if not objects:
        raise ObjectMissingError(f"{key} does not exist")
    get = get or partial(_download, store)
    places = {}
    for item in objects:
        place = target if is_file else target / uris.file_name(item.key[len(key) :].lstrip("/"))
        place.parent.mkdir(parents=True, exist_ok=True)
        places[item] = place
    _in_threads([partial(get, item, place) for item, place in places.items()])
    return objects


def push(store: ArtifactStore, source: Path, key: str, upload: Upload | None = None) -> list[StoredObject]:
    """Uploads a file or folder; the objects that it now is. Links are followed to files within it only."""
    files = {key: source} if source.is_file() else dict(_files(source, key))
    put = upload or partial(_upload, store)
    return _in_threads([partial(put, name, file) for name, file in files.items()])


def mark(store: ArtifactStore, key: str) -> str | None:
    """Another text when the artifact's content is another; None where nothing lies there."""
    is_file, objects = found(store, key)
    return mark_of(objects, key, is_file=is_file) if objects else None


def mark_of(objects: list[StoredObject], key: str, *, is_file: bool) -> str:
    digest = hashlib.sha256(b"file" if is_file else b"folder")
    for item in sorted(objects, key=lambda item: item.key):
        digest.update(f"\0{item.key[len(key) :]}\0{item.size}\0{item.etag}".encode())
    return digest.hexdigest()


def remove(store: ArtifactStore, key: str, keep: Callable[[str], bool] = lambda _: False) -> None:
    """Removes the object and everything below, but what `keep` says."""
    keys = [item.key for item in store.list(key)]
    if store.stat(key) is not None:
        keys.append(key)
    unwanted = [name for name in keys if not keep(name)]
    for start in range(0, len(unwanted), _DELETED_AT_ONCE):
        store.delete(unwanted[start : start + _DELETED_AT_ONCE])


def _files(folder: Path, key: str) -> Iterator[tuple[str, Path]]:
    root = folder.resolve()
    for where, _, names in os.walk(folder):
        for name in names:
            file = Path(where, name)
            if not name.startswith(PART) and file.is_file() and file.resolve().is_relative_to(root):
                yield f"{key}/{file.relative_to(folder).as_posix()}", file


def _download(store: ArtifactStore, item: StoredObject, path: Path) -> None:
    store.download(item.key, path)


def _upload(store: ArtifactStore, key: str, file: Path) -> StoredObject:
    return store.upload(file, key)


def _check(size: int, count: int, key: str, limits: Limits) -> None:
    if limits.most_bytes is not None and size > limits.most_bytes:
        raise StoreUnusableError(
            f"{key} is larger than the {limits.most_bytes / 1024**3:g} GiB that are allowed"
        )
    if count > limits.most_files:
        raise StoreUnusableError(f"{key} is more than {limits.most_files} files")


def _in_threads(calls: list[Callable[[], T]]) -> list[T]:
    """What the calls give, in their order; the first error, once no call is under way any more."""
    if len(calls) == 1:
        return [calls[0]()]
    threads = Threads("artifacts", _THREADS)
    futures = [threads.submit(call) for call in calls]
    done, _ = wait(futures, return_when=FIRST_EXCEPTION)
    failed = next((future for future in futures if future in done and future.exception()), None)
    # The others hear of it between two pieces, so what they raise is no reason.
    threads.close()
    wait(futures)
    if failed is not None:
        failed.result()
    return [future.result() for future in futures]
