"""From what somebody has typed to a value, and from an error of the API to the field that it is about. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any


class NotAValueError(ValueError):
    """The message says what was expected, for whoever typed it."""


def whole_number(text: str) -> int:
    """Raises NotAValueError."""
    try:
        return int(text.strip())
    except ValueError:
        raise NotAValueError("Write a whole number, such as 10") from None


def number(text: str) -> float | int:
    """Raises NotAValueError."""
    try:
        # First as it is: a float has no room for the last digits of a long one.
        return int(text.strip())
    except ValueError:
        pass
    try:
        found = float(text.strip())
    except ValueError:
        raise NotAValueError("Write a number, such as 0.5") from None
    if not math.isfinite(found):
        raise NotAValueError("Write a number; infinity and NaN cannot be passed")
    return int(found) if found.is_integer() and abs(found) < 2.0**53 else found


def json_value(text: str) -> Any:
    """Raises NotAValueError that says where the text is no JSON."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        near = text.splitlines()[error.lineno - 1][: error.colno][-24:] if text.strip() else ""
        after = f", after {near.strip()!r}" if near.strip() else ""
        raise NotAValueError(
            f"Not JSON at line {error.lineno}, column {error.colno}{after}: {_plain(error.msg)}"
        ) from None
    except RecursionError:
        raise NotAValueError("This JSON is nested too deeply") from None


def pairs(given: Sequence[Sequence[str]]) -> dict[str, str]:
    """Rows of a name and a value; rows with neither do not count. Raises NotAValueError."""
    found: dict[str, str] = {}
    for name, value in given:
        key = name.strip()
        if not key and not value.strip():
            continue
        if not key:
            raise NotAValueError(f"Give the value {value[:40]!r} a name")
        if key in found:
            raise NotAValueError(f"{key!r} is there twice")
        found[key] = value
    return found


def place_of(message: str, places: Mapping[str, str]) -> str:
    """The field that an error of the API is about: the value of the key of `places` that its message names first.

    Errors name a field by its path (`run.display_name`) or a thing by its name in quotes.
    """
    best, at = "", len(message) + 1
    for key, name in places.items():
        bounded = rf"(?<![\w.\"-]){re.escape(key)}(?![\w-])" if not key.startswith('"') else re.escape(key)
        found = re.search(bounded, message)
        if found is not None and found.start() < at:
            best, at = name, found.start()
    return best


def _refuse(text: str) -> Any:
    raise NotAValueError(f"{text} cannot be passed: JSON has no such number")


def _plain(message: str) -> str:
    return message[:1].lower() + message[1:]
