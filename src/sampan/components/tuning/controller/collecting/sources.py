"""What a collector reads: the log of one run of a container, or a file that it writes. Synchronous: for threads.

Each value has an origin, by which it counts once however often it is read: a crash of the server loses nothing and
repeats nothing. Made by `following`.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sampan.components.tuning.api.observing import MetricLog, short
from sampan.components.tuning.engine.collecting.lines import Complaint, Lines, Values
from sampan.components.tuning.engine.collecting.wanted import Wanted
from sampan.components.tuning.engine.trial.observation import Sums
from sampan.components.tuning.engine.trial.stopping import StopRules
from sampan.lib import linkless
from sampan.lib.loglines import LogLines

_MOST_VALUES = 5000
"""Of one `read`."""
_CHUNK_BYTES = 256 * 1024
_MOST_OF_PATH = 128
"""Bytes, in an origin."""


class Source(Protocol):
    """For one thread at a time. Close it."""

    key: str
    """Begins the origins of all its values."""
    place: str
    """For people."""
    sums: Sums
    rules: StopRules

    def read(self, *, is_over: bool) -> list[MetricLog]:
        """The next values; none when there are no more for now. `is_over`: nothing more is written."""
        ...

    problem: str
    """Why there may be nothing; empty for no reason."""

    @property
    def complaint(self) -> Complaint | None: ...

    @property
    def is_last_odd(self) -> bool:
        """Whether a line without a value came after all values of the objective."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class RunKey:
    """One run of one container of one pod."""

    uid: str
    pod: str
    container: str
    run: int

    @property
    def origin(self) -> str:
        return f"{self.uid}/{self.container}.{self.run}"

    def origin_of(self, path: str) -> str:
        """Of a file that outlives runs: it begins origins, which have to be short, and a path may be long."""
        return f"{self.uid}/{self.container}:{short(path, _MOST_OF_PATH)}@"

    @property
    def place(self) -> str:
        again = f" (run {self.run + 1})" if self.run else ""
        return f"container {self.container} of pod {self.pod}{again}"


class LineSource:
    """Of lines: takes values out of them, sums them up and holds them against the rules."""

    def __init__(self, wanted: Wanted, key: str, place: str) -> None:
        self.key, self.place = key, place
        self.problem = ""
        self._wanted = wanted
        self._start()

    def _start(self) -> None:
        self.sums = Sums(self._wanted.objective)
        self.rules = StopRules(self._wanted.rules, self._wanted.objective)
        self.lines = Lines(self._wanted)

    @property
    def complaint(self) -> Complaint | None:
        found = self.lines.complaint
        return found if found is not None or self.sums.has_objective else self.lines.missed

    @property
    def is_last_odd(self) -> bool:
        return self.lines.is_last_odd

    def taken(self, values: Values, origin: str) -> Iterable[MetricLog]:
        for number, (name, value) in enumerate(values.found):
            log = MetricLog(values.time, name, value, f"{origin}#{number}")
            self.sums.take(log)
            self.rules.take(name, value)
            yield log


class LogSource(LineSource):
    """What one run of a container has printed, from its log on this machine."""

    def __init__(self, wanted: Wanted, run: RunKey, path: Path, tell: Callable[[list[str]], None]) -> None:
        """`tell` is told every line, with its time. Raises ValueError."""
        super().__init__(wanted, f"{run.origin}@", run.place)
        self._tell = tell
        self._log = LogLines(path)
        self._time, self._same = "", 0

    def read(self, *, is_over: bool) -> list[MetricLog]:
        found: list[MetricLog] = []
        while len(found) < _MOST_VALUES and (lines := self._log.read()):
            found.extend(self._taken_of(lines))
        if is_over and not found:
            found.extend(self._taken_of(self._log.rest()))
        return found

    def _taken_of(self, lines: Iterable[tuple[str, str]]) -> Iterable[MetricLog]:
        lines = list(lines)
        for time, text in lines:
            yield from self.line(time, text)
        if lines:
            self._tell([f"{time} {text}" for time, text in lines])

    def line(self, time: str, text: str) -> Iterable[MetricLog]:
        # The places of lines move when the oldest file of a log goes; times do not.
        self._same = self._same + 1 if time == self._time else 0
        self._time = time
        return self.taken(self.lines.take(text, time), f"{self.key}{time}.{self._same}")

    def close(self) -> None:
        self._log.close()


class FileSource(LineSource):
    """A file of lines that a container writes. One that became shorter is a new one."""

    def __init__(self, wanted: Wanted, run: RunKey, path: Callable[[], str], now: Callable[[], str]) -> None:
        """`path` may be empty while there is nothing. Raises ValueError."""
        super().__init__(wanted, run.origin_of(wanted.path), f"{wanted.path} in {run.place}")
        self._path, self._now = path, now
        self._offset = self._line_at = 0
        self._rest = b""

    def read(self, *, is_over: bool) -> list[MetricLog]:
        found: list[MetricLog] = []
        while not found:
            data = self._data()
            *lines, self._rest = (self._rest + data).split(b"\n")
            if not data:
                if is_over and self._rest:
                    found.extend(self._line(self._rest))
                    self._rest = b""
                break
            for line in lines:
                found.extend(self._line(line))
        return found

    def _line(self, line: bytes) -> Iterable[MetricLog]:
        # Its text too: a file that was written anew has other lines at the same places.
        origin = f"{self.key}{self._line_at}.{zlib.crc32(line):x}"
        self._line_at += len(line) + 1
        return self.taken(self.lines.take(line.decode("utf-8", "replace"), self._now()), origin)

    def close(self) -> None:
        return

    def _data(self) -> bytes:
        path = self._path()
        self.problem = f"{self.place} was not written" if not self._offset else ""
        if not path:
            return b""
        try:
            above, name = os.path.split(path)
            with linkless.folder(above) as place:
                descriptor = linkless.opened(name, place)
        except OSError:
            return b""
        self.problem = ""
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            state = os.fstat(descriptor)
            if state.st_size < self._offset:
                self._offset = self._line_at = 0
                self._rest = b""
                self._start()
            file.seek(self._offset)
            data = file.read(_CHUNK_BYTES) or b""
        self._offset += len(data)
        return data
