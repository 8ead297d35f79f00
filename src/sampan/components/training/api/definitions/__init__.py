"""The CustomResourceDefinitions of training's kinds, with upstream's schemas.

Installed by the composition root before the component starts, on our API server and on a cluster alike, unless somebody
else's are there. Pod templates are not written out: their places name the built-in type (decision 36).

    operator  the schemas of Training Operator's kinds and of mpi-operator's     trainer  of Trainer's
    jobset    what a training runtime holds of a JobSet
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sampan.components.training.api import kinds
from sampan.components.training.api.contracts import CONTRACTS
from sampan.components.training.api.definitions import operator, trainer
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object

Schema = dict[str, Any]

_STATE: Object = {"name": "State", "jsonPath": ".status.conditions[-1:].type", "type": "string"}
_AGE: Object = {"name": "Age", "jsonPath": ".metadata.creationTimestamp", "type": "date"}


def _definition(versions: Mapping[Resource, Schema], columns: Sequence[Object] = ()) -> Object:
    """Versions of one kind with their schemas; the first is the one that is stored."""
    stored = next(iter(versions))
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": stored.key},
        "spec": {
            "group": stored.group,
            "names": {
                "kind": stored.kind,
                "listKind": stored.collection_kind,
                "plural": stored.plural,
                "singular": stored.singular,
            },
            "scope": "Namespaced" if stored.namespaced else "Cluster",
            "versions": [
                _version(each, schema, columns, is_stored=each is stored) for each, schema in versions.items()
            ],
        },
    }


def _version(resource: Resource, schema: Schema, columns: Sequence[Object], *, is_stored: bool) -> Object:
    version: Object = {
        "name": resource.version,
        "served": True,
        "storage": is_stored,
        "schema": {"openAPIV3Schema": schema},
    }
    subresources: Object = {"status": {}} if "status" in resource.subresources else {}
    if "scale" in resource.subresources:
        specs = CONTRACTS[resource.kind].replica_specs
        subresources["scale"] = {
            "specReplicasPath": f".spec.{specs}.Worker.replicas",
            "statusReplicasPath": ".status.replicaStatuses.Worker.active",
            "labelSelectorPath": ".status.replicaStatuses.Worker.selector",
        }
    if subresources:
        version["subresources"] = subresources
    if columns:
        version["additionalPrinterColumns"] = [dict(each) for each in columns]
    return version


def _job(resource: Resource, about: str, fields: Schema | None = None) -> Object:
    schema = operator.job(about, CONTRACTS[resource.kind].replica_specs, fields or {})
    return _definition({resource: schema}, (_STATE, _AGE))


DEFINITIONS: tuple[Object, ...] = (
    _job(
        kinds.TF_JOBS,
        "A training job of TensorFlow, its cluster told to each process in TF_CONFIG.",
        operator.TF,
    ),
    _job(
        kinds.PYTORCH_JOBS,
        "A training job of PyTorch: one process group over all its pods.",
        operator.PYTORCH,
    ),
    _job(kinds.XGBOOST_JOBS, "A training job of XGBoost or LightGBM, with a master as tracker."),
    _job(kinds.JAX_JOBS, "A training job of JAX: one process for each pod, with the first as coordinator."),
    _job(kinds.PADDLE_JOBS, "A training job of PaddlePaddle.", operator.PADDLE),
    _definition({kinds.MPI_JOBS: operator.MPI_V1, kinds.MPI_JOBS_V2: operator.MPI_V2}, (_AGE, _STATE)),
    _definition({kinds.TRAIN_JOBS: trainer.TRAIN_JOB}, (_STATE, _AGE)),
    _definition({kinds.TRAINING_RUNTIMES: trainer.TRAINING_RUNTIME}),
    _definition({kinds.CLUSTER_TRAINING_RUNTIMES: trainer.TRAINING_RUNTIME}),
)
