"""Downloads kept on this machine, so that the next replica's cost nothing.

Below the folder that the platform names (`SAMPAN_MODEL_CACHE`), by what the store says identifies the content: who
has not been told that by the store, with credentials of their own, finds nothing here. Files appear whole; what is on
its way has a lock, so that ten pods that start together download once, and a part that stays is gone on with. What was
not used for longest is removed by the server, which also says in `rules.json` how much is kept.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from sampan.components.serving.engine.programs.initializer import places
from sampan.components.serving.engine.programs.initializer.items import Item

FOLDER_VARIABLE, WRITABLE_VARIABLE = "SAMPAN_MODEL_CACHE", "SAMPAN_MODEL_WRITABLE"
RULES = "rules.json"
_LARGEST_SHARE = 0.8


class Cache:
    """`folder` None keeps nothing. For several threads and processes."""

    def __init__(self, folder: Path | None, most_bytes: int = 0, *, share: bool = True) -> None:
        self._folder = folder if most_bytes > 0 else None
        self._most_bytes = most_bytes
        self._share = share

    @staticmethod
    def of(environ: Mapping[str, str]) -> Cache:
        if not (named := environ.get(FOLDER_VARIABLE)):
            return Cache(None)
        is_shared = environ.get(WRITABLE_VARIABLE) != "true"
        return Cache(Path(named), most_bytes(Path(named)), share=is_shared)

    def place(self, item: Item) -> Path | None:
        """Where its content is, or would be; None where it is not kept."""
        if self._folder is None or not item.identity or item.size is None:
            return None
        if item.size > self._most_bytes * _LARGEST_SHARE:
            return None
        return self._folder / "files" / _name(f"{item.identity}\0{item.size}")

    def has(self, item: Item) -> bool:
        place = self.place(item)
        return place is not None and place.exists()

    def tree(self, item: Item) -> Path | None:
        """Where the files of an archive are, or would be; None where they are not kept."""
        place = self.place(item)
        return None if place is None or self._folder is None else self._folder / "trees" / place.name

    def drop(self, item: Item) -> None:
        """The file itself: what it holds is kept."""
        if (place := self.place(item)) is not None:
            place.unlink(missing_ok=True)

    def take(self, place: Path, target: Path) -> bool:
        """Puts what is kept at `place` to `target`."""
        try:
            os.utime(place)
            if place.is_dir():
                places.put_tree(place, target, share=self._share)
            else:
                places.put(place, target, share=self._share)
        except FileNotFoundError:
            return False
        return True

    @contextlib.contextmanager
    def locked(self, place: Path) -> Iterator[Path]:
        """The part that is on its way to `place`; nobody else works on it meanwhile."""
        place.parent.mkdir(parents=True, exist_ok=True)
        path = place.with_name(f"{place.name}.lock")
        while True:
            with open(path, "w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if _is_at(lock.fileno(), path):
                    yield place.with_name(f"{place.name}.part")
                    return
            # It was removed, as one that is old, while it was waited for.


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def most_bytes(folder: Path) -> int:
    return int(_rule(folder, "most_bytes", 0))


def most_model_bytes(environ: Mapping[str, str]) -> int:
    """What one model may be; 0 for any size."""
    named = environ.get(FOLDER_VARIABLE)
    return int(_rule(Path(named), "most_model_bytes", 0)) if named else 0


def _rule(folder: Path, name: str, default: int) -> int:
    try:
        found = json.loads((folder / RULES).read_text())[name]
    except (OSError, ValueError, KeyError, TypeError):
        return default
    return found if isinstance(found, int) else default


def _name(identity: str) -> str:
    digest = hashlib.sha256(identity.encode()).hexdigest()
    return f"{digest[:2]}/{digest}"
