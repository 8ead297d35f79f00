"""Patterns that users give for messages. Pure.

Go's regular expressions take time in proportion to the text, whatever the pattern; Python's do not, and one pattern
could hold up everything. The CEL library has an engine of Go's kind. It is slow to load and hardly ever needed.
"""

from __future__ import annotations

from collections.abc import Iterable


def any_found(patterns: Iterable[str], text: str) -> bool:
    """Whether one of them is found in `text`; one that is no pattern is not, as upstream."""
    import cel  # noqa: PLC0415  a rule on messages is rare, and loading this costs every start

    def found(pattern: str) -> bool:
        try:
            return bool(cel.evaluate("text.matches(pattern)", {"text": text, "pattern": pattern}))
        except (RuntimeError, ValueError):
            return False

    return any(map(found, patterns))
