"""`random`: every parameter drawn from its distribution, each suggestion from a seed of its own.

Upstream: hyperopt's `rand.suggest` (kubeflow/katib 0.19 pkg/suggestion/v1beta1/hyperopt). Trials change nothing, so
none are asked for, and no study is made: a draw costs microseconds.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from sampan.components.tuning.api.suggesting import Answer, Assignment, Problem, TrialRecord
from sampan.components.tuning.engine.algorithms.contract import Memory
from sampan.components.tuning.engine.algorithms.seeds import numbers, seed
from sampan.components.tuning.engine.algorithms.space import Dimension, Latent, dimensions


class RandomSearch:
    def suggest(
        self, memory: Memory, problem: Problem, trials: Sequence[TrialRecord], count: int, asked: int
    ) -> Answer:
        space = dimensions(problem.parameters)
        return Answer(
            tuple(
                Assignment(draw(space, random.Random(seed(problem, number))))  # noqa: S311 - a search, no secret
                for number in numbers(count, asked)
            )
        )


def draw(space: Sequence[Dimension], source: random.Random) -> dict[str, str]:
    return {each.name: each.text(_latent(each, source)) for each in space}


def _latent(dimension: Dimension, source: random.Random) -> Latent:
    span = dimension.span
    if span.choices:
        return span.choices[source.randrange(len(span.choices))]
    if span.log:
        # Whole numbers get the width of their rounding at each end, as evenly as in between.
        edge = 0.5 if span.whole else 0.0
        low, high = math.log(span.low - edge), math.log(span.high + edge)
        value = min(max(math.exp(source.uniform(low, high)), span.low), span.high)
        return round(value) if span.whole else value
    if span.whole:
        return source.randrange(int(span.low), int(span.high) + 1, span.step)
    return source.uniform(span.low, span.high)
