"""Copies of remote objects on this machine, so that what one step has written or read the next one need not download.

An object is known by its bucket, key and etag: one that changed is another one. What was not used for longest goes
first when the copies take more room than they may. Blocks; thread-safe, as files appear and go whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

from sampan.store.artifacts import files
from sampan.store.artifacts.protocol import ArtifactStore, StoredObject

_TRIMMED_TO = 0.8
"""Of what is allowed, so that not every object trims."""


class ReadCache:
    def __init__(self, folder: Path, most_bytes: int) -> None:
        """`most_bytes` of 0 keeps nothing."""
        self._folder = folder
        self._most_bytes = most_bytes
        self._since_trim = 0

    def get(self, store: ArtifactStore, bucket: str, item: StoredObject, target: Path) -> None:
        """Brings the object to `target`: a copy of its own, which may be written to."""
        if self.take(bucket, item, target):
            return
        found = store.download(item.key, target)
        # What came may be newer than what was asked for.
        if found == item:
            self.keep(bucket, item, target)

    def take(self, bucket: str, item: StoredObject, target: Path) -> bool:
        """Copies the object to `target`; False where it is not kept."""
        place = self._place(bucket, item)
        if place is None or not place.exists():
            return False
        try:
            files.copy(place, target)
            os.utime(place)
        except OSError:
            return False
        return True

    def keep(self, bucket: str, item: StoredObject, file: Path) -> None:
        """Keeps a copy of what was downloaded to `file`."""
        place = self._place(bucket, item)
        if place is not None:
            self._keep(place, file, item.size, link=False)

    def put(self, bucket: str, item: StoredObject, file: Path) -> None:
        """Keeps what has just been uploaded from `file`, which nobody writes to any more."""
        place = self._place(bucket, item)
        if place is not None:
            self._keep(place, file, item.size, link=True)

    def trim(self) -> None:
        """Removes what was not used for longest until the rest fits."""
        found = []
        for where, _, names in os.walk(self._folder):
            for name in names:
                path = Path(where, name)
                with contextlib.suppress(OSError):
                    stat = path.stat()
                    found.append((stat.st_mtime, stat.st_size, path))
        total = sum(size for _, size, _ in found)
        if total <= self._most_bytes:
            return
        for _, size, path in sorted(found):
            path.unlink(missing_ok=True)
            total -= size
            if total <= self._most_bytes * _TRIMMED_TO:
                return

    def _place(self, bucket: str, item: StoredObject) -> Path | None:
        if not item.etag or item.size > self._most_bytes * _TRIMMED_TO:
            return None
        name = hashlib.sha256(f"{bucket}\0{item.key}\0{item.etag}\0{item.size}".encode()).hexdigest()
        return self._folder / name[:2] / name

    def _keep(self, place: Path, file: Path, size: int, *, link: bool) -> None:
        # That nothing can be kept, for want of space say, is no reason to fail.
        with contextlib.suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True)
            if link:
                with files.arriving(place) as part:
                    os.link(file, part)
            else:
                files.copy(file, place)
            self._since_trim += size
            if self._since_trim > self._most_bytes * (1 - _TRIMMED_TO):
                self._since_trim = 0
                self.trim()
