"""`sobol`: points of Sobol's sequence, which fill the space evenly.

Sobol' 1967; scrambled (Owen 1998), so that different seeds give different points; by scipy.stats.qmc. Upstream:
goptuna's sampler (kubeflow/katib 0.19 pkg/suggestion/v1beta1/goptuna). Suggestion n is the n-th point: trials change
nothing.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from scipy.stats import qmc

from sampan.components.tuning.api.suggesting import Answer, Assignment, Problem, TrialRecord
from sampan.components.tuning.engine.algorithms.contract import Memory
from sampan.components.tuning.engine.algorithms.seeds import numbers, seed
from sampan.components.tuning.engine.algorithms.space import at, dimensions

_KEY = "sobol"


class Sobol:
    def suggest(
        self, memory: Memory, problem: Problem, trials: Sequence[TrialRecord], count: int, asked: int
    ) -> Answer:
        space = dimensions(problem.parameters)
        wanted = list(numbers(count, asked))
        sequence = _sequence(memory, len(space), seed(problem, 0, "sobol"), wanted[0])
        with warnings.catch_warnings():
            # That they fill the space evenly only by powers of two: one cannot choose how many are asked for.
            warnings.simplefilter("ignore")
            points = sequence.random(len(wanted))
        return Answer(
            tuple(
                Assignment(
                    {
                        each.name: each.text(at(each.span, float(unit)))
                        for each, unit in zip(space, point, strict=True)
                    }
                )
                for point in points
            )
        )


def _sequence(memory: Memory, size: int, key: int, start: int) -> Any:
    """Before its point `start`."""
    found = memory.kept.get(_KEY)
    if found is None or (found[0], found[1]) != (size, key) or found[2].num_generated > start:
        found = memory.kept[_KEY] = (size, key, qmc.Sobol(size, scramble=True, rng=key))
    sequence = found[2]
    if start > sequence.num_generated:
        sequence.fast_forward(start - sequence.num_generated)
    return sequence
