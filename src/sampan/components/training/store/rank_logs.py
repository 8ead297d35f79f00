"""The logs of all ranks of a job as one, in the order of time. Reads files in CRI format (`lib.logfiles`).

Each rank's log is a chain: the runs of its container, then those of the pods that came after. Of each chain at most
one small piece is in memory, however far behind the reader is. Called by `rest.logs`. Synchronous: for threads.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sampan.lib.logfiles import LogReader

_CHUNK_BYTES = 32 * 1024
"""More than a record may have, which is 16 KiB of text."""
MOST_LINE_BYTES = 256 * 1024
"""A line that is longer is handed on in several."""
_MOST_TAIL_BYTES = 32 * 1024 * 1024
_SECONDS_DIGITS = len("2026-11-26T10:00:00.000000")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a rank's container. `key` orders a rank's runs and names each."""

    key: tuple[str, str, int]
    pod: str
    number: int
    """From 0, over all pods of the rank."""
    path: Path


@dataclass(frozen=True, slots=True)
class Line:
    time: str
    """RFC 3339 with nanoseconds, in UTC."""
    rank: str
    pod: str
    run: int
    text: str


class RankLog:
    """What one rank has printed, from its first run to the last. Close it."""

    def __init__(
        self,
        rank: str,
        runs: Sequence[Run],
        *,
        tail: int | None = None,
        since: str = "",
        last_only: bool = False,
    ) -> None:
        """`since` leaves out what was printed before (RFC 3339, UTC); `last_only` follows none but the newest run."""
        self.rank = rank
        self._tail = tail
        self._since = since.encode()[:_SECONDS_DIGITS].rstrip(b"Z")
        self._known = {run.key for run in runs}
        self._waiting = deque(runs[-1:] if last_only else runs)
        self._run: Run | None = None
        self._reader: LogReader | None = None
        self._data = b""
        self._at = 0
        self._line: list[bytes] = []
        self._line_size = 0
        self._time = b""

    def add(self, runs: Iterable[Run]) -> None:
        """Those that are new come after all others."""
        for run in runs:
            if run.key not in self._known:
                self._known.add(run.key)
                self._waiting.append(run)

    def read_whole(self) -> None:
        """Runs that are still to come, not only their ends."""
        self._tail = None

    def next(self) -> Line | None:
        """The next whole line; None when there is no more for now."""
        while True:
            end = self._data.find(b"\n", self._at)
            if end < 0:
                if not self._fill():
                    return None
                continue
            record, self._at = self._data[self._at : end], end + 1
            if (line := self._take(record)) is not None:
                return line

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _fill(self) -> bool:
        while True:
            if self._reader is None:
                if not self._waiting:
                    return False
                self._run = self._waiting.popleft()
                self._reader = LogReader(self._run.path, self._tail, chunk_bytes=_CHUNK_BYTES)
            self._data, self._at = self._reader.read(), 0
            if self._data:
                return True
            if not self._waiting:
                return False
            self.close()

    def _take(self, record: bytes) -> Line | None:
        time, _, rest = record.partition(b" ")
        _, _, rest = rest.partition(b" ")
        tag, _, text = rest.partition(b" ")
        self._time = self._time or time
        self._line.append(text)
        self._line_size += len(text)
        if tag == b"P" and self._line_size < MOST_LINE_BYTES:
            return None
        whole, began = b"".join(self._line), self._time
        self._line, self._line_size, self._time = [], 0, b""
        if self._since and began[: len(self._since)] < self._since:
            return None
        assert self._run is not None
        return Line(
            began.decode("ascii", "replace"),
            self.rank,
            self._run.pod,
            self._run.number,
            whole.decode("utf-8", "replace"),
        )


class MergedLog:
    """Several ranks' logs. What a rank says late comes late: nobody waits for it. Close it."""

    def __init__(self, logs: Iterable[RankLog]) -> None:
        self._logs: dict[str, RankLog] = {}
        self._dry: set[str] = set()
        self._heads: list[tuple[str, str, int, Line]] = []
        self._count = 0
        for log in logs:
            self.add(log)

    def __contains__(self, rank: object) -> bool:
        return rank in self._logs

    @property
    def has_any(self) -> bool:
        return bool(self._logs)

    def add(self, log: RankLog) -> None:
        self._logs[log.rank] = log
        self._dry.add(log.rank)

    def extend(self, rank: str, runs: Iterable[Run]) -> None:
        self._logs[rank].add(runs)

    def read(self, most: int = 1000) -> list[Line]:
        """The next lines, at most so many; none when there are no more for now."""
        for rank in sorted(self._dry):
            self._advance(rank)
        found: list[Line] = []
        while self._heads and len(found) < most:
            _, rank, _, line = heapq.heappop(self._heads)
            found.append(line)
            self._advance(rank)
        return found

    def tail(self, most: int) -> list[Line]:
        """All that there is now, of which the last lines, at most so many."""
        kept: deque[Line] = deque(maxlen=most)
        size = 0
        while lines := self.read():
            for line in lines:
                if len(kept) == most and kept:
                    size -= len(kept[0].text)
                kept.append(line)
                size += len(line.text)
                while size > _MOST_TAIL_BYTES and len(kept) > 1:
                    size -= len(kept.popleft().text)
        for log in self._logs.values():
            log.read_whole()
        return list(kept)

    def close(self) -> None:
        for log in self._logs.values():
            log.close()

    def _advance(self, rank: str) -> None:
        line = self._logs[rank].next()
        if line is None:
            self._dry.add(rank)
            return
        self._dry.discard(rank)
        self._count += 1
        heapq.heappush(self._heads, (line.time, rank, self._count, line))


def runs_of(pods: Iterable[tuple[tuple[str, str], str, Sequence[tuple[int, Path]]]]) -> list[Run]:
    """Of one rank: its pods in order, each as what orders it, its name, and the runs of its container."""
    found: list[Run] = []
    for since, name, files in pods:
        for number, path in files:
            found.append(Run((*since, number), name, len(found), path))
    return found
