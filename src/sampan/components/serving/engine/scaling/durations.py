"""Durations as Go writes them: `1h30m`, `60s`, `0`. Source: Go's time.ParseDuration."""

from __future__ import annotations

import re

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_WHOLE = re.compile(rf"[+-]?(?:0|(?:{_PART.pattern})+)")


def parse(text: str) -> float:
    """In seconds. Raises ValueError."""
    if _WHOLE.fullmatch(text) is None:
        raise ValueError(f'"{text}" is not a duration such as 60s or 1h30m')
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    return -seconds if text.startswith("-") else seconds


def text(seconds: float) -> str:
    """As Go prints it: `1h0m0s`, `1m0s`, `6s`, `500ms`."""
    if seconds and abs(seconds) < 1:
        return f"{seconds * 1000:g}ms"
    sign = "-" if seconds < 0 else ""
    minutes, rest = divmod(abs(seconds), 60)
    hours, minutes = divmod(int(minutes), 60)
    larger = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{sign}{larger}{rest:g}s"
