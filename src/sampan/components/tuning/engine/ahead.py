"""Suggestions that were answered before anybody asked for them: of algorithms to which trials mean nothing.

Kept by `builtin`. Suggestion n of such an algorithm follows from the problem and n alone, so many can be had in one
question, and the experiment that takes one after the other need not ask for each. What is lost with the server is
answered again as it was.
"""

from __future__ import annotations

from dataclasses import replace

from sampan.components.tuning.api.suggesting import Answer

_MOST = 128


def wanted(count: int, asked: int) -> tuple[int, int]:
    """For how many to ask in place of `count`, and what `asked` is then: as many again as there were so far."""
    first = max(asked - count, 0)
    more = max(count, min(asked, _MOST))
    return more, first + more


class Ahead:
    """A run of suggestions, beginning with number `first`."""

    def __init__(self, first: int, answer: Answer) -> None:
        self._first, self._answer = first, answer

    def part(self, count: int, asked: int) -> Answer | None:
        """As the algorithm would answer; None where that is not known here."""
        start = max(asked - count, 0) - self._first
        end, known = start + count, self._answer.assignments
        if start < 0 or (end > len(known) and not self._answer.exhausted):
            return None
        is_end = self._answer.exhausted and end >= len(known)
        return replace(self._answer, assignments=known[start:end], exhausted=is_end)
