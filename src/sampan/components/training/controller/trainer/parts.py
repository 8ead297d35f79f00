"""The trainer's controllers put together, for training's `parts`."""

from __future__ import annotations

from collections.abc import Sequence

from sampan.client.protocol import Client
from sampan.components import PodFiles
from sampan.components.training.api.kinds import CLUSTER_TRAINING_RUNTIMES, TRAIN_JOBS, TRAINING_RUNTIMES
from sampan.components.training.controller.trainer.late import LateChildren
from sampan.components.training.controller.trainer.reporting import Reporters
from sampan.components.training.controller.trainer.runtimes import RuntimeReconciler
from sampan.components.training.controller.trainer.trainjobs import TrainJobReconciler
from sampan.components.training.engine.trainer.status import has_ended
from sampan.kube.kinds import JOB_SETS
from sampan.lib.clock import Clock
from sampan.reconcile.cache import Caches
from sampan.reconcile.manager import Runnable


def train_jobs(
    client: Client, clock: Clock, caches: Caches, pod_files: PodFiles | None
) -> Sequence[Runnable]:
    reconciler = TrainJobReconciler(client, clock, caches, Reporters(client, pod_files))
    controller = reconciler.controller()
    job_sets = LateChildren(client, JOB_SETS, TRAIN_JOBS, controller, has_ended)
    reconciler.read_job_sets_from(job_sets)
    return (
        job_sets,
        controller,
        *(
            RuntimeReconciler(client, caches, kind).controller()
            for kind in (CLUSTER_TRAINING_RUNTIMES, TRAINING_RUNTIMES)
        ),
    )
