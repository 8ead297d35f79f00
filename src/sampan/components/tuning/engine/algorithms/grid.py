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
from sampan.components.tuning.engine.algorithms.space import combination, dimensions, distinct, size
from sampan.components.tuning.engine.conditions import conditions

_KEY = "grid"
_ROUNDS = 4


class Grid:
    def suggest(
        self, memory: Memory, problem: Problem, trials: Sequence[TrialRecord], count: int, asked: int
    ) -> Answer:
        space = dimensions(problem.parameters)
        if conditions(problem):
            return self._conditional(memory, problem, count, asked)
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

    def _conditional(self, memory: Memory, problem: Problem, count: int, asked: int) -> Answer:
        """Of combinations that differ in nothing that matters, one; the check has seen to it that they are few."""
        key = seed(problem, 0, "grid")
        kept = memory.kept.get(_KEY)
        if kept is None or kept[0] != (key, problem.parameters):
            space, different = dimensions(problem.parameters), distinct(problem)
            order = (shuffled(number, len(different), key) for number in range(len(different)))
            kept = memory.kept[_KEY] = (
                (key, problem.parameters),
                [combination(space, different[place]) for place in order],
            )
        every = kept[1]
        return Answer(
            tuple(Assignment(every[number]) for number in numbers(count, asked) if number < len(every)),
            exhausted=asked >= len(every),
        )


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
