"""What lies in a folder or below a prefix of a bucket, bounded, and who may look where.

Symbolic links are not followed: what is watched stays below the folder, whoever may write into it (SECURITY.md, row 4).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.api.events import EventKind
from sampan.components.pipelines.api.globs import is_deep
from sampan.lib.threads import Threads
from sampan.store.artifacts.protocol import (
    ArtifactStore,
    StoreError,
    StoreUnavailableError,
    StoreUnusableError,
)

MOST_ENTRIES = 20_000
"""Files and folders that are looked at in one place."""
_LONGEST_PATH = 1000
_DEEPEST = 32


class Buckets(Protocol):
    """The object stores that triggers may watch."""

    async def refresh(self, namespace: str) -> None:
        """Learns anew how the namespace's stores are reached."""
        ...

    def open(self, namespace: str, uri: str) -> tuple[ArtifactStore, str]:
        """A bucket's store, and the prefix in it. Thread-safe. Raises StoreError."""
        ...


class NoBuckets:
    """Where there are none."""

    async def refresh(self, namespace: str) -> None:
        """Nothing to learn."""

    def open(self, namespace: str, uri: str) -> tuple[ArtifactStore, str]:
        raise StoreUnusableError(f"{uri}: this server reads no object stores")


class PlaceError(Exception):
    """The place cannot be looked at now; the message is for people."""


class AwayError(PlaceError):
    """Nobody answers there, or not now."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where triggers look: those that look at the same place share what is found."""

    kind: EventKind
    namespace: str
    where: str
    """A folder, or a URI."""
    deep: bool

    @classmethod
    def of(cls, kind: EventKind, namespace: str, source: Mapping[str, Any]) -> Place:
        where = source["folder"] if kind is EventKind.FILE else source["uri"]
        return cls(kind, namespace, where, is_deep(source["glob"]))


class Places:
    """Looks into places, within the roots that the settings allow."""

    def __init__(self, roots: Sequence[str], buckets: Buckets, asking: Threads, *, everywhere: bool) -> None:
        """`everywhere`: without roots every place may be watched, as the one user may read it anyway."""
        self._roots = tuple(roots)
        self._buckets = buckets
        self._asking = asking
        self._everywhere = everywhere

    def check(self, place: Place, path: str) -> None:
        """Raises InvalidArgumentError naming `path` unless the namespace may watch the place."""
        if not self._is_allowed(place):
            allowed = ", ".join(self._roots_of(place)) or "nothing"
            raise InvalidArgumentError(
                f"{path}: {place.where!r} is outside of what may be watched in the namespace {place.namespace!r} "
                f"(pipelines.watch_roots allows: {allowed})"
            )
        if place.kind is EventKind.FILE and not Path(place.where).is_dir():
            raise InvalidArgumentError(f"{path}: {place.where!r} is no folder of the server's machine")

    async def look(self, place: Place) -> dict[str, str]:
        """Versions of all files by their path below the place. Raises PlaceError."""
        if place.kind is EventKind.OBJECT:
            await self._buckets.refresh(place.namespace)
        return await self._asking.run(self._look, place)

    def _look(self, place: Place) -> dict[str, str]:
        # Asked anew each time: a folder may have become a link since.
        if not self._is_allowed(place):
            raise PlaceError(f"{place.where} is outside of what may be watched (pipelines.watch_roots)")
        found: dict[str, str] = {}
        entries = self._files(place) if place.kind is EventKind.FILE else self._objects(place)
        for looked_at, (path, version) in enumerate(entries):
            if looked_at >= MOST_ENTRIES:
                raise PlaceError(
                    f"{place.where} holds more than {MOST_ENTRIES} entries: watch a smaller folder, "
                    "or move what is done"
                )
            if version and len(path.encode(errors="surrogateescape")) <= _LONGEST_PATH:
                found[path] = version
        return found

    def _is_allowed(self, place: Place) -> bool:
        roots = self._roots_of(place)
        if not self._roots and self._everywhere:
            return True
        if place.kind is EventKind.FILE:
            real = os.path.realpath(place.where)
            return any(Path(real).is_relative_to(os.path.realpath(root)) for root in roots)
        return any(f"{place.where.rstrip('/')}/".startswith(f"{root.rstrip('/')}/") for root in roots)

    def _roots_of(self, place: Place) -> list[str]:
        own = [root.replace("{namespace}", place.namespace) for root in self._roots]
        return [root for root in own if ("://" in root) == (place.kind is EventKind.OBJECT)]

    def _files(self, place: Place) -> Iterator[tuple[str, str]]:
        """Paths with their versions; folders and whatever is no file without one, as they count too."""
        waiting = [("", os.path.realpath(place.where), 0)]
        while waiting:
            prefix, folder, depth = waiting.pop()
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        path = prefix + entry.name
                        version, is_folder = _version(entry)
                        yield path, version
                        if is_folder and place.deep and depth < _DEEPEST:
                            waiting.append((f"{path}/", entry.path, depth + 1))
            except OSError as error:
                if depth == 0:
                    raise PlaceError(f"{folder} cannot be looked into: {error.strerror}") from error

    def _objects(self, place: Place) -> Iterator[tuple[str, str]]:
        try:
            store, prefix = self._buckets.open(place.namespace, place.where)
            start = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
            for found in store.list(prefix.strip("/")):
                path = found.key.removeprefix(start)
                yield path, (found.etag or str(found.size)) if place.deep or "/" not in path else ""
        except StoreUnavailableError as error:
            raise AwayError(f"{place.where} cannot be listed: {error.message}") from error
        except StoreError as error:
            raise PlaceError(f"{place.where} cannot be listed: {error.message}") from error


def _version(entry: os.DirEntry[str]) -> tuple[str, bool]:
    """Of a plain file; and whether it is a folder. Links are neither."""
    try:
        found = entry.stat(follow_symlinks=False)
        entry.name.encode()
    except (OSError, UnicodeEncodeError):
        return "", False  # it has just gone, or its name is no text
    if not stat.S_ISREG(found.st_mode):
        return "", stat.S_ISDIR(found.st_mode)
    return f"{found.st_size}-{found.st_mtime_ns}", False
