"""The part of the registry that is not of samplers: budgets, populations and architectures. Imports none of them."""

from __future__ import annotations

from collections.abc import Mapping

from sampan.components.tuning.engine.algorithms import hyperband_state, nas_settings, pbt_settings
from sampan.components.tuning.engine.algorithms.contract import Entry

_HERE = "sampan.components.tuning.engine.algorithms"

SEARCHES: Mapping[str, Entry] = {
    "hyperband": Entry(
        hyperband_state.check,
        f"{_HERE}.hyperband:HyperbandSearch",
        check_question=hyperband_state.check_settings,
    ),
    "pbt": Entry(pbt_settings.check, f"{_HERE}.pbt:PopulationBasedTraining"),
    "enas": Entry(nas_settings.enas, f"{_HERE}.enas:Enas", of_networks=True),
    "darts": Entry(nas_settings.darts, f"{_HERE}.darts:Darts", needs_trials=False, of_networks=True),
}
