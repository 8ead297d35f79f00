"""The trials' controller with what it stands on, in the order in which to start it. For `controller.parts`."""

from __future__ import annotations

from collections.abc import Sequence

from sampan.components.tuning.api.kinds import EXPERIMENTS
from sampan.components.tuning.controller.around import Around
from sampan.components.tuning.controller.collecting.collector import Collector
from sampan.components.tuning.controller.collecting.opening import opener_for, teller_for
from sampan.components.tuning.controller.collecting.pruning import Pruning
from sampan.components.tuning.controller.tallies import Tallies
from sampan.components.tuning.controller.trials.reconciler import TrialReconciler
from sampan.components.tuning.controller.trials.run_objects import RunObjects
from sampan.components.tuning.controller.trials.trial_pods import TrialPods
from sampan.reconcile.manager import Runnable
from sampan.reconcile.reconciler import Request


def trials(around: Around, tallies: Tallies) -> Sequence[Runnable]:
    runs, pods = (
        RunObjects(around.client, around.served),
        TrialPods(around.client, around.remembered, around.home),
    )
    pruning = Pruning(around.caches.of(EXPERIMENTS), tallies, around.observations.of)
    collector = Collector(
        around.observations,
        opener_for(around),
        lambda key: controller.queue.add(Request(*key)),
        teller_for(around),
        pruning,
    )
    controller = TrialReconciler(around, collector, pods, runs).controller()
    runs.tell(controller.queue.add)
    return runs, collector, controller
