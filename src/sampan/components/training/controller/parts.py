"""Training's controllers put together. Loaded by the component's door, by name, after the server is ready."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sampan.client.protocol import Client, ListOptions
from sampan.components import PodFiles, Services
from sampan.components.training.api import labels
from sampan.components.training.api.kinds import TRAIN_JOBS
from sampan.components.training.api.settings import TrainingSettings
from sampan.components.training.controller.trainer.parts import train_jobs
from sampan.kube.kinds import PODS, SERVICES, Resource
from sampan.lib.clock import Clock
from sampan.reconcile.cache import Cache, Caches
from sampan.reconcile.manager import Runnable


@dataclass(frozen=True, slots=True)
class Around:
    """What every reconciler here is given."""

    client: Client
    clock: Clock
    caches: Caches
    """Training's own: whole kinds. For pods and Services of jobs there are the two below, which hold only those."""
    pods: Cache
    services: Cache
    settings: TrainingSettings
    gang_scheduler: str
    """`scheduler-plugins`, `volcano` or `none`: the setting, with `auto` decided."""
    url: str
    """Where this server is reached on its machine."""
    pod_files: PodFiles | None
    """How pods reach it from elsewhere; None in the embedded cluster."""


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
    )


def controllers(around: Around, foreign: frozenset[str]) -> Sequence[Runnable]:
    """All but those of `foreign` definitions, in the order in which to start them."""
    # One line for each kind; one that somebody else acts on is left to them.
    made: dict[Resource, Sequence[Runnable]] = {
        TRAIN_JOBS: train_jobs(around.client, around.clock, around.caches, around.pod_files),
    }
    acts_on_all = around.settings.operators == "on"
    return [
        runnable
        for kind, runnables in made.items()
        if acts_on_all or kind.key not in foreign
        for runnable in runnables
    ]
