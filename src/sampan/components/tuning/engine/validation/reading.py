"""Reading objects that may hold anything. For the checks beside this module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Anything = Mapping[str, Any]
_NOTHING: Anything = {}


def at(obj: Any, key: str) -> Anything:
    """The mapping there; an empty one where there is none."""
    found = obj.get(key) if isinstance(obj, Mapping) else None
    return found if isinstance(found, Mapping) else _NOTHING


def items(obj: Any, key: str) -> Sequence[Any]:
    found = obj.get(key) if isinstance(obj, Mapping) else None
    return found if isinstance(found, list) else ()


def number(obj: Any, key: str) -> int | None:
    found = obj.get(key) if isinstance(obj, Mapping) else None
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def text(obj: Any, key: str) -> str:
    found = obj.get(key) if isinstance(obj, Mapping) else None
    return "" if found is None else str(found)
