"""The seam to time, so that tests decide what time it is."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where every component reads the time. Thread-safe; never raises."""

    def now(self) -> datetime:
        """The wall-clock time, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps, for measuring durations."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


def rfc3339(moment: datetime, *, micro: bool = False) -> str:
    """`moment` as Kubernetes writes a Time (seconds) or, with `micro`, a MicroTime."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    # Three times as fast as strftime, and called for every row and every status.
    return moment.isoformat(timespec="microseconds" if micro else "seconds")[:-6] + "Z"


def parse_rfc3339(text: str) -> datetime:
    """The inverse of `rfc3339`, for any offset and precision.

    Raises ValueError on anything that is not a timestamp with an offset.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"timestamp {text!r} has no time zone")
    return moment.astimezone(UTC)


def to_micros(moment: datetime) -> int:
    """Microseconds since the epoch: how times are stored, sortable and exact."""
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond


def from_micros(micros: int) -> datetime:
    """The inverse of `to_micros`."""
    seconds, rest = divmod(micros, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)
