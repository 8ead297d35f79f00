"""Patterns that users give for messages: tried with the engine that schemas' patterns are tried with. Pure.

It takes time in proportion to the text, as Go's does; Python's own would let one pattern hold up everything.
"""

from __future__ import annotations

from collections.abc import Iterable

from sampan.cluster.apiserver.cel.patterns import search


def any_found(patterns: Iterable[str], text: str) -> bool:
    """Whether one of them is found in `text`; one that is no pattern is not, as upstream."""
    return any(_found(pattern, text) for pattern in patterns)


def _found(pattern: str, text: str) -> bool:
    try:
        return search(pattern, text)
    except ValueError:
        return False
