"""Which of several backends is next, by weight: exact in the long run, near it in the short, never at random. Pure.

Points of the additive recurrence with the golden ratio, x(n+1) = x(n) + 1/φ mod 1, fall into an interval as often as
its length says: of N points, within a constant times log N (Niederreiter, Random Number Generation and Quasi-Monte
Carlo Methods, 1992, theorem 3.3). A rotation by turns would be as exact, but would send every second request of a
client that alternates between two to the same backend.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

_STEP = 0.6180339887498949


class Split:
    """`at` is where an earlier one stood: a change of weights does not begin anew."""

    __slots__ = ("_ends", "at")

    def __init__(self, weights: Sequence[int], at: float = 0.5) -> None:
        """At least one, none of them negative; of weights that are all 0 the first takes everything."""
        total = sum(weights)
        self._ends = [end / total for end in accumulate(weights)] if total else []
        self.at = at

    def next(self) -> int:
        if len(self._ends) < 2:
            return 0
        self.at = (self.at + _STEP) % 1.0
        for index, end in enumerate(self._ends):
            if self.at < end:
                return index
        return len(self._ends) - 1
