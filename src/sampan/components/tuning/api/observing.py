"""What a trial measures: lines of its observation log, and what they come to.

Source: kubeflow/katib 0.19 pkg/apis/manager/v1beta1/api.proto, pkg/controller.v1beta1/trial/trial_controller_util.go.
"""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime

_NO_TEXT = re.compile("[\x00\ud800-\udfff]")
_DIGEST_CHARS = 32


@dataclass(frozen=True, slots=True)
class MetricLog:
    """One value of one metric."""

    time: str
    """RFC 3339, in UTC, up to nanoseconds."""
    name: str
    value: str
    """A number as it was written, or `labels.UNAVAILABLE`."""
    origin: str = ""
    """Where it was read, such as a file and the place in it: the same place read again counts once. Empty for what
    is pushed, which counts each time."""


@dataclass(frozen=True, slots=True)
class Metric:
    """All values of one metric of one trial. Values as they were written, or `labels.UNAVAILABLE`."""

    name: str
    min: str
    max: str
    latest: str


def storable(text: str) -> str:
    """What no database takes as text, NUL and lone surrogates, is said to be none by U+FFFD in its place."""
    return _NO_TEXT.sub("\ufffd", text)


def short(text: str, most: int) -> str:
    """Itself where it can be stored and has at most so many bytes; else its beginning, and a digest by which it
    differs from all others. `most` is more than the digest's 33."""
    found = storable(text)
    if found == text and len(text.encode()) <= most:
        return text
    digest = hashlib.blake2b(
        text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_CHARS // 2
    ).hexdigest()
    return f"{found.encode()[: most - _DIGEST_CHARS - 1].decode('utf-8', 'ignore')}~{digest}"


def microseconds(time: str) -> int:
    """Since the epoch, of a time in RFC 3339. Raises ValueError for a time that is none."""
    found = datetime.fromisoformat(_six_digits(time))
    since = _utc(found, time) - datetime(1970, 1, 1, tzinfo=UTC)
    return since.days * 86_400_000_000 + since.seconds * 1_000_000 + since.microseconds


def in_utc(time: str) -> str:
    """The same time, with nine digits of its fraction at most. Raises ValueError for a time that is none."""
    head, dot, rest = time.partition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    found = _utc(datetime.fromisoformat(head + rest[len(digits) :]), time)
    return found.isoformat().removesuffix("+00:00") + (dot + digits[:9] if digits else "") + "Z"


def _utc(found: datetime, time: str) -> datetime:
    if found.tzinfo is None:
        raise ValueError(f"the time {time!r} has no time zone: RFC 3339 wants Z or an offset at its end")
    try:
        return found.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"the time {time!r} is beyond the calendar") from None


def _six_digits(time: str) -> str:
    """A fraction of nanoseconds, as Go writes it, cut to what Python reads."""
    head, dot, rest = time.partition(".")
    if not dot:
        return time
    digits = len(rest) - len(rest.lstrip("0123456789"))
    return f"{head}.{rest[:digits][:6].ljust(6, '0')}{rest[digits:]}"


def finite(text: str) -> float | None:
    """The number, as Katib's filters and Go read it; None for what is none, NaN and infinities among it."""
    try:
        # Python's float takes what Go's does not.
        found = float(text) if "_" not in text else math.nan
    except ValueError:
        return None
    return found if math.isfinite(found) else None
