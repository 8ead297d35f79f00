"""`darts`: each trial is a whole search by gradients, of which the algorithm says the space and the settings.

Liu et al. 2019, DARTS: Differentiable Architecture Search (arXiv 1806.09055). Upstream: kubeflow/katib 0.19
pkg/suggestion/v1beta1/nas/darts/service.py. The trial's program trains the network that has all operations at once, and
reports the cell it finds (`cluster/node/environments/examples/darts_search.py` is one).
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from sampan.components.tuning.api.suggesting import Answer, Assignment, NasConfig, Problem, TrialRecord
from sampan.components.tuning.engine.algorithms.contract import Memory
from sampan.components.tuning.engine.algorithms.nas_settings import primitives

_DEFAULTS = {
    "num_epochs": 50,
    "w_lr": 0.025,
    "w_lr_min": 0.001,
    "w_momentum": 0.9,
    "w_weight_decay": 3e-4,
    "w_grad_clip": 5.0,
    "alpha_lr": 3e-4,
    "alpha_weight_decay": 1e-3,
    "batch_size": 128,
    "num_workers": 4,
    "init_channels": 16,
    "print_step": 50,
    "num_nodes": 4,
    "stem_multiplier": 3,
}


class Darts:
    """Keeps nothing; all trials are given the same."""

    def suggest(
        self, memory: Memory, problem: Problem, trials: Sequence[TrialRecord], count: int, asked: int
    ) -> Answer:
        nas = problem.nas or NasConfig()
        # Upstream's own examples give what is set as text and what is not as numbers, None as null.
        given = {name: None if value == "None" else value for name, value in problem.settings.items()}
        parameters = {
            "algorithm-settings": quoted({**_DEFAULTS, **given}),
            "search-space": quoted(primitives(nas.operations)),
            "num-layers": str(nas.num_layers),
        }
        return Answer((Assignment(parameters),) * count)


def quoted(value: object) -> str:
    """JSON in single quotation marks, which fits between a command's double ones: as upstream assigns it."""
    return json.dumps(value).replace('"', "'")
