"""The order of a list by one of its columns. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

Item = TypeVar("Item")


def in_order(
    newest_first: Sequence[Item], keys: Mapping[str, Callable[[Item], Any]], sort: str, *, descending: bool
) -> list[Item]:
    """By the key named `sort`: of two alike the newer first, and those without a value last. `created` is the order
    in which they come."""
    if sort == "created":
        return list(newest_first) if descending else list(reversed(newest_first))
    key = keys[sort]
    known = sorted((each for each in newest_first if key(each) is not None), key=key, reverse=descending)
    return [*known, *(each for each in newest_first if key(each) is None)]
