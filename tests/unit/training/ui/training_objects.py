"""Jobs and pods as the API gives them, for the tests of training's pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

T = "2026-05-01T10:00:0{}Z"


def job(
    name: str = "train",
    kind: str = "PyTorchJob",
    conditions: Sequence[tuple[str, str]] = (),
    spec: Mapping[str, Any] | None = None,
    **status: Any,
) -> dict[str, Any]:
    """`conditions` are types and what is said with them, all of which hold, the oldest first."""
    told = [
        {
            "type": type_,
            "status": "True",
            "reason": f"{kind}{type_}",
            "message": message,
            "lastTransitionTime": T.format(at),
        }
        for at, (type_, message) in enumerate(conditions)
    ]
    return {
        "apiVersion": "trainer.kubeflow.org/v1alpha1" if kind == "TrainJob" else "kubeflow.org/v1",
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": f"uid-{name}",
            "creationTimestamp": T.format(0),
        },
        "spec": dict(spec or {}),
        "status": {**({"conditions": told} if told else {}), **status},
    }


def pod(
    rank: str = "worker-0",
    phase: str = "Running",
    *,
    name: str = "",
    created: int = 0,
    node: str = "vm",
    state: Mapping[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """`more` goes to the status of its container."""
    role, _, index = rank.rpartition("-")
    spec: dict[str, Any] = {"containers": [{"name": "sidecar"}, {"name": "pytorch", "image": "python:3.11"}]}
    if node:
        spec["nodeName"] = node
    return {
        "kind": "Pod",
        "metadata": {
            "name": name or f"train-{rank}",
            "namespace": "default",
            "creationTimestamp": T.format(created),
            "labels": {
                "training.kubeflow.org/job-name": "train",
                "training.kubeflow.org/replica-type": role,
                "training.kubeflow.org/replica-index": index,
            },
            "ownerReferences": [{"kind": "PyTorchJob", "name": "train"}],
        },
        "spec": spec,
        "status": {
            "phase": phase,
            "containerStatuses": [
                {"name": "pytorch", "ready": phase == "Running", "state": dict(state or {}), **more}
            ],
        },
    }


def unscheduled(rank: str = "worker-0", cpu: str = "64") -> dict[str, Any]:
    found = pod(rank, "Pending", node="")
    found["spec"]["containers"][1]["resources"] = {"requests": {"cpu": cpu}}
    found["status"] = {
        "phase": "Pending",
        "conditions": [
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "message": "0/1 nodes are available: 1 Insufficient cpu.",
            }
        ],
    }
    return found


def node(cpu: str = "2") -> dict[str, Any]:
    return {"metadata": {"name": "vm"}, "status": {"allocatable": {"cpu": cpu}}}
