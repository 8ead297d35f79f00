"""A line for an answered request, as kserve's servers write it: by which process, and how long each phase took.

At most a few in a second, and then how many there were besides: what a busy model writes must not fill a disk, and its
counts are in /metrics. `--enable_latency_logging=false` turns it off. Made by `serving`, told by `application`.
Source: kserve 0.20 python/kserve/kserve/logging.py (the form of a line), model.py (`kserve.trace`).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping

LINES_PER_SECOND = 10


class RequestLog:
    """For one event loop."""

    def __init__(
        self,
        *,
        is_on: bool = True,
        clock: Callable[[], float] = time.time,
        write: Callable[[str], object] | None = None,
    ) -> None:
        self.is_on = is_on
        self._clock = clock
        self._write = write or _to_stderr
        self._second = 0
        self._lines = 0

    def answered(
        self, headers: Mapping[str, str], before: float, predict: float, after: float, *, explain: float = 0.0
    ) -> None:
        """Seconds of each phase."""
        if not self.is_on:
            return
        now = self._clock()
        second = int(now)
        if second != self._second:
            left_out = self._lines - LINES_PER_SECOND
            self._second, self._lines = second, 0
            if left_out > 0:
                self._say(now, f"{left_out} more requests in that second")
        self._lines += 1
        if self._lines <= LINES_PER_SECOND:
            name = headers.get("x-request-id") or "N.A."
            self._say(
                now,
                f"requestId: {name[:128]}, preprocess_ms: {before * 1e3:.3f}, explain_ms: {explain * 1e3:.3f}, "
                f"predict_ms: {predict * 1e3:.3f}, postprocess_ms: {after * 1e3:.3f}",
            )

    def _say(self, now: float, words: str) -> None:
        at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
        self._write(f"{at}.{int(now % 1 * 1000):03d} {os.getpid()} kserve.trace {words}\n")


def _to_stderr(line: str) -> None:
    sys.stderr.write(line)
    sys.stderr.flush()
