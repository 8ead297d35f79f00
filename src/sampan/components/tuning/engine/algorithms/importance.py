"""How much each parameter matters for a metric, told from the trials there are. Asked through the worker.

fANOVA: Hutter et al. 2014, "An Efficient Approach for Assessing Hyperparameter Importance"; PED-ANOVA: Watanabe et al.
2023, arXiv 2304.10255, where there are so many trials that a forest takes seconds. By Optuna.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from optuna.importance import (
    BaseImportanceEvaluator,
    FanovaImportanceEvaluator,
    PedAnovaImportanceEvaluator,
    get_param_importances,
)
from optuna.samplers import RandomSampler
from optuna.trial import TrialState

from sampan.components.tuning.api.suggesting import Problem, TrialRecord
from sampan.components.tuning.engine.algorithms.contract import Memory
from sampan.components.tuning.engine.algorithms.optuna_search import Search

_FEWEST = 4
"""Trials from which anything can be told."""
_MOST_FOR_FOREST = 1000
_SEED = 0


class Importances:
    def figures(self, problem: Problem, trials: Sequence[TrialRecord]) -> dict[str, Any]:
        """`importances`: the most important first, in sum 1; empty with the reason in `why`."""
        study = Search.of(Memory(), problem, trials).study(RandomSampler(seed=_SEED))
        ended = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if why := _why_not(problem, [each.values[0] for each in ended]):
            return {"importances": [], "why": why}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = get_param_importances(study, evaluator=_evaluator(len(ended)), normalize=True)
        total = sum(found.values())
        if not total > 0:
            return {"importances": [], "why": "no parameter makes a difference that can be told"}
        return {
            "importances": [
                {"parameter": name, "importance": float(value / total)}
                for name, value in sorted(found.items(), key=lambda each: -each[1])
            ],
            "why": "",
        }


def _why_not(problem: Problem, values: Sequence[float]) -> str:
    if len(values) < _FEWEST:
        return f"{len(values)} trials have a value of {problem.objective.metric}; it takes {_FEWEST}"
    if min(values) == max(values):
        return f"all trials came to the same {problem.objective.metric}"
    return ""


def _evaluator(trials: int) -> BaseImportanceEvaluator:
    if trials > _MOST_FOR_FOREST:
        return PedAnovaImportanceEvaluator()
    return FanovaImportanceEvaluator(seed=_SEED)
