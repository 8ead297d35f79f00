"""CEL's values in Python: what JSON has as itself, and the types it lacks; equality, order, arithmetic, budget."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

INT_MIN, INT_MAX, UINT_MAX = -(2**63), 2**63 - 1, 2**64 - 1
MAX_TEXT = 1_000_000
"""Of a text or list that an expression makes."""
STEPS = 1_000_000
"""Of all rules over one object: about a second of this machine's time. Real objects need some hundred."""
SECONDS = 2.0
_CHECK_EVERY = 512


class CelError(Exception):
    """What an expression comes to when it has no value. `||` and `&&` may still have one."""


class OverBudgetError(Exception):
    """The expression has cost more than it may. Nothing inside an expression catches it."""


class Budget:
    """What all rules of one object may cost together, in steps, and in seconds of the processor as the last resort."""

    def __init__(self, steps: int = STEPS, seconds: float = SECONDS) -> None:
        self.left = steps
        self._until = time.thread_time() + seconds
        self._check_at = steps - _CHECK_EVERY

    def spend(self, steps: int) -> None:
        self.left -= steps
        if self.left < self._check_at:
            self._check_at = self.left - _CHECK_EVERY
            if self.left < 0 or time.thread_time() > self._until:
                raise OverBudgetError("call cost exceeds limit")


class Uint(int):
    """An unsigned number: never mixed with signed ones."""


@dataclass(frozen=True, slots=True)
class Type:
    name: str


@dataclass(frozen=True, slots=True)
class Optional:
    value: Any = None
    present: bool = False

    def get(self) -> Any:
        if not self.present:
            raise CelError("optional.none() dereference")
        return self.value


NONE = Optional()


def some(value: Any) -> Optional:
    return Optional(value, True)


def type_name(value: Any) -> str:
    if value is None:
        return "null_type"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, Uint):
        return "uint"
    if isinstance(value, int):
        return "int"
    if isinstance(value, float):
        return "double"
    if isinstance(value, str):
        return "string"
    if isinstance(value, bytes):
        return "bytes"
    if isinstance(value, list):
        return "list"
    if isinstance(value, dict):
        return "map"
    if isinstance(value, datetime):
        return "google.protobuf.Timestamp"
    if isinstance(value, timedelta):
        return "google.protobuf.Duration"
    if isinstance(value, Type):
        return "type"
    if isinstance(value, Optional):
        return "optional_type"
    return str(getattr(value, "cel_type", "dyn"))


def no_overload(name: str, *args: Any) -> CelError:
    return CelError(f"no such overload: {name}({', '.join(type_name(each) for each in args)})")


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def equal(left: Any, right: Any, budget: Budget) -> bool:
    """Values of different types are different; numbers are compared as numbers."""
    budget.spend(1)
    if is_number(left) and is_number(right):
        return bool(left == right)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(equal(a, b, budget) for a, b in zip(left, right, strict=True))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(left[key], right[key], budget) for key in left)
    if type_name(left) != type_name(right):
        return False
    if isinstance(left, str | bytes):
        budget.spend(len(left) // 10)
    return bool(left == right)


def compare(name: str, left: Any, right: Any) -> int:
    """-1, 0 or 1."""
    same = type_name(left) == type_name(right)
    ordered = isinstance(left, bool | str | bytes | datetime | timedelta)
    if not ((same and ordered) or (is_number(left) and is_number(right))):
        raise no_overload(name, left, right)
    return int(left > right) - int(left < right)


def sized(value: Any) -> Any:
    """A text or list, if it is not too long."""
    if len(value) > MAX_TEXT:
        raise OverBudgetError("a value grows beyond what an expression may make")
    return value


def checked_int(value: int) -> int:
    if not INT_MIN <= value <= INT_MAX:
        raise CelError("integer overflow")
    return value


def number(like: Any, value: int) -> int:
    """In the range of the type of `like`."""
    if isinstance(like, Uint):
        if not 0 <= value <= UINT_MAX:
            raise CelError("unsigned integer overflow")
        return Uint(value)
    return checked_int(value)


def both(kind: type, left: Any, right: Any) -> bool:
    return isinstance(left, kind) and isinstance(right, kind)


def _ints(left: Any, right: Any) -> bool:
    return both(int, left, right) and type_name(left) == type_name(right) in ("int", "uint")


def add(left: Any, right: Any, budget: Budget) -> Any:
    if _ints(left, right):
        return number(left, int(left) + int(right))
    if both(float, left, right):
        return left + right
    if both(str, left, right) or both(bytes, left, right) or both(list, left, right):
        budget.spend((len(left) + len(right)) // 10)
        sized(left)
        sized(right)
        return left + right
    try:
        if isinstance(left, datetime | timedelta) and isinstance(right, timedelta):
            return left + right
        if isinstance(left, timedelta) and isinstance(right, datetime):
            return right + left
    except OverflowError as error:
        raise CelError("timestamp or duration overflow") from error
    raise no_overload("_+_", left, right)


def subtract(left: Any, right: Any, _: Budget) -> Any:
    if _ints(left, right):
        return number(left, int(left) - int(right))
    if both(float, left, right):
        return left - right
    if isinstance(right, datetime | timedelta) and isinstance(left, datetime | timedelta):
        try:
            if not (isinstance(left, timedelta) and isinstance(right, datetime)):
                return left - right  # type: ignore[operator]
        except OverflowError as error:
            raise CelError("timestamp or duration overflow") from error
    raise no_overload("_-_", left, right)


def multiply(left: Any, right: Any, _: Budget) -> Any:
    if _ints(left, right):
        return number(left, int(left) * int(right))
    if both(float, left, right):
        return left * right
    raise no_overload("_*_", left, right)


def divide(left: Any, right: Any, _: Budget) -> Any:
    if _ints(left, right):
        if right == 0:
            raise CelError("division by zero")
        quotient = abs(int(left)) // abs(int(right))
        return number(left, quotient if (left < 0) == (right < 0) else -quotient)
    if both(float, left, right):
        if right == 0:
            return float("nan") if left == 0 or left != left else float("inf") * (1 if left > 0 else -1)
        return left / right
    raise no_overload("_/_", left, right)


def modulo(left: Any, right: Any, _: Budget) -> Any:
    if _ints(left, right):
        if right == 0:
            raise CelError("modulus by zero")
        rest = abs(int(left)) % abs(int(right))
        return number(left, rest if left >= 0 else -rest)
    raise no_overload("_%_", left, right)


def negate(value: Any) -> Any:
    if isinstance(value, float):
        return -value
    if type_name(value) == "int":
        return checked_int(-value)
    raise no_overload("-_", value)


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
