"""`sobol`: points of Sobol's sequence, which fill the space evenly; `qmc`: those, or Halton's.

Sobol' 1967; scrambled (Owen 1998), so that different seeds give different points; by scipy.stats.qmc. Upstream:
goptuna's sampler (kubeflow/katib 0.19 pkg/suggestion/v1beta1/goptuna). Suggestion n is the n-th point: trials change
nothing.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scipy.stats import qmc

from sampan.components.tuning.api.suggesting import Answer, Assignment, Problem, TrialRecord
from sampan.components.tuning.engine.algorithms import checks
from sampan.components.tuning.engine.algorithms.contract import Memory
from sampan.components.tuning.engine.algorithms.seeds import numbers, seed
from sampan.components.tuning.engine.algorithms.settings import read
from sampan.components.tuning.engine.algorithms.space import at, dimensions

_KEY = "sobol"


@dataclass(frozen=True, slots=True)
class Kind:
    """Of a sequence: all that it follows from."""

    type: str
    size: int
    scramble: bool
    seed: int


class Sobol:
    def suggest(
        self, memory: Memory, problem: Problem, trials: Sequence[TrialRecord], count: int, asked: int
    ) -> Answer:
        space = dimensions(problem.parameters)
        wanted = list(numbers(count, asked))
        kind = self._kind(problem, len(space))
        found = memory.kept.get(_KEY)
        if found is None or found[0] != kind or found[1].num_generated > wanted[0]:
            found = memory.kept[_KEY] = (kind, _started(kind))
        sequence = found[1]
        if wanted[0] > sequence.num_generated:
            sequence.fast_forward(wanted[0] - sequence.num_generated)
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

    def _kind(self, problem: Problem, size: int) -> Kind:
        return Kind("sobol", size, True, seed(problem, 0, "sobol"))


class QuasiMonteCarlo(Sobol):
    def _kind(self, problem: Problem, size: int) -> Kind:
        given = read(problem, checks.QMC)
        type_ = given.get("qmc_type", "sobol")
        return Kind(type_, size, given.get("scramble", True), seed(problem, 0, type_))


def _started(kind: Kind) -> Any:
    made = qmc.Halton if kind.type == "halton" else qmc.Sobol
    return made(kind.size, scramble=kind.scramble, rng=kind.seed)
