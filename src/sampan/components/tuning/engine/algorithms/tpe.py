"""`tpe`: the tree-structured Parzen estimator, each parameter on its own; `multivariate-tpe`: all of them together.

Bergstra et al. 2011, "Algorithms for Hyper-Parameter Optimization", section 4; by Optuna's TPESampler. Upstream's is
hyperopt's (kubeflow/katib 0.19 pkg/suggestion/v1beta1/hyperopt), whose settings are read here: `gamma` g makes the
best ceil(g·√n), at most 25, of n trials the good ones (hyperopt 0.2.7 tpe.py, `ap_split_trials`). The settings of
upstream's Optuna service are taken as well, and by `multivariate-tpe` alone those.
Suggestions that still run count among the bad ones (the constant liar), so that parallel trials spread.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

from optuna.samplers import BaseSampler, TPESampler

from sampan.components.tuning.api.suggesting import Answer, Problem, TrialRecord
from sampan.components.tuning.engine.algorithms import checks
from sampan.components.tuning.engine.algorithms.contract import Memory
from sampan.components.tuning.engine.algorithms.optuna_search import Search
from sampan.components.tuning.engine.algorithms.seeds import numbers, seed
from sampan.components.tuning.engine.algorithms.settings import read

_MOST_GOOD = 25


class Tpe:
    multivariate = False

    def suggest(
        self, memory: Memory, problem: Problem, trials: Sequence[TrialRecord], count: int, asked: int
    ) -> Answer:
        arguments = self._arguments(problem)

        def sampler(number: int) -> BaseSampler:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return TPESampler(
                    seed=seed(problem, number),
                    multivariate=self.multivariate,
                    constant_liar=True,
                    **arguments,
                )

        search = Search.of(memory, problem, trials)
        return Answer(search.ask(list(numbers(count, asked)), sampler))

    def _arguments(self, problem: Problem) -> dict[str, Any]:
        arguments = read(problem, checks.TPE)
        arguments.pop("random_state", None)
        gamma = arguments.get("gamma")
        if gamma is not None:
            arguments["gamma"] = lambda n: min(math.ceil(gamma * math.sqrt(n)), _MOST_GOOD)
        return arguments


class MultivariateTpe(Tpe):
    multivariate = True
