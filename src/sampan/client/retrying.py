"""When a request to an API server is sent again, and after how long. Pure; asked by `sending`.

The rules are client-go's (rest/with_retry.go, v1.31): what the server answers with a Retry-After it has not done, and
says so with 429 or a 5xx; a connection that broke is tried again for reads, and for writes only when nothing was sent.
"""

from __future__ import annotations

import random
from enum import Enum, auto

_MOST_ANSWERS = 10
_MOST_BREAKS = 4
_LONGEST_SECONDS = 30.0
_FIRST_BREAK_SECONDS = 0.1


class Break(Enum):
    """How a connection failed."""

    BEFORE_SENDING = auto()
    LATER = auto()


def after_answer(status: int, retry_after: str, attempt: int) -> float | None:
    """Seconds to wait before the next attempt; None to give the answer to the caller. Attempts count from 1."""
    if attempt > _MOST_ANSWERS or not (status == 429 or status >= 500):
        return None
    # A date is allowed by HTTP, and no API server sends one.
    return min(float(retry_after), _LONGEST_SECONDS) if retry_after.isdecimal() else None


def after_break(how: Break, *, reads: bool, attempt: int) -> float | None:
    """As `after_answer`, for a connection that failed."""
    if attempt > _MOST_BREAKS or not (reads or how is Break.BEFORE_SENDING):
        return None
    return backoff(attempt, _FIRST_BREAK_SECONDS)


def backoff(failures: int, first_seconds: float, longest_seconds: float = _LONGEST_SECONDS) -> float:
    """Twice as long after each failure, less a random part so that many clients do not come back at once."""
    seconds: float = min(first_seconds * 2 ** (failures - 1), longest_seconds)
    return seconds * random.uniform(0.5, 1.0)  # noqa: S311  jitter, not a secret
