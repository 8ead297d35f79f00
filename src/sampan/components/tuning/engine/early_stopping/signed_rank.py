"""Wilcoxon's signed-rank test of paired differences, one-sided. Pure.

Wilcoxon 1945, Individual Comparisons by Ranking Methods; ties have the mean of their ranks, of a zero's rank half
counts as positive (Pratt's zeros, split). The exact distribution for up to 50 pairs, ties or not; beyond it the normal
approximation with the correction for ties, as scipy 1.17 stats.wilcoxon has it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby

_EXACT = 50


def p_value(differences: Sequence[float]) -> float:
    """How probable so great a sum of positive ranks is where both signs are as likely: small if they are greater."""
    ordered = sorted(differences, key=abs)
    ranks = _doubled_ranks([abs(each) for each in ordered])
    positive = sum(rank for rank, each in zip(ranks, ordered, strict=True) if each > 0)
    zeros = sum(rank for rank, each in zip(ranks, ordered, strict=True) if each == 0)
    if len(ordered) <= _EXACT:
        signed = [rank for rank, each in zip(ranks, ordered, strict=True) if each != 0]
        return _exact(signed, positive)
    return _approximate(ordered, (positive + zeros / 2) / 2)


def _doubled_ranks(sizes: Sequence[float]) -> list[int]:
    """From 1, twice: so that the mean of two neighbours is whole."""
    ranks: list[int] = []
    for _, tied in groupby(sizes):
        count = len(list(tied))
        first = len(ranks) + 1
        ranks += [first + first + count - 1] * count
    return ranks


def _exact(ranks: Sequence[int], positive: int) -> float:
    # How many choices of signs come to each sum, as a polynomial's coefficients, rank by rank.
    ways = [1]
    for rank in ranks:
        more = [0] * (len(ways) + rank)
        for total, count in enumerate(ways):
            more[total] += count
            more[total + rank] += count
        ways = more
    return sum(ways[positive:]) / sum(ways)


def _approximate(ordered: Sequence[float], positive: float) -> float:
    count = len(ordered)
    mean = count * (count + 1) / 4
    ties = sum(size**3 - size for size in (len(list(tied)) for _, tied in groupby(map(abs, ordered))))
    variance = count * (count + 1) * (2 * count + 1) / 24 - ties / 48
    if variance <= 0:
        return 1.0
    return 0.5 * math.erfc((positive - mean) / math.sqrt(2 * variance))
