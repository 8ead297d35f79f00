"""`enas`: architectures written by a controller that learns from how well they did.

Pham et al. 2018 (arXiv 1802.03268). Upstream: kubeflow/katib 0.19 pkg/suggestion/v1beta1/nas/enas/service.py, whose
assignments this has: `architecture` and `nn_config`, JSON in single quotation marks.

Upstream trains its controller on the average of all trials, against architectures that it draws for the purpose: what
it learns has nothing to do with which architecture did well. Here each trial's own value rewards its own architecture,
as in the paper. The controller follows from the trials that have a value, in the order in which they ended: it is
replayed by a process that does not have it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from sampan.components.tuning.api.suggesting import Answer, Assignment, NasConfig, Problem, TrialRecord
from sampan.components.tuning.engine.algorithms.contract import Memory
from sampan.components.tuning.engine.algorithms.darts import quoted
from sampan.components.tuning.engine.algorithms.enas_controller import Architecture, Controller, Rewarded
from sampan.components.tuning.engine.algorithms.nas_settings import Choice, choices, controller_settings
from sampan.components.tuning.engine.algorithms.outcomes import value_of
from sampan.components.tuning.engine.algorithms.seeds import numbers, seed

_KEY = "enas"
_BATCH = 16
_EFFORT = 8_000
"""Steps times layers for one trial, at most, shared with those before it: so that a thousand trials are replayed within
minutes, whatever the settings."""


class Enas:
    def suggest(
        self, memory: Memory, problem: Problem, trials: Sequence[TrialRecord], count: int, asked: int
    ) -> Answer:
        nas = problem.nas or NasConfig()
        operations = choices(nas.operations)
        controller = _trained(memory, problem, nas, operations, trials)
        drawn = [
            controller.sample(np.random.default_rng(seed(problem, number)))
            for number in numbers(count, asked)
        ]
        return Answer(tuple(_assignment(nas, operations, each) for each in drawn))


class _Replay:
    """A controller, and what it has been trained with so far."""

    def __init__(self, problem: Problem, nas: NasConfig, operations: Sequence[Choice]) -> None:
        self.settings = controller_settings(problem.settings)
        self.first = seed(problem, 0, "controller")
        self.controller = Controller(nas.num_layers, len(operations), self.settings, self.first)
        self.seen: list[Rewarded] = []

    def follows(self, results: Sequence[Rewarded]) -> bool:
        return list(results[: len(self.seen)]) == self.seen

    def learn(self, result: Rewarded) -> None:
        """From the new one and some of those before."""
        self.seen.append(result)
        number = len(self.seen)
        source = np.random.default_rng((self.first, number))
        steps = max(min(self.settings.train_steps, _EFFORT // (self.controller.layers * number)), 1)
        for _ in range(steps):
            others = source.permutation(number - 1)[: _BATCH - 1]
            self.controller.train([result, *(self.seen[each] for each in others)])


def _trained(
    memory: Memory,
    problem: Problem,
    nas: NasConfig,
    operations: Sequence[Choice],
    trials: Sequence[TrialRecord],
) -> Controller:
    results = _results(problem, nas, len(operations), trials)
    replay = memory.kept.get(_KEY)
    if not isinstance(replay, _Replay) or not replay.follows(results):
        replay = memory.kept[_KEY] = _Replay(problem, nas, operations)
    for each in results[len(replay.seen) :]:
        replay.learn(each)
    return replay.controller


def _results(
    problem: Problem, nas: NasConfig, operations: int, trials: Sequence[TrialRecord]
) -> list[Rewarded]:
    sign = 1.0 if problem.objective.type == "maximize" else -1.0
    found: list[Rewarded] = []
    for each in sorted(trials, key=lambda trial: trial.completion_time):
        value, architecture = value_of(problem.objective, each), _read(each, nas.num_layers, operations)
        if value is not None and architecture is not None:
            found.append(Rewarded(architecture, sign * value))
    return found


def _read(trial: TrialRecord, layers: int, operations: int) -> Architecture | None:
    """None where it is none of this search's."""
    try:
        found = json.loads(trial.assignments.get("architecture", "").replace("'", '"'))
    except ValueError:
        return None
    if not isinstance(found, list) or len(found) != layers:
        return None
    for place, layer in enumerate(found):
        if not isinstance(layer, list) or len(layer) != place + 1:
            return None
        if not all(type(each) is int for each in layer) or not 0 <= layer[0] < operations:
            return None
        if not set(layer[1:]) <= {0, 1}:
            return None
    return found


def _assignment(nas: NasConfig, operations: Sequence[Choice], architecture: Architecture) -> Assignment:
    used = dict.fromkeys(layer[0] for layer in architecture)
    embedding = {
        each: {
            "opt_id": each,
            "opt_type": operations[each].type,
            "opt_params": dict(operations[each].parameters),
        }
        for each in used
    }
    nn_config = {
        "num_layers": nas.num_layers,
        "input_sizes": list(nas.input_sizes),
        "output_sizes": list(nas.output_sizes),
        "embedding": embedding,
    }
    return Assignment({"architecture": quoted(architecture), "nn_config": quoted(nn_config)})
