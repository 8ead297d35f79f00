"""Tuning's controllers put together. Loaded by the component's door, by name, after the server is ready."""

from __future__ import annotations

from collections.abc import Sequence

from sampan.components import Services
from sampan.components.tuning.api.kinds import EXPERIMENTS, SUGGESTIONS, TRIALS
from sampan.components.tuning.api.settings import TuningSettings
from sampan.components.tuning.api.suggesting import Algorithms
from sampan.components.tuning.controller.around import Around
from sampan.components.tuning.controller.counting import count
from sampan.components.tuning.controller.experiments.reconciler import ExperimentReconciler
from sampan.components.tuning.controller.inprocess.reconciler import InProcessReconciler
from sampan.components.tuning.controller.katib_config import KatibConfigMap
from sampan.components.tuning.controller.suggestions import services as suggesting
from sampan.components.tuning.controller.suggestions.reconciler import SuggestionReconciler
from sampan.components.tuning.controller.tallies import Tallies
from sampan.components.tuning.controller.trials.parts import trials
from sampan.components.tuning.engine.builtin import BuiltIn
from sampan.components.tuning.store.observations import Observations
from sampan.components.tuning.store.trial_pods import TrialPods
from sampan.kube.kinds import Resource
from sampan.reconcile.cache import Caches
from sampan.reconcile.manager import Runnable


def around(services: Services, settings: TuningSettings, algorithms: Algorithms | None = None) -> Around:
    """`algorithms`: others than those that come with the platform."""
    return Around(
        services.client,
        services.clock,
        Caches(services.client),
        settings,
        Observations(services.database),
        algorithms or BuiltIn(),
        services.home,
        services.url,
        services.pod_files,
        services.served,
        services.pod_places,
        TrialPods(services.database) if services.pod_files is None else None,
        services.attendant_log,
    )


def controllers(around: Around, foreign: frozenset[str]) -> Sequence[Runnable]:
    """All but those of `foreign` definitions, in the order in which to start them."""
    count(around.caches, around.totals)
    # One line for each kind; one that somebody else acts on is left to them.
    tallies, katib_config = Tallies(around.caches.of(TRIALS)), KatibConfigMap(around.client)
    suggestions = SuggestionReconciler(around, tallies, katib_config)
    made: dict[Resource, Sequence[Runnable]] = {
        SUGGESTIONS: (suggestions.controller(),),
        EXPERIMENTS: (
            ExperimentReconciler(around, tallies, katib_config).controller(),
            *_in_process(around, katib_config, suggestions.services),
        ),
        TRIALS: trials(around, tallies),
    }
    acts_on_all = around.settings.controllers == "on"
    return [
        runnable
        for kind, runnables in made.items()
        if acts_on_all or kind.key not in foreign
        for runnable in runnables
    ]


def _in_process(
    around: Around, katib_config: KatibConfigMap, asked: suggesting.Services
) -> Sequence[Runnable]:
    """Where pods do not see this machine's folders, all trials are jobs."""
    if around.pod_files is not None:
        return ()
    return (InProcessReconciler(around, katib_config, asked).controller(),)
