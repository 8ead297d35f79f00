"""`random`: every parameter drawn from its distribution, each suggestion from a seed of its own.

Upstream: hyperopt's `rand.suggest` (kubeflow/katib 0.19 pkg/suggestion/v1beta1/hyperopt). Trials change nothing, so
none are asked for, and no study is made: a draw costs microseconds.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from sampan.components.tuning.api.suggesting import Answer, Assignment, Problem, TrialRecord
from sampan.components.tuning.engine.algorithms.contract import Memory
from sampan.components.tuning.engine.algorithms.seeds import numbers, seed
from sampan.components.tuning.engine.algorithms.space import Dimension, at, dimensions


class RandomSearch:
    def suggest(
        self, memory: Memory, problem: Problem, trials: Sequence[TrialRecord], count: int, asked: int
    ) -> Answer:
        space = dimensions(problem.parameters)
        return Answer(
            tuple(Assignment(drawn(space, seed(problem, number))) for number in numbers(count, asked))
        )


def drawn(space: Sequence[Dimension], seed: int) -> dict[str, str]:
    """One point."""
    return draw(space, random.Random(seed))  # noqa: S311 - a search, no secret


def draw(space: Sequence[Dimension], source: random.Random) -> dict[str, str]:
    return {each.name: each.text(at(each.span, source.random())) for each in space}
