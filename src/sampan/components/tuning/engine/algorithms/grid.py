"""`grid`: every combination once, in an order that is shuffled by the seed.

Upstream: Optuna's GridSampler over kubeflow/katib 0.19 pkg/suggestion/v1beta1/internal/search_space.py
(`convert_to_combinations`), which keeps a list of all combinations and looks for one that is left. Here suggestion n is
the n-th of a permutation that is computed, not kept: nothing repeats, whatever became of the trials, and a grid of any
size costs nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from sampan.components.tuning.api.suggesting import Answer, Assignment, Problem, TrialRecord
from sampan.components.tuning.engine.algorithms.contract import Memory
from sampan.components.tuning.engine.algorithms.seeds import numbers, seed
from sampan.components.tuning.engine.algorithms.space import Dimension, dimensions, size

_ROUNDS = 4


class Grid:
    def suggest(
        self, memory: Memory, problem: Problem, trials: Sequence[TrialRecord], count: int, asked: int
    ) -> Answer:
        space = dimensions(problem.parameters)
        total = size(space)
        key = seed(problem, 0, "grid")
        return Answer(
            tuple(
                Assignment(combination(space, shuffled(number, total, key)))
                for number in numbers(count, asked)
                if number < total
            ),
            exhausted=asked >= total,
        )


def combination(space: Sequence[Dimension], index: int) -> dict[str, str]:
    """Of all combinations, numbered; the last parameter changes first."""
    values: dict[str, str] = {}
    for each in reversed(space):
        index, place = divmod(index, each.values or 1)
        values[each.name] = each.nth(place)
    return {each.name: values[each.name] for each in space}


def shuffled(index: int, total: int, key: int) -> int:
    """A permutation of range(total): a Feistel network over the next even power of two, walked until it is back in
    range (Black and Rogaway 2002, "Ciphers with Arbitrary Finite Domains", section 4)."""
    half = max((total - 1).bit_length() + 1, 2) // 2
    mask = (1 << half) - 1
    while True:
        left, right = index >> half, index & mask
        for turn in range(_ROUNDS):
            digest = hashlib.blake2b(f"{key}/{turn}/{right}".encode(), digest_size=16).digest()
            left, right = right, left ^ int.from_bytes(digest, "big") & mask
        index = left << half | right
        if index < total:
            return index
