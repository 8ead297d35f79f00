"""Experiments held against the algorithms that come with the platform and those that katib-config names.

For the hooks and the reconciler. What it needs is as light as the server.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sampan.components.tuning.api.suggesting import Problem
from sampan.components.tuning.engine import checking
from sampan.components.tuning.engine.algorithms.registry import ALGORITHMS
from sampan.components.tuning.engine.early_stopping import service as stopping
from sampan.components.tuning.engine.suggestion import katib_config as configured
from sampan.components.tuning.engine.validation.experiment import World
from sampan.components.tuning.engine.validation.experiment import check as check_experiment
from sampan.components.tuning.engine.validation.template import Surroundings
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.meta import Object


def check(
    experiment: Object,
    old: Object | None,
    config_map: Object | None,
    surroundings: Surroundings,
) -> FieldErrors:
    """`experiment` with its defaults, `config_map` katib-config."""
    return check_experiment(experiment, old, world(config_map, surroundings))


def surroundings(
    config_map: Callable[[str, str], Mapping[str, Any] | None], wrong_with: Callable[[Object], str]
) -> Surroundings:
    return Surroundings(config_map, wrong_with)


def world(config_map: Object | None, around: Surroundings) -> World:
    config = configured.katib_config_of(config_map)

    def check_settings(problem: Problem) -> None:
        name, stops = problem.algorithm, problem.early_stopping
        if name in ALGORITHMS and configured.own_suggestion(config, name, is_built_in=True) is None:
            checking.check(problem)
        if stopping.knows(stops) and configured.own_stopping(config, stops, is_built_in=True) is None:
            stopping.check(problem)

    return World(
        around,
        lambda name: configured.why_no_suggestion(config, name, is_built_in=name in ALGORITHMS),
        lambda name: configured.why_no_stopping(config, name, is_built_in=stopping.knows(name)),
        check_settings,
    )
