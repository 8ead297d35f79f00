"""Sizes, conversions between types, and the parts of times.

Source: cel-spec/doc/langdef.md (standard definitions).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from sampan.cluster.apiserver.cel import data, formats
from sampan.cluster.apiserver.cel.data import Budget, CelError, Uint
from sampan.cluster.apiserver.cel.registry import FUNCTIONS, Function, function
from sampan.lib.clock import parse_rfc3339

_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}


@function("size", ".size")
def _size(budget: Budget, value: Any) -> int:
    if not isinstance(value, str | bytes | list | dict):
        raise data.no_overload("size", value)
    return len(value)


@function("int")
def _int(_: Budget, value: Any) -> int:
    if isinstance(value, bool) or value is None:
        raise data.no_overload("int", value)
    if isinstance(value, datetime):
        return int(value.timestamp())
    if isinstance(value, timedelta):
        return int(value / timedelta(microseconds=1)) * 1000
    try:
        return data.checked_int(int(value))
    except (ValueError, TypeError, OverflowError) as error:
        raise CelError(f"type conversion error from {data.type_name(value)} to int") from error


@function("uint")
def _uint(_: Budget, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise data.no_overload("uint", value)
    try:
        return data.number(Uint(0), int(value))
    except (ValueError, OverflowError) as error:
        raise CelError(f"type conversion error from {data.type_name(value)} to uint") from error


@function("double")
def _double(_: Budget, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise data.no_overload("double", value)
    try:
        return float(value)
    except ValueError as error:
        raise CelError("type conversion error from string to double") from error


@function("bool")
def _bool(_: Budget, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    words = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
    if not isinstance(value, str) or value.lower() not in words:
        raise CelError(f"type conversion error from {data.type_name(value)} to bool")
    return words[value.lower()]


@function("string")
def to_string(budget: Budget, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise CelError("invalid UTF-8 in bytes, cannot convert to string") from error
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return f"{_trimmed(value.total_seconds())}s"
    if hasattr(value, "cel_type"):
        return str(value)
    raise data.no_overload("string", value)


def _trimmed(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


@function("bytes")
def _bytes(_: Budget, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


@function("dyn")
def _dyn(_: Budget, value: Any) -> Any:
    return value


@function("type")
def _type(_: Budget, value: Any) -> data.Type:
    return data.Type(data.type_name(value))


@function("timestamp")
def _timestamp(_: Budget, value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    try:
        if isinstance(value, int) and not isinstance(value, bool):
            return data.EPOCH + timedelta(seconds=value)
        return parse_rfc3339(value)
    except (ValueError, TypeError, OverflowError, AttributeError) as error:
        raise CelError(f"type conversion error from {data.type_name(value)} to timestamp") from error


@function("duration")
def _duration(_: Budget, value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    return duration(value)


def duration(text: Any) -> timedelta:
    """Raises CelError."""
    if not isinstance(text, str) or not formats.is_duration(text) or " " in text:
        raise CelError(f"type conversion error: {text!r} is no duration")
    total = sum(float(amount) * _UNITS[unit] for amount, unit in _DURATION.findall(text))
    try:
        return timedelta(seconds=-total if text.startswith("-") else total)
    except OverflowError as error:
        raise CelError("duration out of range") from error


# Times.


def _zone(name: str) -> tzinfo:
    try:
        if name[:1] in "+-" and ":" in name:
            hours, minutes = name[1:].split(":")
            offset = timedelta(hours=int(hours), minutes=int(minutes))
            return timezone(-offset if name[0] == "-" else offset)
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError) as error:
        raise CelError(f"unknown time zone {name}") from error


def _time_part(
    of_time: Callable[[datetime], int], of_duration: Callable[[timedelta], int] | None = None
) -> Function:
    def part(_: Budget, value: Any, zone: str = "UTC") -> int:
        if isinstance(value, timedelta) and of_duration is not None:
            return of_duration(value)
        if not isinstance(value, datetime):
            raise CelError(f"no such overload on {data.type_name(value)}")
        return of_time(value.astimezone(_zone(zone)))

    return part


def _whole(unit: timedelta) -> Callable[[timedelta], int]:
    return lambda value: int(value / unit)


FUNCTIONS |= {
    ".getFullYear": _time_part(lambda t: t.year),
    ".getMonth": _time_part(lambda t: t.month - 1),
    ".getDate": _time_part(lambda t: t.day),
    ".getDayOfMonth": _time_part(lambda t: t.day - 1),
    ".getDayOfWeek": _time_part(lambda t: (t.weekday() + 1) % 7),
    ".getDayOfYear": _time_part(lambda t: t.timetuple().tm_yday - 1),
    ".getHours": _time_part(lambda t: t.hour, _whole(timedelta(hours=1))),
    ".getMinutes": _time_part(lambda t: t.minute, _whole(timedelta(minutes=1))),
    ".getSeconds": _time_part(lambda t: t.second, _whole(timedelta(seconds=1))),
    ".getMilliseconds": _time_part(
        lambda t: t.microsecond // 1000, lambda d: int(d / timedelta(milliseconds=1)) % 1000
    ),
}
