"""The folder of environments: `HOME/envs/<key>`, content-addressed and shared.

Called by the builder and the facade. An environment appears by one rename and is never changed after; what
is being built lies in `.building`, beside it, and vanishes with its builder.

    envs/
      <key>/              the environment; sampan.json is its manifest, its modification time the last use
      .building/          <key>.<pid>.<random>, and what is being removed
      .locks/<key>        held, across processes, while one builds
      pythons.json        the interpreters found (interpreter.py)
      pip.conf  uv.toml   where packages come from, for pods
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import re
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Collection, Iterator
from pathlib import Path

from sampan.cluster.node.environments.model import Manifest
from sampan.lib.threads import to_end

MANIFEST = "sampan.json"
_LOCK_POLL_SECONDS = 0.05
_KEY = re.compile(r"[0-9a-f]{32}\Z")


class EnvironmentStore:
    """Its methods that are not async are a few system calls; the others work in threads."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._building = root / ".building"
        self._locks = root / ".locks"

    def path(self, key: str) -> Path:
        return self.root / key

    def load(self, key: str) -> Manifest | None:
        """None when there is no whole environment of this key."""
        try:
            return Manifest.from_json((self.path(key) / MANIFEST).read_text(encoding="utf-8"))
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def touch(self, key: str) -> None:
        """Notes a use, for `prune`."""
        with contextlib.suppress(OSError):
            os.utime(self.path(key) / MANIFEST)

    @contextlib.asynccontextmanager
    async def lock(self, key: str) -> AsyncIterator[None]:
        """One builder of a key at a time, over all processes; a process that dies gives it up."""
        descriptor = self._open_lock(key)
        try:
            # Polled, not waited for in a thread: a cancelled task must leave no thread that takes the lock
            # later.
            while not _try_lock(descriptor):  # noqa: ASYNC110 - another process gives no event
                await asyncio.sleep(_LOCK_POLL_SECONDS)
            yield
        finally:
            os.close(descriptor)

    def stage(self, key: str) -> Path:
        """A name, unused, on the same file system, for building `key`."""
        self._building.mkdir(parents=True, exist_ok=True)
        return self._building / f"{key}.{os.getpid()}.{secrets.token_hex(4)}"

    async def publish(self, staged: Path, manifest: Manifest) -> None:
        """Makes the staged folder the environment of its key, at once; also when cancelled, as it would be removed."""
        await to_end(self._publish, staged, manifest)

    def _publish(self, staged: Path, manifest: Manifest) -> None:
        (staged / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
        target = self.path(manifest.key)
        if target.exists():
            # No manifest could be read there, or the builder would not have built: damaged.
            self._remove(target)
        staged.rename(target)

    async def discard(self, staged: Path) -> None:
        await asyncio.to_thread(shutil.rmtree, staged, ignore_errors=True)

    async def sweep(self) -> None:
        """Removes what builders that are gone have left."""
        await asyncio.to_thread(self._sweep)

    def _sweep(self) -> None:
        for entry in _entries(self._building):
            # What cannot be removed now is looked at the next time.
            with (
                contextlib.suppress(OSError),
                self._locked(entry.name.partition(".")[0] or "other") as is_ours,
            ):
                if is_ours and entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry, ignore_errors=True)
                elif is_ours:
                    entry.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _locked(self, key: str) -> Iterator[bool]:
        """Whether nobody builds this key; then nobody begins to.

        A builder's number would not tell: it may be another process by now, or one of another container that shares
        the folder.
        """
        descriptor = self._open_lock(key)
        try:
            yield _try_lock(descriptor)
        finally:
            os.close(descriptor)

    def _open_lock(self, key: str) -> int:
        self._locks.mkdir(parents=True, exist_ok=True)
        return os.open(self._locks / key, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    async def prune(self, keep: Collection[str], unused_seconds: float) -> list[str]:
        """Removes what was not used for so long and is not in `keep`; the keys removed."""
        return await asyncio.to_thread(self._prune, frozenset(keep), unused_seconds)

    def _prune(self, keep: frozenset[str], unused_seconds: float) -> list[str]:
        removed = []
        limit = time.time() - unused_seconds
        for entry in _entries(self.root):
            if not _KEY.match(entry.name) or entry.name in keep:
                continue
            try:
                used_at = (entry / MANIFEST).stat().st_mtime
            except OSError:
                used_at = 0.0
            if used_at <= limit:
                self._remove(entry)
                (self._locks / entry.name).unlink(missing_ok=True)
                removed.append(entry.name)
        return sorted(removed)

    def _remove(self, environment: Path) -> None:
        # Renamed first: an environment is whole or not there.
        doomed = self.stage(environment.name)
        environment.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []
