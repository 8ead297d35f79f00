"""What differs between two texts, line by line. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

Row = list[Any]
"""A mark (` `, `-`, `+`, or `@` for lines that are left out), the line's number before and after, and its text."""

_CONTEXT = 4
_EXACT_LINES = 6000
"""Up to which every line is looked for everywhere; beyond, frequent ones are no anchors, which is quicker by far."""


def rows(before: str, after: str, context: int = _CONTEXT) -> list[Row]:
    """Lines that differ, with some around them; nothing for the same text. Slow for long texts: in a thread."""
    old, new = before.splitlines(), after.splitlines()
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=len(old) + len(new) > _EXACT_LINES)
    found: list[Row] = []
    at = 0
    for group in matcher.get_grouped_opcodes(context):
        first = group[0][1]
        if first > at:
            found.append(_left_out(first - at))
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                found += [[" ", i + 1, j1 + i - i1 + 1, old[i]] for i in range(i1, i2)]
                continue
            found += [["-", i + 1, 0, old[i]] for i in range(i1, i2)]
            found += [["+", 0, j + 1, new[j]] for j in range(j1, j2)]
        at = group[-1][2]
    if found and at < len(old):
        found.append(_left_out(len(old) - at))
    return found


def counts(found: Sequence[Row]) -> tuple[int, int]:
    """How many lines came, and how many went."""
    return sum(row[0] == "+" for row in found), sum(row[0] == "-" for row in found)


def _left_out(count: int) -> Row:
    return ["@", 0, 0, f"{count} equal line" if count == 1 else f"{count} equal lines"]
