"""What each built-in kind adds to the generic verbs. Adding a kind is one declaration in a module here."""

from __future__ import annotations

from importlib import resources

from sampan.cluster.apiserver.kinds import (
    admissions,
    apps,
    autoscalers,
    control_plane,
    core,
    cronjobs,
    disruption,
    events,
    jobs,
    jobsets,
    networking,
    podgroups,
    pods,
    policy,
    rbac,
    replication,
    services,
    storage,
    versions,
)
from sampan.cluster.apiserver.strategy import Strategy
from sampan.kube.schema import Schema

BUILT_IN: tuple[Strategy, ...] = (
    *core.STRATEGIES,
    *services.STRATEGIES,
    pods.STRATEGY,
    events.STRATEGY,
    *apps.STRATEGIES,
    jobs.STRATEGY,
    *policy.STRATEGIES,
    *rbac.STRATEGIES,
    cronjobs.STRATEGY,
    jobsets.STRATEGY,
    *podgroups.STRATEGIES,
    *replication.STRATEGIES,
    *disruption.STRATEGIES,
    autoscalers.AUTOSCALERS,
    *networking.STRATEGIES,
    *storage.STRATEGIES,
    *admissions.STRATEGIES,
    *control_plane.STRATEGIES,
    *versions.STRATEGIES,
)
"""All built-in kinds, in the order in which discovery lists them."""


def built_in_schema() -> Schema:
    """The fields of all built-in kinds, of the files in `schemas/`: one for each group and version."""
    folder = resources.files(__name__).joinpath("schemas")
    files = sorted(folder.iterdir(), key=lambda file: file.name)
    return Schema.parse(*(file.read_text("utf-8") for file in files if file.name.endswith(".schema")))
