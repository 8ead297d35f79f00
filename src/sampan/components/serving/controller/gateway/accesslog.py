"""One line of JSON for each request, in a file for each namespace: never a body, a query, a header of who asks.

Lines are kept for a moment and written together by a thread, so that no request waits for the disk. A file that has
grown is put aside, and the oldest go.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
from datetime import UTC, datetime
from pathlib import Path
from time import time
from typing import TYPE_CHECKING

import msgspec

from sampan.lib.log import get_logger

if TYPE_CHECKING:
    from sampan.components.serving.controller.gateway.core import Done

log = get_logger(__name__)

_WRITE_SECONDS = 1.0
_MOST_BYTES = 16 * 1024 * 1024
_KEPT = 3
_MOST_LINES = 20_000
"""That wait to be written; more are counted only."""
_MOST_PATH = 512


class _Line(msgspec.Struct, omit_defaults=True):
    time: str
    id: str
    method: str
    path: str
    host: str
    status: int
    ms: float
    came: int = msgspec.field(name="in")
    out: int
    peer: str
    kind: str
    name: str
    service: str
    pod: str = ""
    trace: str = ""
    why: str = ""


_encode = msgspec.json.Encoder().encode


class AccessLog:
    """For one event loop."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lines: dict[str, list[bytes]] = {}
        self._count = 0
        self._dropped = 0
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Future[None] | None = None
        self._failed = False

    def note(self, done: Done) -> None:
        if self._count >= _MOST_LINES:
            self._dropped += 1
            return
        self._count += 1
        self._lines.setdefault(done.name[1], []).append(line(done))
        if self._timer is None and self._writing is None:
            self._timer = asyncio.get_running_loop().call_later(_WRITE_SECONDS, self._begin)

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._writing is not None:
            await self._writing
        lines, self._lines = self._lines, {}
        await asyncio.to_thread(self._write, lines)

    def _begin(self) -> None:
        self._timer = None
        lines, self._lines, self._count = self._lines, {}, 0
        self._writing = asyncio.get_running_loop().run_in_executor(None, self._write, lines)
        self._writing.add_done_callback(self._written)

    def _written(self, _future: object) -> None:
        self._writing = None
        if self._lines and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_WRITE_SECONDS, self._begin)

    def _write(self, lines: dict[str, list[bytes]]) -> None:
        for namespace, found in lines.items():
            try:
                append(self._folder, namespace, b"".join(found))
                self._failed = False
            except OSError as error:
                if not self._failed:
                    log.warning(
                        "the access log is not written", namespace=namespace, why=error.strerror or ""
                    )
                self._failed = True
        if self._dropped:
            log.warning("requests are missing in the access log", count=self._dropped)
            self._dropped = 0


def line(done: Done) -> bytes:
    head, (kind, _, name, service) = done.head, done.name
    found = _Line(
        _moment(time()),
        done.request_id.decode("latin-1"),
        head.method.decode("latin-1"),
        head.target.partition(b"?")[0].decode("latin-1")[:_MOST_PATH],
        head.host.decode("latin-1"),
        done.status,
        round(done.seconds * 1000, 3),
        *done.sizes,
        head.peer,
        kind,
        name,
        service,
        done.pod,
        head.get(b"traceparent").decode("latin-1")[:64],
        str(done.why),
    )
    return _encode(found) + b"\n"


@functools.lru_cache(maxsize=4)
def _second(whole: int) -> str:
    return datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _moment(now: float) -> str:
    whole = int(now)
    return f"{_second(whole)}.{int((now - whole) * 1000):03d}Z"


def append(folder: Path, namespace: str, data: bytes) -> None:
    """Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{namespace}.jsonl"
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    try:
        os.write(descriptor, data)
        size = os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)
    if size > _MOST_BYTES:
        for number in range(_KEPT, 0, -1):
            older = path if number == 1 else folder / f"{namespace}.{number - 1}.jsonl"
            with contextlib.suppress(FileNotFoundError):
                older.replace(folder / f"{namespace}.{number}.jsonl")
