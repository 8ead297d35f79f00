"""Durations as Go writes them (`1h30m`, `10s`), and as Argo also takes them: a bare number of seconds."""

from __future__ import annotations

import re
from datetime import timedelta

from sampan.components.pipelines.api.argo.errors import ArgoError

_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h|d)")
_SECONDS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}


def parse_duration(text: str) -> timedelta:
    """Raises ArgoError."""
    body = text.strip()
    sign = -1.0 if body.startswith("-") else 1.0
    body = body.lstrip("+-")
    if re.fullmatch(r"\d+(\.\d+)?", body):
        return timedelta(seconds=sign * float(body))
    parts = _PART.findall(body)
    if not parts or "".join(number + unit for number, unit in parts) != body:
        raise ArgoError(f"{text!r} is not a duration such as 30s, 5m or 1h30m")
    return timedelta(seconds=sign * sum(float(number) * _SECONDS[unit] for number, unit in parts))


def seconds(value: object) -> float:
    """Of a field that holds a duration, or a number of seconds as number or text. Raises ArgoError."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return parse_duration(str(value)).total_seconds()


def duration_text(value: timedelta) -> str:
    """As Go prints it: `1h30m0s`."""
    total = value.total_seconds()
    sign, total = ("-" if total < 0 else ""), abs(total)
    hours, rest = divmod(total, 3600)
    minutes, rest = divmod(rest, 60)
    tail = f"{rest:.9f}".rstrip("0").rstrip(".") + "s"
    if hours:
        return f"{sign}{int(hours)}h{int(minutes)}m{tail}"
    return f"{sign}{int(minutes)}m{tail}" if minutes else f"{sign}{tail}"
