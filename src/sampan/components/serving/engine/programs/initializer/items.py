"""What is to be fetched: files of a store, each with how it is read. Made by the sources, carried out by `transfer`."""

from __future__ import annotations

import contextlib
import fnmatch
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sampan.components.serving.engine.programs.initializer.digests import Digest
from sampan.components.serving.engine.programs.initializer.errors import StorageError
from sampan.components.serving.engine.programs.initializer.web import Answer

_LONGEST_NAME, _LONGEST_PATH = 255, 3500
MOST_FILES = 100_000

Open = Callable[[int], contextlib.AbstractContextManager[Answer]]
"""From an offset on; the answer is 200 or, for an offset above 0, 206. Raises StorageError, UnreachableError."""


@dataclass(frozen=True, slots=True)
class Item:
    name: str
    """Below the target folder, with slashes."""
    open: Open
    size: int | None = None
    identity: str = ""
    """Another one for another content; empty where nobody can tell. Who knows it may not know the content."""
    digest: Digest | None = None
    """Where the store says it beforehand."""
    can_resume: bool = True


def file_name(name: str) -> str:
    """`name` as a path below some folder. Raises StorageError for one that would lead out of it, or is no path.

    A bucket's objects are named by strangers (attacks' table, row 5).
    """
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\0" in name:
        raise StorageError(f"The object name {name[:200]!r} cannot become a file: it leads elsewhere")
    if len(name.encode()) > _LONGEST_PATH or any(len(part.encode()) > _LONGEST_NAME for part in parts):
        raise StorageError(f"The object name {name[:80]!r}… is too long for a file")
    return name


@dataclass(frozen=True, slots=True)
class Patterns:
    """Which files are wanted, as `huggingface_hub` reads patterns."""

    allow: Sequence[str] = ()
    ignore: Sequence[str] = ()

    @staticmethod
    def of(environ: Mapping[str, str]) -> Patterns:
        return Patterns(
            _listed(environ.get("STORAGE_ALLOW_PATTERNS")), _listed(environ.get("STORAGE_IGNORE_PATTERNS"))
        )

    def take(self, name: str) -> bool:
        if self.allow and not any(fnmatch.fnmatch(name, each) for each in self.allow):
            return False
        return not any(fnmatch.fnmatch(name, each) for each in self.ignore)


def _listed(text: str | None) -> tuple[str, ...]:
    """A JSON list, or words between commas."""
    text = (text or "").strip()
    if not text:
        return ()
    try:
        read = json.loads(text)
    except ValueError:
        read = text.split(",")
    words = read if isinstance(read, list) else [read]
    return tuple(str(each).strip() for each in words if str(each).strip())
