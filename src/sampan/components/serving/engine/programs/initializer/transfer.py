"""Carries out what a source has listed: several files at a time, tried again, verified, put when they are whole."""

from __future__ import annotations

import http.client
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sampan.components.serving.engine.programs.initializer import archives, digests, places
from sampan.components.serving.engine.programs.initializer.cache import Cache, most_model_bytes
from sampan.components.serving.engine.programs.initializer.digests import Digest
from sampan.components.serving.engine.programs.initializer.errors import StorageError, UnreachableError
from sampan.components.serving.engine.programs.initializer.items import MOST_FILES, Item, file_name
from sampan.components.serving.engine.programs.initializer.web import Answer

_PIECE = 1 << 20
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.5, 10.0
_ROOM = 64 << 20
"""Left free on the disk."""
_SLOWEST = 16 * 1024
"""Bytes a second, on average after the first minute: what comes slower is given up."""
_PATIENCE_SECONDS = 60.0

Log = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Limits:
    attempts: int = 3
    at_once: int = 4
    most_bytes: int = 0
    """Of one model; 0 for any."""

    @staticmethod
    def of(environ: Mapping[str, str]) -> Limits:
        return Limits(
            attempts=_number(environ, "S3_MAX_ATTEMPTS", 3),
            at_once=_number(environ, "S3_MAX_FILE_CONCURRENCY", 4),
            most_bytes=most_model_bytes(environ),
        )


class Transfer:
    """For one thread; it has threads of its own."""

    def __init__(self, cache: Cache, limits: Limits, log: Log) -> None:
        self.cache = cache
        self.limits = limits
        self._log = log

    def fetch_model(
        self, items: Sequence[Item], target: Path, kind: Callable[[Path], str] | None = None
    ) -> None:
        """As `fetch`; a file that is alone and an archive becomes what it holds. `kind` tells what it is; without it
        the name does. Raises StorageError, OSError."""
        alone = items[0] if len(items) == 1 else None
        tree = None if alone is None else self.cache.tree(alone)
        if alone is not None and tree is not None and tree.is_dir() and self.cache.take(tree, target):
            self._log(f"Taken from the cache of this machine: what {alone.name} holds")
            return
        (file, *others) = self.fetch(items, target)
        found = "" if others else kind(file) if kind is not None else archives.kind_of(file.name)
        if not found:
            return
        most = self.limits.most_bytes
        self._log(f"Unpacking: {file.name}")
        if alone is None or tree is None:
            archives.unpack(file, target, most_bytes=most, kind=found)
        else:
            self._unpack_through_cache(file, found, tree, target)
            self.cache.drop(alone)
        file.unlink(missing_ok=True)

    def _unpack_through_cache(self, file: Path, kind: str, tree: Path, target: Path) -> None:
        with self.cache.locked(tree) as part:
            if self.cache.take(tree, target):
                return
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            archives.unpack_into(file, part, most_bytes=self.limits.most_bytes, kind=kind)
            # First: once it is kept it may go again.
            self.cache.take(part, target)
            part.rename(tree)

    def fetch(self, items: Sequence[Item], target: Path) -> list[Path]:
        """Brings all of them below `target`; where they are. Raises StorageError."""
        wanted = {target / file_name(each.name): each for each in items}
        if len(wanted) > MOST_FILES:
            raise StorageError(f"The model is more than {MOST_FILES} files")
        self._check(list(wanted.values()), target)
        with ThreadPoolExecutor(self.limits.at_once, thread_name_prefix="fetch") as pool:
            futures = [pool.submit(self._one, item, place) for place, item in wanted.items()]
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            if any(each.exception() for each in done):
                pool.shutdown(cancel_futures=True)
            for each in futures:
                if not each.cancelled():
                    each.result()
        return list(wanted)

    def persistently(self, work: Callable[[], None], what: str) -> None:
        """What a store refuses for a moment is tried again. Raises StorageError, OSError."""
        wait_seconds = _FIRST_WAIT_SECONDS
        for left in reversed(range(self.limits.attempts)):
            try:
                work()
                return
            except UnreachableError as error:
                if not left:
                    raise
                self._log(f"Trying again: {what}: {error}")
                time.sleep(wait_seconds)
                wait_seconds = min(wait_seconds * 2, _LONGEST_WAIT_SECONDS)

    def _check(self, items: Sequence[Item], target: Path) -> None:
        size, most = sum(each.size or 0 for each in items), self.limits.most_bytes
        if most and size > most:
            raise StorageError(
                f"The model has {size / 1024**3:.1f} GiB, more than the {most / 1024**3:g} GiB that are allowed; "
                "serving.max_model_gib raises that"
            )
        new = sum(each.size or 0 for each in items if not self.cache.has(each))
        free = places.free_bytes(target)
        if new and new + _ROOM > free:
            raise StorageError(
                f"No space left for the model: it has {new / 1024**2:.0f} MiB, and the disk of {target} has "
                f"{free / 1024**2:.0f} MiB free"
            )

    def _one(self, item: Item, target: Path) -> None:
        try:
            place = self.cache.place(item)
            if place is None:
                with places.arriving(target) as part:
                    self._download(item, part)
            else:
                self._through_cache(item, place, target)
        except OSError as error:
            if places.is_full(error):
                raise StorageError(f"No space left on the disk of {target.parent} for {item.name}") from error
            raise StorageError(f"{item.name} cannot be written: {error}") from error

    def _through_cache(self, item: Item, place: Path, target: Path) -> None:
        if self.cache.take(place, target):
            self._log(f"Taken from the cache of this machine: {item.name}")
            return
        with self.cache.locked(place) as part:
            if not self.cache.take(place, target):
                self._download(item, part)
                part.chmod(0o444 | (part.stat().st_mode & 0o111))
                # First: once it is kept it may go again.
                self.cache.take(part, target)
                part.replace(place)

    def _download(self, item: Item, part: Path) -> None:
        """To `part`, from where it ends already. Raises StorageError, OSError."""
        attempts, wait_seconds = 0, _FIRST_WAIT_SECONDS
        digest = item.digest
        while True:
            before = part.stat().st_size if part.exists() else 0
            try:
                digest = self._attempt(item, part) or digest
                break
            except UnreachableError as error:
                grown = part.exists() and part.stat().st_size > before
                attempts = 1 if grown else attempts + 1
                if attempts >= self.limits.attempts:
                    raise StorageError(f"{item.name}: {error}") from error
                self._log(f"Trying again: {item.name}: {error}")
                time.sleep(wait_seconds)
                wait_seconds = min(wait_seconds * 2, _LONGEST_WAIT_SECONDS)
        try:
            digests.verify(item.name, part, digest)
        except StorageError:
            # Nothing of it may be gone on with.
            part.unlink(missing_ok=True)
            raise

    def _attempt(self, item: Item, part: Path) -> Digest | None:
        """What the server says of the whole content, if it does. Raises UnreachableError, StorageError, OSError."""
        offset = part.stat().st_size if part.exists() and item.can_resume and item.identity else 0
        if item.size is not None and offset > item.size:
            offset = 0
        if offset and offset == item.size:
            return None
        with item.open(offset) as answer:
            if offset and answer.status != 206:
                offset = 0
            with part.open("r+b" if offset else "wb") as stream:
                stream.seek(offset)
                self._stream(item, answer, stream, offset)
            return None if offset else digests.said(answer)

    def _stream(self, item: Item, answer: Answer, stream: BinaryIO, offset: int) -> None:
        began, came, expected = time.monotonic(), 0, answer.length
        try:
            while piece := answer.body.read1(_PIECE):
                stream.write(piece)
                came += len(piece)
                if self.limits.most_bytes and offset + came > self.limits.most_bytes:
                    raise StorageError(
                        f"{item.name} is larger than allowed; serving.max_model_gib raises that"
                    )
                waited = time.monotonic() - began
                if waited > _PATIENCE_SECONDS and came < waited * _SLOWEST:
                    raise UnreachableError(f"it comes too slowly: {came} bytes in {waited:.0f} s")
        except http.client.HTTPException as error:
            raise UnreachableError(f"it broke off: {error or type(error).__name__}") from error
        except OSError as error:
            if places.is_full(error):
                raise
            raise UnreachableError(f"it broke off: {error}") from error
        total = item.size if item.size is not None else (None if expected is None else offset + expected)
        if total is not None and offset + came != total:
            raise UnreachableError(f"it arrived only in part: {offset + came} of {total} bytes")


def _number(environ: Mapping[str, str], name: str, default: int) -> int:
    try:
        return min(max(int(environ.get(name) or default), 1), 64)
    except ValueError:
        return default
