"""The files that movers fetch and publish: which ones a plan opens, and writing them so that a break loses nothing.

Called by the routes of the transfers, in threads: everything here blocks. A file that is coming lies beside its place
under a name of its own until it is complete and its hash is right; links are never made, so that no path leads out of
the folders.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from sampan.components.pipelines.engine.transfer_plans import TransferPlan
from sampan.kube.errors import ApiError, ConflictError, ForbiddenError, NotFoundError, RequestTooLargeError
from sampan.lib.ids import short_hash

MOST_FILES = 100_000
_PART = ".sampan-part-"
_FILE_LOCKS = 64
"""Shared by all files: two pieces of the same one are never written at once, those of two hardly ever wait."""
_MOST_PODS = 1000
"""Whose totals are remembered; one that is forgotten begins anew."""


class DiskFullError(ApiError):
    code, reason = 507, "InsufficientStorage"


@dataclass(frozen=True, slots=True)
class Upload:
    """One file on its way here."""

    path: str
    size: int
    sha256: str
    executable: bool = False


@dataclass(slots=True)
class _Taken:
    """What one pod has published so far."""

    sizes: dict[str, int] = field(default_factory=dict)
    total: int = 0


class Transfers:
    """Thread-safe."""

    def __init__(self, home: Path, most_bytes: int) -> None:
        """`most_bytes` that one step may publish."""
        self._artifacts = home / "artifacts"
        self._work = home / "pipelines" / "work"
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._file_locks = [threading.Lock() for _ in range(_FILE_LOCKS)]
        self._taken: dict[str, _Taken] = {}
        self._digests: dict[tuple[str, int, int], str] = {}

    # To the pod

    def manifest(self, plan: TransferPlan) -> dict[str, Any]:
        """What the pod needs, as its mover reads it. Raises ApiError."""
        entries: list[dict[str, Any]] = []
        notes: list[str] = []
        for uri in plan.inputs:
            if not uri.startswith("/"):
                notes.append(f"not moved, for it lies in a store of its own: {uri}")
            elif not self._is_ours(uri):
                notes.append(f"not moved, for it does not lie in the platform's store: {uri}")
            elif not os.path.lexists(uri):
                notes.append(f"not moved, for nothing was written there: {uri}")
            else:
                entries += self._entries(Path(uri))
            if len(entries) > MOST_FILES:
                raise RequestTooLargeError(f"the step's inputs are more than {MOST_FILES} files")
        return {"folders": list(plan.folders), "inputs": entries, "notes": notes}

    def open_input(self, plan: TransferPlan, path: str) -> BinaryIO:
        """Raises ForbiddenError, NotFoundError."""
        if not any(path == uri or _is_below(path, uri) for uri in plan.inputs) or not self._is_ours(path):
            raise ForbiddenError(f"{path} is no input of this step")
        try:
            return open(path, "rb")
        except OSError as error:
            raise NotFoundError(f"the input {path} cannot be read: {error.strerror}") from error

    def _entries(self, root: Path) -> Iterator[dict[str, Any]]:
        if root.is_file():
            yield self._file(root)
            return
        for folder, folders, names in os.walk(root):
            folders.sort()
            yield {"type": "folder", "path": folder}
            for name in sorted(names):
                file = Path(folder, name)
                # A link that leads out of the store is not ours to hand out.
                if not name.startswith(_PART) and file.is_file() and self._is_ours(str(file)):
                    yield self._file(file)

    def _file(self, file: Path) -> dict[str, Any]:
        found = file.stat()
        return {
            "type": "file",
            "path": str(file),
            "size": found.st_size,
            "sha256": self._digest(file, found),
            "executable": bool(found.st_mode & 0o100),
        }

    def _digest(self, file: Path, found: os.stat_result) -> str:
        """Remembered: an artifact that many steps read is measured once."""
        key = (str(file), found.st_size, found.st_mtime_ns)
        if (known := self._digests.get(key)) is None:
            with file.open("rb") as stream:
                known = hashlib.file_digest(stream, "sha256").hexdigest()
            if len(self._digests) > MOST_FILES:
                self._digests.clear()
            self._digests[key] = known
        return known

    # From the pod

    def begun(self, plan: TransferPlan, upload: Upload) -> dict[str, Any]:
        """How much of a file is here already. Raises ApiError."""
        target = self._target(plan, upload.path)
        # A piece whose sender has hung up is written to its end.
        with self._lock_of(upload):
            if self._is_complete(target, upload):
                return {"size": upload.size, "complete": True}
            part = _part(target, upload)
            return {"size": part.stat().st_size if part.exists() else 0, "complete": False}

    def write(self, plan: TransferPlan, upload: Upload, offset: int, content: bytes) -> dict[str, Any]:
        """Appends to a file; completes it. Tells how much is here, which may differ. Raises ApiError."""
        target = self._target(plan, upload.path)
        self._account(plan.pod, upload)
        with self._lock_of(upload):
            return self._append(target, upload, offset, content)

    def _lock_of(self, upload: Upload) -> threading.Lock:
        return self._file_locks[hash(upload.path) % _FILE_LOCKS]

    def _append(self, target: Path, upload: Upload, offset: int, content: bytes) -> dict[str, Any]:
        part = _part(target, upload)
        if offset and not part.exists() and self._is_complete(target, upload):
            # The answer that said so was lost.
            return {"size": upload.size, "complete": True}
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with part.open("ab") as stream:
                have = stream.tell()
                if have != offset or have + len(content) > upload.size:
                    if have > upload.size or have + len(content) > upload.size:
                        stream.truncate(0)
                        have = 0
                    return {"size": have, "complete": False}
                stream.write(content)
                have += len(content)
            if have < upload.size:
                return {"size": have, "complete": False}
            with part.open("rb") as whole:
                if hashlib.file_digest(whole, "sha256").hexdigest() != upload.sha256:
                    part.unlink()
                    raise ConflictError(f"{upload.path} changed while it was published")
            part.chmod(0o755 if upload.executable else 0o644)
            part.replace(target)
        except OSError as error:
            raise DiskFullError(f"the platform cannot keep {upload.path}: {error.strerror}") from error
        return {"size": upload.size, "complete": True}

    def _is_complete(self, target: Path, upload: Upload) -> bool:
        with contextlib.suppress(OSError):
            found = target.stat()
            return found.st_size == upload.size and self._digest(target, found) == upload.sha256
        return False

    def make_folder(self, plan: TransferPlan, path: str) -> None:
        try:
            self._target(plan, path).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DiskFullError(f"the platform cannot keep {path}: {error.strerror}") from error

    def done(self, plan: TransferPlan) -> None:
        """All is here: what came by halves goes."""
        with self._lock:
            self._taken.pop(plan.pod, None)
        for folder in plan.folders:
            for where, _, names in os.walk(folder):
                for name in names:
                    if name.startswith(_PART):
                        Path(where, name).unlink(missing_ok=True)

    def _target(self, plan: TransferPlan, path: str) -> Path:
        if os.path.normpath(path) != path or not any(
            path == folder or _is_below(path, folder) for folder in plan.folders
        ):
            raise ForbiddenError(f"{path} does not lie in the step's own folders")
        if not self._is_ours(path) or len(os.path.basename(path).encode()) > 255:
            raise ForbiddenError(f"{path} does not lie in the platform's store")
        return Path(path)

    def _account(self, pod: str, upload: Upload) -> None:
        with self._lock:
            if pod not in self._taken and len(self._taken) >= _MOST_PODS:
                self._taken.pop(next(iter(self._taken)))
            taken = self._taken.setdefault(pod, _Taken())
            taken.total += upload.size - taken.sizes.get(upload.path, 0)
            taken.sizes[upload.path] = upload.size
            if taken.total > self._most_bytes or len(taken.sizes) > MOST_FILES:
                raise RequestTooLargeError(
                    f"the step's outputs are more than {self._most_bytes // 1024**3} GiB or {MOST_FILES} files; "
                    "cluster.max_output_gib raises the former"
                )

    def _is_ours(self, path: str) -> bool:
        """Where the path really leads, in the end."""
        real = Path(path).resolve()
        return any(real.is_relative_to(root.resolve()) for root in (self._artifacts, self._work))


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(f"{folder}/") and ".." not in path.split("/")


def _part(target: Path, upload: Upload) -> Path:
    return target.with_name(f"{_PART}{short_hash(target.name, upload.sha256, length=20)}")
