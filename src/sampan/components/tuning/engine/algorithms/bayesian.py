"""`bayesianoptimization`: a model of the objective says where to look next.

Snoek et al. 2012, "Practical Bayesian Optimization of Machine Learning Algorithms"; by scikit-optimize, whose settings
are upstream's (kubeflow/katib 0.19 pkg/suggestion/v1beta1/skopt). Other than upstream's service, which searches every
double in its logarithm, ours searches each parameter in its own distribution.

The optimizer is made anew for each question and told all that is known; what still runs is told as if it had come to
the best value so far (the constant liar of Ginsbourger et al. 2010, as scikit-optimize does within one question).
"""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import skopt
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.utils import RegressorTags
from skopt.learning import GradientBoostingQuantileRegressor
from skopt.space import Categorical, Integer, Real

from sampan.components.tuning.api.suggesting import Answer, Assignment, Problem, TrialRecord
from sampan.components.tuning.engine.algorithms import checks
from sampan.components.tuning.engine.algorithms.contract import Memory
from sampan.components.tuning.engine.algorithms.outcomes import is_pending, value_of
from sampan.components.tuning.engine.algorithms.random_search import drawn
from sampan.components.tuning.engine.algorithms.seeds import numbers, seed
from sampan.components.tuning.engine.algorithms.settings import read
from sampan.components.tuning.engine.algorithms.space import Dimension, Latent, Span, dimensions

_INITIAL = 10
_MOST_TREES = 30

Point = list[Latent]


class Quantiles(GradientBoostingQuantileRegressor):  # type: ignore[misc]
    """Mends what of scikit-optimize 0.10.2 does not work with today's libraries: its bases are not in the order that
    scikit-learn wants of a regressor, and its prediction needs a function that numpy 2.4 no longer has."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.estimator_type = "regressor"
        tags.regressor_tags = RegressorTags()
        return tags

    def predict(self, X: Any, return_std: bool = False, return_quantiles: bool = False) -> Any:  # noqa: N803
        """The median, and half of what lies between the quantiles of one standard deviation to each side."""
        low, middle, high = (each.predict(X) for each in self.regressors_)
        if return_quantiles:
            return np.array([low, middle, high]).T
        return (middle, (high - low) / 2.0) if return_std else middle


class BayesianOptimization:
    def suggest(
        self, memory: Memory, problem: Problem, trials: Sequence[TrialRecord], count: int, asked: int
    ) -> Answer:
        space = dimensions(problem.parameters)
        settings = read(problem, checks.BAYESIAN)
        initial = settings.get("n_initial_points", _INITIAL)
        points, values, pending = _known(problem, space, trials)
        assignments = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for number in numbers(count, asked):
                if len(points) < max(initial, 1):
                    assignments.append(Assignment(drawn(space, seed(problem, number))))
                    continue
                lies = [min(values)] * len(pending)
                optimizer = _optimizer(space, settings, seed(problem, number))
                optimizer.tell(points + pending, values + lies)
                found: Point = optimizer.ask()
                pending.append(found)
                texts = {each.name: each.text(latent) for each, latent in zip(space, found, strict=True)}
                assignments.append(Assignment(texts))
        return Answer(tuple(assignments))


def _optimizer(space: Sequence[Dimension], settings: dict[str, Any], seed: int) -> Any:
    estimator: Any = settings.get("base_estimator", "GP")
    if estimator == "GBRT":
        trees = GradientBoostingRegressor(n_estimators=_MOST_TREES, loss="quantile")
        estimator = Quantiles(base_estimator=trees)
    return skopt.Optimizer(
        [_dimension(each.span, each.name) for each in space],
        base_estimator=estimator,
        n_initial_points=0,
        acq_func=settings.get("acq_func", "gp_hedge"),
        acq_optimizer=settings.get("acq_optimizer", "auto"),
        random_state=seed,
    )


def _dimension(span: Span, name: str) -> Any:
    if span.choices:
        return Categorical(list(span.choices), name=name)
    prior = "log-uniform" if span.log else "uniform"
    if span.low == span.high:
        return Categorical([int(span.low) if span.whole else span.low], name=name)
    if not span.whole:
        return Real(span.low, span.high, prior=prior, name=name)
    return Integer(int(span.low), int(span.high), prior=prior, name=name)


def _known(
    problem: Problem, space: Sequence[Dimension], trials: Sequence[TrialRecord]
) -> tuple[list[Point], list[Any], list[Point]]:
    """Points with their values, smaller being better, and points that still run."""
    sign = -1 if problem.objective.type == "maximize" else 1
    timed = str(problem.settings.get("acq_func", "")).endswith("ps")
    points: list[Point] = []
    values: list[Any] = []
    pending: list[Point] = []
    for record in trials:
        try:
            point = [each.latent(record.assignments[each.name]) for each in space]
        except (KeyError, ValueError):
            continue
        value = value_of(problem.objective, record)
        if value is not None:
            points.append(point)
            values.append((sign * value, _seconds(record)) if timed else sign * value)
        elif is_pending(record):
            pending.append(point)
    return points, values, pending


def _seconds(record: TrialRecord) -> float:
    """How long it took, at least one: times are whole seconds, and their logarithm is modelled."""
    try:
        start, end = (
            datetime.datetime.fromisoformat(each) for each in (record.start_time, record.completion_time)
        )
    except ValueError:
        return 1.0
    return max((end - start).total_seconds(), 1.0)
