"""Patterns of paths and names: `*` and `?` within one part, `**` over any number of parts. Pure.

Not translated into regular expressions: patterns come from users, and matching takes time in proportion to the pattern
and the text, whatever the pattern.
"""

from __future__ import annotations

LONGEST = 1024
"""Characters that a pattern may have."""
_ANY_PARTS = "**"


def matches_path(path: str, pattern: str) -> bool:
    """Whether all of `path` is meant: `*.csv` is a file directly in the folder, `**/*.csv` one anywhere below."""
    return _match_parts(path.split("/"), pattern.strip("/").split("/"))


def matches_name(name: str, pattern: str) -> bool:
    """The same for a text without parts: a slash is a character as any other."""
    return _match_text(name, pattern)


def is_deep(pattern: str) -> bool:
    """Whether folders below the first must be looked into."""
    return "/" in pattern.strip("/") or _ANY_PARTS in pattern


def _match_parts(parts: list[str], patterns: list[str]) -> bool:
    """One row of a table at a time: which beginnings of `parts` the patterns so far match."""
    reached = [True] + [False] * len(parts)
    for pattern in patterns:
        if pattern == _ANY_PARTS:
            following, any_before = [], False
            for here in reached:
                any_before = any_before or here
                following.append(any_before)
        else:
            following = [False] + [
                before and _match_text(part, pattern) for before, part in zip(reached, parts, strict=False)
            ]
        reached = following
    return reached[-1]


def _match_text(text: str, pattern: str) -> bool:
    """Goes back to the last star only, which is enough for one text."""
    at = here = 0
    star = mark = -1
    while at < len(text):
        if here < len(pattern) and pattern[here] == "*":
            star, mark = here, at
            here += 1
        elif here < len(pattern) and pattern[here] in ("?", text[at]):
            here += 1
            at += 1
        elif star >= 0:
            mark += 1
            here, at = star + 1, mark
        else:
            return False
    return all(character == "*" for character in pattern[here:])
