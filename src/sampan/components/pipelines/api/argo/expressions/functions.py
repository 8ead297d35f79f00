"""What expressions can call: expr-lang's own functions and those that Argo adds.

Source: builtin/builtin.go, expr-lang/expr v1.17; util/expr/env, argo-workflows v3.7.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from sampan.components.pipelines.api.argo.durations import duration_text, parse_duration
from sampan.components.pipelines.api.argo.errors import ArgoError
from sampan.components.pipelines.api.argo.expressions.jsonpath import jsonpath
from sampan.lib.clock import parse_rfc3339, rfc3339
from sampan.lib.common_expressions import cel

_LONGEST_TEXT = 32 * 1024 * 1024


@cache
def _matching() -> Any:
    return cel().compile("text.matches(pattern)")


def matches(text: str, pattern: str) -> bool:
    """By RE2's rules, whose time is bounded by the text's length: patterns come from users."""
    try:
        return bool(_matching().execute(cel().Context({"text": text, "pattern": pattern})))
    except (ValueError, RuntimeError) as error:
        raise ArgoError(f"{pattern!r} is not a regular expression: {error}") from None


def type_name(value: Any) -> str:
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "bool"
    for kinds, name in (
        (int, "int"),
        (float, "float"),
        (str, "string"),
        (list, "array"),
        (Mapping, "map"),
        (datetime, "time"),
        (timedelta, "duration"),
    ):
        if isinstance(value, kinds):
            return name
    return "function"


def as_int(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ArgoError(f"a {type_name(value)} is not a whole number")
    if isinstance(value, str) and not re.fullmatch(r"[+-]?\d+", value):
        raise ArgoError(f"{value!r} is not a whole number")
    return int(value)


def as_float(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ArgoError(f"{value!r} is not a number") from None


def to_string(value: Any) -> str:
    """As Go prints a value."""
    if value is None:
        return "<nil>"
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e21 else repr(value)
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, timedelta):
        return duration_text(value)
    return to_json(value) if isinstance(value, list | Mapping) else str(value)


def to_json(value: Any) -> str:
    """Integral numbers without a point, as Go has it."""
    return json.dumps(plain(value), separators=(",", ":"), ensure_ascii=False)


def plain(value: Any) -> Any:
    """`value` as JSON can say it."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ArgoError("the result is not a number that JSON can hold")
        return int(value) if value.is_integer() and abs(value) < 1e21 else value
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, timedelta):
        return value // timedelta(microseconds=1) * 1000
    if callable(value):
        raise ArgoError("the result is a function")
    return value


def from_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, TypeError, RecursionError):
        raise ArgoError("fromJSON(): the text is not JSON") from None


def _length(value: Any) -> int:
    if not isinstance(value, str | list | Mapping):
        raise ArgoError(f"len() of a {type_name(value)}")
    return len(value)


def _round(value: float) -> float:
    return float(math.floor(abs(value) + 0.5)) * (1 if value >= 0 else -1)


def _repeat(text: str, count: int) -> str:
    if len(text) * count > _LONGEST_TEXT:
        raise ArgoError("repeat() makes a text that is too long")
    return text * count


def replaced(text: str, old: str, new: str, count: int = -1) -> str:
    if text.count(old) * len(new) > _LONGEST_TEXT:
        raise ArgoError("replace() makes a text that is too long")
    return text.replace(old, new, count)


def joined(items: list[Any], glue: str = "") -> str:
    if len(items) * len(glue) + sum(len(item) for item in items) > _LONGEST_TEXT:
        raise ArgoError("join() makes a text that is too long")
    return glue.join(items)


def _flat(values: tuple[Any, ...]) -> list[Any]:
    return [item for value in values for item in (value if isinstance(value, list) else [value])]


def _flattened(value: list[Any]) -> list[Any]:
    return [part for item in value for part in (_flattened(item) if isinstance(item, list) else [item])]


def _unique(values: list[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found


def _median(*values: Any) -> float:
    numbers = sorted(_flat(values))
    if not numbers:
        return 0.0
    middle = len(numbers) // 2
    return float(numbers[middle] if len(numbers) % 2 else (numbers[middle - 1] + numbers[middle]) / 2)


def _mean(*values: Any) -> float:
    numbers = _flat(values)
    return sum(numbers) / len(numbers) if numbers else 0.0


def _get(of: Any, key: Any, default: Any = None) -> Any:
    if isinstance(of, Mapping):
        return of.get(key, default)
    if isinstance(of, list) and isinstance(key, int) and -len(of) <= key < len(of):
        return of[key]
    return default


def _date(text: str, *_layout: str) -> datetime:
    return parse_rfc3339(text if "T" in text else f"{text}T00:00:00Z")


def _split(text: str, separator: str, limit: int = -1) -> list[str]:
    if not separator:
        return list(text)
    return text.split(separator, limit - 1 if limit > 0 else -1)


def _trimmed(text: str, characters: str | None = None) -> str:
    return text.strip(characters)


def _last_index(text: str, part: str) -> int:
    return text.rfind(part)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    # Argo's.
    "asInt": as_int,
    "asFloat": as_float,
    "toJson": to_json,
    "jsonpath": jsonpath,
    # expr-lang's.
    "len": _length,
    "type": type_name,
    "abs": abs,
    "ceil": lambda value: float(math.ceil(value)),
    "floor": lambda value: float(math.floor(value)),
    "round": _round,
    "int": as_int,
    "float": as_float,
    "string": to_string,
    "trim": _trimmed,
    "trimPrefix": lambda text, prefix=" ": text.removeprefix(prefix),
    "trimSuffix": lambda text, suffix=" ": text.removesuffix(suffix),
    "upper": str.upper,
    "lower": str.lower,
    "split": _split,
    "splitAfter": lambda text, separator: re.split(f"(?<={re.escape(separator)})", text),
    "replace": replaced,
    "repeat": _repeat,
    "join": joined,
    "indexOf": lambda text, part: text.find(part),
    "lastIndexOf": _last_index,
    "hasPrefix": str.startswith,
    "hasSuffix": str.endswith,
    "max": lambda *values: max(_flat(values)),
    "min": lambda *values: min(_flat(values)),
    "mean": _mean,
    "median": _median,
    "toJSON": lambda value: json.dumps(plain(value), indent=2, ensure_ascii=False),
    "fromJSON": from_json,
    "toBase64": lambda text: base64.b64encode(text.encode()).decode(),
    "fromBase64": lambda text: base64.b64decode(text).decode(errors="replace"),
    "now": lambda: datetime.now(UTC),
    "date": _date,
    "duration": parse_duration,
    "first": lambda items: items[0] if items else None,
    "last": lambda items: items[-1] if items else None,
    "get": _get,
    "take": lambda items, count: items[:count],
    "reverse": lambda items: items[::-1],
    "keys": lambda of: sorted(of),
    "values": lambda of: [of[key] for key in sorted(of)],
    "toPairs": lambda of: [[key, of[key]] for key in sorted(of)],
    "fromPairs": lambda items: {str(key): value for key, value in items},
    "sort": lambda items, order="asc": sorted(items, reverse=order == "desc"),
    "uniq": _unique,
    "flatten": _flattened,
    "concat": lambda *lists: [item for items in lists for item in items],
    "bitand": lambda left, right: left & right,
    "bitor": lambda left, right: left | right,
    "bitxor": lambda left, right: left ^ right,
}

METHODS: Mapping[type, Mapping[str, Callable[..., Any]]] = {
    timedelta: {
        "Seconds": timedelta.total_seconds,
        "Minutes": lambda value: value.total_seconds() / 60,
        "Hours": lambda value: value.total_seconds() / 3600,
        "Milliseconds": lambda value: value // timedelta(milliseconds=1),
        "String": duration_text,
    },
    datetime: {
        "Unix": lambda value: int(value.timestamp()),
        "UnixMilli": lambda value: int(value.timestamp() * 1000),
        "Year": lambda value: value.year,
        "Month": lambda value: value.month,
        "Day": lambda value: value.day,
        "Hour": lambda value: value.hour,
        "Minute": lambda value: value.minute,
        "Second": lambda value: value.second,
        "Sub": lambda value, other: value - other,
        "Add": lambda value, by: value + by,
        "Before": lambda value, other: value < other,
        "After": lambda value, other: value > other,
    },
}
