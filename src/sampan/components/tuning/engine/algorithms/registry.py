"""Which algorithm answers to which of Katib's names. Imports none of them: that is the worker's."""

from __future__ import annotations

from collections.abc import Mapping

from sampan.components.tuning.engine.algorithms import checks
from sampan.components.tuning.engine.algorithms.contract import Entry
from sampan.components.tuning.engine.algorithms.optuna_names import SAMPLERS
from sampan.components.tuning.engine.algorithms.searches import SEARCHES

_HERE = "sampan.components.tuning.engine.algorithms"

ALGORITHMS: Mapping[str, Entry] = {
    "random": Entry(checks.random, f"{_HERE}.random_search:RandomSearch", needs_trials=False, several=True),
    "grid": Entry(checks.grid, f"{_HERE}.grid:Grid", needs_trials=False, several=True),
    "sobol": Entry(checks.sobol, f"{_HERE}.sobol:Sobol", needs_trials=False, several=True),
    "tpe": Entry(checks.tpe, f"{_HERE}.tpe:Tpe", several=True),
    "multivariate-tpe": Entry(checks.multivariate_tpe, f"{_HERE}.tpe:MultivariateTpe", several=True),
    "cmaes": Entry(checks.cmaes, f"{_HERE}.cmaes:CmaEs"),
    "bayesianoptimization": Entry(checks.bayesian, f"{_HERE}.bayesian:BayesianOptimization"),
    **SAMPLERS,
    **SEARCHES,
}
