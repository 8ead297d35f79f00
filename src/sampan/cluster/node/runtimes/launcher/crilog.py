"""The log file of one container, in the format of Kubernetes' container runtimes (CRI).

2026-01-31T12:00:00.123456789Z stdout F a whole line
2026-01-31T12:00:00.123456789Z stdout P a part of a line; the next record of the stream goes on with it
"""

from __future__ import annotations

import contextlib
import os
import time

# Longest piece of a line in one record. Source: containerd, internal/cri/config, MaxContainerLogLineSize.
MAX_LINE_BYTES = 16 * 1024
# What is kept in memory while the disk takes nothing; beyond it output is dropped and counted.
MAX_BACKLOG_BYTES = 1024 * 1024
# Of one container's log. Source: the kubelet's containerLogMaxFiles.
MAX_FILES = 5


def timestamp(nanoseconds: int) -> str:
    """RFC 3339 in UTC with nanoseconds."""
    seconds, rest = divmod(nanoseconds, 1000000000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:09d}Z"


class CriLog:
    """Takes the raw bytes of a container's streams and appends records. Never raises on a full disk."""

    def __init__(self, path: str, max_bytes: int = 0, max_files: int = MAX_FILES) -> None:
        """Beyond `max_bytes` (0: never) a new file is begun; of `max_files` in all, the oldest goes."""
        self._path = path
        self._max_bytes = max_bytes
        self._max_files = max_files
        self._open()
        self._pending: dict[str, bytes] = {}
        self._backlog = b""
        self._dropped = 0

    def feed(self, stream: str, data: bytes) -> None:
        """What was read from `stream`; an unfinished line waits for its rest."""
        lines = (self._pending.get(stream, b"") + data).split(b"\n")
        rest = lines.pop()
        head = f"{timestamp(time.time_ns())} {stream} ".encode()
        records: list[bytes] = []
        for line in lines:
            while len(line) > MAX_LINE_BYTES:
                records.append(head + b"P " + line[:MAX_LINE_BYTES] + b"\n")
                line = line[MAX_LINE_BYTES:]
            records.append(head + b"F " + line + b"\n")
        while len(rest) > MAX_LINE_BYTES:
            records.append(head + b"P " + rest[:MAX_LINE_BYTES] + b"\n")
            rest = rest[MAX_LINE_BYTES:]
        self._pending[stream] = rest
        if records:
            self._write(records)

    def end(self, stream: str) -> None:
        """`stream` is closed: what is left of it is written without a line end of its own."""
        rest = self._pending.pop(stream, b"")
        if rest:
            self._write([f"{timestamp(time.time_ns())} {stream} P ".encode() + rest + b"\n"])

    def _open(self) -> None:
        self._fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        self._size = os.fstat(self._fd).st_size

    def _rotate(self) -> None:
        """`x.log` becomes `x.log.1`, that one `x.log.2`, and so on."""
        try:
            for number in range(self._max_files - 1, 0, -1):
                older = f"{self._path}.{number - 1}" if number > 1 else self._path
                with contextlib.suppress(FileNotFoundError):
                    os.replace(older, f"{self._path}.{number}")
            before = self._fd
            self._open()
            os.close(before)
        except OSError:
            # A full disk, or the folder is gone: it goes on in the file that is open.
            self._size = 0

    def close(self) -> None:
        self._flush()
        os.close(self._fd)

    def _write(self, records: list[bytes]) -> None:
        if len(self._backlog) > MAX_BACKLOG_BYTES:
            self._dropped += len(records)
        else:
            self._backlog += b"".join(records)
        self._flush()
        if self._dropped and not self._backlog:
            text = f"sampan: {self._dropped} lines of output were lost: the disk was full"
            self._backlog = f"{timestamp(time.time_ns())} stderr F {text}\n".encode()
            self._dropped = 0
            self._flush()

    def _flush(self) -> None:
        while self._backlog:
            try:
                written = os.write(self._fd, self._backlog)
            except OSError:
                return
            self._backlog = self._backlog[written:]
            self._size += written
        if self._max_bytes and self._size >= self._max_bytes:
            self._rotate()
