"""Training's controllers put together. Loaded by the component's door, by name, after the server is ready."""

from __future__ import annotations

from collections.abc import Sequence

from sampan.client.protocol import ListOptions
from sampan.components import Services
from sampan.components.training.api import labels
from sampan.components.training.api.kinds import MPI_JOBS, TRAIN_JOBS
from sampan.components.training.api.settings import TrainingSettings
from sampan.components.training.controller.around import Around
from sampan.components.training.controller.jobs.reconciler import JobReconciler
from sampan.components.training.controller.mpi.v1 import MpiV1Reconciler
from sampan.components.training.controller.mpi.v2 import MpiV2Reconciler
from sampan.components.training.controller.trainer.parts import train_jobs
from sampan.components.training.engine.jobs.frameworks import FRAMEWORKS
from sampan.kube.kinds import PODS, SERVICES, Resource
from sampan.reconcile.cache import Cache, Caches
from sampan.reconcile.manager import Runnable

_INIT_IMAGE = "alpine:3.10"
"""Upstream's: kubeflow/training-operator v1.9.0 pkg/config/config.go."""


def _init_image(setting: str, *, embedded: bool) -> str:
    if setting == "auto":
        # Here a Service's name is known as soon as the Service is there, which is before the pod.
        return "" if embedded else _INIT_IMAGE
    return "" if setting == "none" else setting


def around(services: Services, settings: TrainingSettings, gang_scheduler: str) -> Around:
    client = services.client
    of_jobs = ListOptions(label_selector=labels.JOB_NAME)
    pods, of_services = (Cache(client, kind, selector=of_jobs) for kind in (PODS, SERVICES))
    return Around(
        client,
        services.clock,
        Caches(client),
        pods,
        of_services,
        settings,
        gang_scheduler,
        services.url,
        services.pod_files,
        _init_image(settings.init_container_image, embedded=services.pod_files is None),
    )


def controllers(around: Around, foreign: frozenset[str]) -> Sequence[Runnable]:
    """All but those of `foreign` definitions, in the order in which to start them."""
    # One line for each kind; one that somebody else acts on is left to them.
    made: dict[Resource, Sequence[Runnable]] = {
        **{each.shape.resource: (JobReconciler(around, each).controller(),) for each in FRAMEWORKS},
        MPI_JOBS: (MpiV1Reconciler(around).controller(), MpiV2Reconciler(around).controller()),
        TRAIN_JOBS: train_jobs(around.client, around.clock, around.caches, around.pod_files),
    }
    acts_on_all = around.settings.operators == "on"
    return [
        runnable
        for kind, runnables in made.items()
        if acts_on_all or kind.key not in foreign
        for runnable in runnables
    ]
