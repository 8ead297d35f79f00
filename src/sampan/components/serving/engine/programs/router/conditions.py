"""What a step's condition, a GJSON path, finds in a request or an answer.

Called by `execution`. Source: kserve 0.20 cmd/router/main.go (pickupRouteByCondition), tidwall/gjson v1.18 (Valid):
JSON as RFC 8259 has it, of any size, without NaN and Infinity.
"""

from __future__ import annotations

import json
from typing import Any

from sampan.lib.gjson.paths import MISSING, PathError, get

INVALID: Any = type("Invalid", (), {"__repr__": lambda _self: "INVALID"})()
_MOST_DIGITS = 300


def document(data: bytes) -> Any:
    """The value that is written there; INVALID for what is no JSON."""
    try:
        # Bytes that are no UTF-8 are the business of whoever reads the texts.
        return json.loads(data.decode("utf-8", "surrogateescape"), parse_int=_number, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return INVALID


def holds(value: Any, condition: str) -> bool:
    """Whether the condition finds anything; one that is no path finds nothing."""
    try:
        return get(value, condition) is not MISSING
    except (PathError, RecursionError):
        return False


def _number(digits: str) -> int | float:
    # Python reads no integer of thousands of digits.
    return int(digits) if len(digits) < _MOST_DIGITS else float(digits)


def _refuse(_name: str) -> Any:
    raise ValueError
