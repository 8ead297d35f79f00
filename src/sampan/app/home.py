"""The home folder: made, locked by the one server that uses it, and where that server says it is."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import secrets
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from sampan.lib.files import replace_text

_LOCK_PATIENCE_SECONDS = 0.2

FOLDERS = ("artifacts", "volumes", "pods", "envs", "logs", "run")
"""What a home holds, beside `sampan.db`, `kubeconfig` and `settings.toml`. docs/architecture.md explains each."""


class HomeError(Exception):
    """The home folder cannot be used. The message says why and what to do."""


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """Where the running server of a home is, as `run/server.json` holds it."""

    pid: int
    url: str
    version: str
    started_at: str


class AlreadyRunningError(HomeError):
    """Another server holds the home. `info` says where, if it is ready to be asked."""

    def __init__(self, home: Path, info: ServerInfo | None) -> None:
        where = f" at {info.url} (process {info.pid})" if info else ""
        super().__init__(f"Sampan is already running{where} with the home {home}")
        self.info = info


class Home:
    """A home folder that this process has made and locked. Let go with `release`, or by ending the process."""

    def __init__(self, path: Path) -> None:
        """Raises HomeError, AlreadyRunningError."""
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            for folder in FOLDERS:
                (path / folder).mkdir(exist_ok=True)
        except OSError as error:
            raise HomeError(_unwritable(path, error)) from error
        self._lock = _lock(path)

    def publish(self, info: ServerInfo) -> None:
        """Tells other processes that the server is ready."""
        write_private(server_file(self.path), json.dumps(asdict(info)))

    def release(self) -> None:
        with contextlib.suppress(OSError):
            server_file(self.path).unlink(missing_ok=True)
        self._lock.close()

    def token(self) -> str:
        """The bearer token of this home's single user, made once."""
        file = self.path / "run" / "token"
        if not file.exists():
            write_private(file, secrets.token_urlsafe(32))
        return file.read_text(encoding="utf-8")


def server_file(home: Path) -> Path:
    return home / "run" / "server.json"


def find_server(home: Path) -> ServerInfo | None:
    """The server that runs with this home, or None. A file left by one that was killed does not count."""
    try:
        info = ServerInfo(**json.loads(server_file(home).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    try:
        with (home / "run" / "lock").open("r+", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return info
    except OSError:
        return None
    return None


def write_private(file: Path, text: str) -> None:
    """Replaces `file` at once, readable by its owner only. Raises HomeError, and leaves the file as it was."""
    try:
        replace_text(file, text, 0o600)
    except OSError as error:
        raise HomeError(_unwritable(file, error)) from error


def _lock(path: Path) -> IO[str]:
    try:
        lock = (path / "run" / "lock").open("a+", encoding="utf-8")
    except OSError as error:
        raise HomeError(_unwritable(path, error)) from error
    deadline = time.monotonic() + _LOCK_PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            # `find_server` holds the lock for an instant, to see whether anybody does.
            if time.monotonic() < deadline:
                time.sleep(0.02)
                continue
            lock.close()
            raise AlreadyRunningError(path, find_server(path)) from error
        except OSError as error:
            lock.close()
            raise HomeError(
                f"{path}: this file system cannot lock files ({error}); choose another with --home"
            ) from error
        return lock


def _unwritable(path: Path, error: OSError) -> str:
    """`path` is the home, or a file in it."""
    remedy = "free space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "make it writable"
    return (
        f"the home folder cannot be written: {path}: {error.strerror or error}; "
        f"{remedy}, or choose another with --home or SAMPAN_HOME"
    )
