"""The early stopping algorithms by name: `EarlyStopping` answers `api.suggesting.EarlyStoppingService`, `pruner` is
what a trial's values are decided with.

medianstop makes a rule for new trials, as upstream's service does. Optuna's pruners decide at each value; their names
are Optuna's, with or without `Pruner`, in any case: `median`, `MedianPruner`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

from sampan.components.tuning.api.suggesting import (
    Curve,
    InvalidSettingsError,
    Problem,
    Pruner,
    ReadLog,
    Rule,
    TrialRecord,
)
from sampan.components.tuning.engine.early_stopping import halving, medianstop, percentile, single
from sampan.components.tuning.engine.early_stopping.settings import Settings

_REMEMBERED = 20_000
"""Averages of trials; a succeeded trial's does not change. Some 3 MB."""

PRUNERS: Mapping[str, Callable[[Settings], Pruner]] = {
    "median": percentile.median,
    "percentile": percentile.percentile,
    "successivehalving": halving.successive_halving,
    "hyperband": halving.hyperband,
    "threshold": single.threshold,
    "wilcoxon": single.wilcoxon,
    "patient": lambda settings: _patient(settings),
}
_ALIASES = {"asha": "successivehalving"}
NAMES: Sequence[str] = (medianstop.NAME, *PRUNERS, *_ALIASES)


def knows(algorithm: str) -> bool:
    return algorithm == medianstop.NAME or _plain(algorithm) in PRUNERS


def check(problem: Problem) -> None:
    """Raises InvalidSettingsError."""
    if problem.early_stopping == medianstop.NAME:
        medianstop.median_stop(problem.early_stopping_settings)
    elif pruner(problem) is None:
        raise InvalidSettingsError(
            f"unknown algorithm name {problem.early_stopping}", f": it must be one of {', '.join(NAMES)}"
        )


def pruner(problem: Problem) -> Pruner | None:
    """None where there is none: no early stopping, or one that makes rules. Raises InvalidSettingsError."""
    make = PRUNERS.get(_plain(problem.early_stopping))
    if make is None:
        return None
    return make(Settings(problem.early_stopping, problem.early_stopping_settings))


def why_stop(
    decider: Pruner, problem: Problem, curve: Curve, others: Sequence[Curve], decided: int = 0
) -> str:
    """Decides at each value that is new, where several have come at once: the first `decided` were before. Empty to let
    the trial go on."""
    for count in range(decided + 1, len(curve.values) + 1):
        why = decider.decide(problem, Curve(curve.trial, curve.values[:count], curve.condition), others)
        if why:
            return why
    return ""


class EarlyStopping:
    """Implements `api.suggesting.EarlyStoppingService`."""

    def __init__(self) -> None:
        self._averages: OrderedDict[tuple[str, str, str, int], float | None] = OrderedDict()

    async def validate(self, problem: Problem) -> None:
        """Raises InvalidSettingsError."""
        check(problem)

    async def rules(self, problem: Problem, trials: Sequence[TrialRecord], read: ReadLog) -> Sequence[Rule]:
        """Raises InvalidSettingsError, and what `read` raises."""
        if problem.early_stopping != medianstop.NAME:
            check(problem)
            return ()
        algorithm = medianstop.median_stop(problem.early_stopping_settings)
        found = [
            await self._average(problem, each.name, algorithm.start_step, read)
            for each in trials
            if each.condition == "Succeeded"
        ]
        averages = [each for each in found if each is not None]
        return medianstop.rules(algorithm, problem.objective, averages)

    async def _average(self, problem: Problem, trial: str, steps: int, read: ReadLog) -> float | None:
        key = (problem.uid, trial, problem.objective.metric, steps)
        if key not in self._averages:
            log = await read(problem.namespace, trial, problem.objective.metric)
            self._averages[key] = medianstop.average(log, steps)
            if len(self._averages) > _REMEMBERED:
                self._averages.popitem(last=False)
        return self._averages[key]


def _patient(settings: Settings) -> Pruner:
    name = settings.text("wrapped_pruner")
    make = PRUNERS.get(_plain(name))
    if not name:
        settings.only("patience", "min_delta", "wrapped_pruner")
        return single.patient(settings, None)
    if make is None or _plain(name) == "patient":
        others = [each for each in PRUNERS if each != "patient"]
        raise InvalidSettingsError(f"wrapped_pruner must be one of {', '.join(others)}, not {name}")
    return single.patient(settings, make(settings.without("patience", "min_delta", "wrapped_pruner")))


def _plain(algorithm: str) -> str:
    name = algorithm.lower().replace("_", "").replace("-", "").removesuffix("pruner")
    return _ALIASES.get(name, name)
