"""The plugins, in the order in which they are asked, and what they make of a TrainJob. Whoever adds one adds its line.

For the reconciler and for whoever checks a TrainJob before it is stored. Source: kubeflow/trainer
pkg/runtime/framework/{core/framework.go,plugins/registry.go}, v2.3.
"""

from __future__ import annotations

from sampan.components.training.engine.trainer import (
    gangs,
    jax,
    jobset,
    mpi,
    plain,
    reporting,
    torch,
    xgboost,
)
from sampan.components.training.engine.trainer.contract import Info, Plugin, Present
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object

PLUGINS: tuple[Plugin, ...] = (
    torch.PLUGIN,
    mpi.PLUGIN,
    jax.PLUGIN,
    xgboost.PLUGIN,
    plain.PLUGIN,
    reporting.PLUGIN,
    gangs.COSCHEDULING,
    gangs.VOLCANO,
    # The last one: what its pods mount and belong to is then there before them.
    jobset.PLUGIN,
)


def enforce(info: Info) -> None:
    """Changes `info` as all policies want it. Raises UnbuildableError."""
    for plugin in PLUGINS:
        if plugin.enforce_ml_policy is not None:
            plugin.enforce_ml_policy(info)
    for plugin in PLUGINS:
        if plugin.enforce_pod_group_policy is not None:
            plugin.enforce_pod_group_policy(info)
    for plugin in PLUGINS:
        if plugin.identify_pod_network is not None:
            plugin.identify_pod_network(info)


def looked_up(info: Info) -> list[tuple[Resource, str]]:
    """What `build` has to know of: kinds and names in the TrainJob's namespace."""
    return [each for plugin in PLUGINS if plugin.looks_up is not None for each in plugin.looks_up(info)]


def build(info: Info, present: Present) -> list[Object]:
    """The objects to apply, in this order. `info` has been through `enforce`. Raises UnbuildableError."""
    return [each for plugin in PLUGINS if plugin.build is not None for each in plugin.build(info, present)]
