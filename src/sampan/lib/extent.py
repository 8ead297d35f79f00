"""How large a value of JSON's types is once it is written out.

For whoever builds values of which parts are shared: a few bytes of YAML's aliases, or of a path, can stand for
billions. What is shared is looked at once.
"""

from __future__ import annotations

from typing import Any


def extent(value: Any, most: int) -> int:
    """Characters of texts and keys, and one for each value; more than `most` for what stands in itself. Raises
    RecursionError for what is nested too deeply."""
    return _extent(value, most, {})


def _extent(value: Any, most: int, known: dict[int, int]) -> int:
    if not isinstance(value, dict | list):
        return 1 + (len(value) if isinstance(value, str) else 0)
    if id(value) not in known:
        # One that stands in itself has no end.
        known[id(value)] = most + 1
        inside = [*value, *value.values()] if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_extent(each, most, known) for each in inside)
    return known[id(value)]
