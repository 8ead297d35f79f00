"""The runtime as a TrainJob found it: a ConfigMap, so that who edits a runtime changes no job that runs. Pure.

Source: kubeflow/trainer pkg/runtime/core/snapshot.go, v2.3.
"""

from __future__ import annotations

from typing import Any

import yaml

from sampan.components.training.api.kinds import CLUSTER_TRAINING_RUNTIMES, TRAINER_GROUP, TRAINING_RUNTIMES
from sampan.components.training.engine.trainer.contract import UnbuildableError
from sampan.kube import meta, owners
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object

_KEY = "runtime"
_LEFT_OUT = ("managedFields",)


def name_of(train_job: Object) -> str:
    return f"{meta.name(train_job)}-runtime-snapshot"


def resource_of(train_job: Object) -> Resource | None:
    """Of the runtime that it refers to; None for a kind that nobody here knows."""
    reference = meta.spec(train_job).get("runtimeRef") or {}
    if (reference.get("apiGroup") or TRAINER_GROUP) != TRAINER_GROUP:
        return None
    kind = reference.get("kind") or CLUSTER_TRAINING_RUNTIMES.kind
    return next((each for each in (CLUSTER_TRAINING_RUNTIMES, TRAINING_RUNTIMES) if each.kind == kind), None)


def runtime_name(train_job: Object) -> str:
    return str((meta.spec(train_job).get("runtimeRef") or {}).get("name") or "")


def written(train_job: Object, runtime: Object, resource: Resource) -> Object:
    """The ConfigMap to apply."""
    kept = {
        **runtime,
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {key: value for key, value in meta.metadata(runtime).items() if key not in _LEFT_OUT},
    }
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name_of(train_job)},
        "data": {_KEY: yaml.safe_dump(kept, sort_keys=False)},
    }


def read(train_job: Object, config_map: Object, resource: Resource) -> Object:
    """The runtime. Raises UnbuildableError for one that is not this TrainJob's."""
    name = meta.name(config_map)
    if not owners.is_controlled_by(config_map, train_job):
        raise UnbuildableError(
            f'invalid runtime snapshot: the ConfigMap "{name}" belongs to somebody else: delete it, or name the '
            "TrainJob otherwise"
        )
    try:
        found: Any = yaml.safe_load((config_map.get("data") or {}).get(_KEY) or "")
    except yaml.YAMLError as error:
        raise UnbuildableError(
            f'invalid runtime snapshot: "{_KEY}" of the ConfigMap "{name}": {error}'
        ) from error
    if not isinstance(found, dict):
        raise UnbuildableError(f'invalid runtime snapshot: the ConfigMap "{name}" has no "{_KEY}"')
    wanted = (runtime_name(train_job), resource.kind)
    if (meta.name(found), found.get("kind")) != wanted:
        raise UnbuildableError(
            f'invalid runtime snapshot: the ConfigMap "{name}" holds the {found.get("kind")} "{meta.name(found)}", '
            f'not the {wanted[1]} "{wanted[0]}"'
        )
    return found
