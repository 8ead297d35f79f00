"""Functions that look at a list element by element: `filter(list, {# > 1})`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sampan.components.pipelines.api.argo.errors import ArgoError

On = Callable[..., Any]
"""The predicate applied to an element; without one, the element itself."""


def _filter(items: Sequence[Any], on: On) -> list[Any]:
    return [item for index, item in enumerate(items) if on(item, index=index)]


def _map(items: Sequence[Any], on: On) -> list[Any]:
    return [on(item, index=index) for index, item in enumerate(items)]


def _count(items: Sequence[Any], on: On) -> int:
    return sum(bool(on(item)) for item in items)


def _sum(items: Sequence[Any], on: On) -> Any:
    return sum(on(item) for item in items)


def _find(items: Sequence[Any], on: On) -> Any:
    return next((item for item in items if on(item)), None)


def _find_last(items: Sequence[Any], on: On) -> Any:
    return _find(list(reversed(items)), on)


def _find_index(items: Sequence[Any], on: On) -> int:
    return next((index for index, item in enumerate(items) if on(item)), -1)


def _find_last_index(items: Sequence[Any], on: On) -> int:
    return max((index for index, item in enumerate(items) if on(item)), default=-1)


def _group_by(items: Sequence[Any], on: On) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = {}
    for item in items:
        groups.setdefault(str(on(item)), []).append(item)
    return groups


def _sort_by(items: Sequence[Any], on: On, order: str = "asc") -> list[Any]:
    return sorted(items, key=on, reverse=order == "desc")


def _reduce(items: Sequence[Any], on: On, *initial: Any) -> Any:
    left = list(items)
    if not initial and not left:
        raise ArgoError("reduce() of an empty list without an initial value")
    total = initial[0] if initial else left.pop(0)
    for index, item in enumerate(left):
        total = on(item, acc=total, index=index)
    return total


PREDICATES: Mapping[str, Callable[..., Any]] = {
    "filter": _filter,
    "map": _map,
    "all": lambda items, on: all(on(item) for item in items),
    "any": lambda items, on: any(on(item) for item in items),
    "none": lambda items, on: not any(on(item) for item in items),
    "one": lambda items, on: _count(items, on) == 1,
    "count": _count,
    "sum": _sum,
    "find": _find,
    "findIndex": _find_index,
    "findLast": _find_last,
    "findLastIndex": _find_last_index,
    "groupBy": _group_by,
    "sortBy": _sort_by,
    "reduce": _reduce,
}
