"""Reading objects that may hold anything. For the checks beside this module."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Anything = Mapping[str, Any]
_NOTHING: Anything = {}


def at(obj: Any, *path: str) -> Anything:
    """The mapping at this path; an empty one where there is none."""
    for step in path:
        obj = obj.get(step) if isinstance(obj, Mapping) else None
    return obj if isinstance(obj, Mapping) else _NOTHING


def each(obj: Any, *path: str) -> Iterator[Anything]:
    """The mappings in the list at this path."""
    found = at(obj, *path[:-1]).get(path[-1])
    for item in found if isinstance(found, list) else ():
        if isinstance(item, Mapping):
            yield item


def texts(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
