"""Sets of completion indexes, in the text form of `status.completedIndexes`: `1,3-5,7`."""

from __future__ import annotations

from collections.abc import Iterable


def parse(text: str, limit: int) -> set[int]:
    """The indexes below `limit`; text that is none of ours is skipped, as upstream does."""
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        try:
            start = int(first)
            end = int(last) if dash else start
        except ValueError:
            continue
        found.update(range(max(start, 0), min(end, limit - 1) + 1))
    return found


def render(indexes: Iterable[int]) -> str:
    """Runs of three and more are written with a dash: `1,3,4,6-9`."""
    parts: list[str] = []
    start = previous = None
    for index in sorted(indexes):
        if previous is not None and index == previous + 1:
            previous = index
            continue
        if start is not None and previous is not None:
            parts.append(_run(start, previous))
        start = previous = index
    if start is not None and previous is not None:
        parts.append(_run(start, previous))
    return ",".join(parts)


def _run(start: int, end: int) -> str:
    return str(start) if start == end else f"{start}-{end}" if end > start + 1 else f"{start},{end}"
