"""The CustomResourceDefinitions of training's kinds.

Installed by the composition root before the component starts, on our API server and on a cluster alike, unless somebody
else's are there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sampan.components.training.api import kinds
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object


def _column(name: str, path: str, type_: str = "string", **more: Any) -> Object:
    return {"name": name, "jsonPath": path, "type": type_, **more}


_AGE = _column("Age", ".metadata.creationTimestamp", "date")
_JOB_COLUMNS = (_column("State", ".status.conditions[-1:].type"), _AGE)
_TRAIN_JOB_COLUMNS = (
    _column("State", '.status.conditions[?(@.status=="True")].type'),
    _AGE,
)


def _definition(versions: Sequence[Resource], columns: Sequence[Object] = ()) -> Object:
    """`versions` of one kind; the first is the one that is stored."""
    kind = versions[0]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": kind.key},
        "spec": {
            "group": kind.group,
            "names": {
                "kind": kind.kind,
                "listKind": kind.collection_kind,
                "plural": kind.plural,
                "singular": kind.singular,
            },
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "versions": [_version(each, each is kind, columns) for each in versions],
        },
    }


def _version(resource: Resource, stored: bool, columns: Sequence[Object]) -> Object:
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version: dict[str, Any] = {
        "name": resource.version,
        "served": True,
        "storage": stored,
        "schema": {
            "openAPIV3Schema": {
                "type": "object",
                "properties": {
                    "apiVersion": {"type": "string"},
                    "kind": {"type": "string"},
                    "metadata": {"type": "object"},
                    "spec": anything,
                    "status": anything,
                },
            }
        },
    }
    if "status" in resource.subresources:
        version["subresources"] = {"status": {}}
    if columns:
        version["additionalPrinterColumns"] = [dict(each) for each in columns]
    return version


DEFINITIONS: tuple[Object, ...] = (
    *(
        _definition((kind,), _JOB_COLUMNS)
        for kind in (kinds.TF_JOBS, kinds.PYTORCH_JOBS, kinds.XGBOOST_JOBS, kinds.JAX_JOBS, kinds.PADDLE_JOBS)
    ),
    _definition((kinds.MPI_JOBS, kinds.MPI_JOBS_V2), _JOB_COLUMNS),
    _definition((kinds.TRAIN_JOBS,), _TRAIN_JOB_COLUMNS),
    _definition((kinds.TRAINING_RUNTIMES,), (_AGE,)),
    _definition((kinds.CLUSTER_TRAINING_RUNTIMES,), (_AGE,)),
)
