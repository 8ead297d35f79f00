"""Jobs and pods as objects, for the pure parts of Training Operator's kinds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sampan.components.training.api.contracts import CONTRACTS
from sampan.components.training.engine.jobs.framework import Framework
from sampan.components.training.engine.jobs.frameworks import FRAMEWORKS
from sampan.components.training.engine.jobs.pods import Slot, slot_labels
from sampan.components.training.engine.jobs.spec import Job, read_job

Object = dict[str, Any]


def framework_of(kind: str) -> Framework:
    return next(each for each in FRAMEWORKS if each.shape.kind == kind)


def job_object(kind: str, roles: dict[str, Any], **spec: Any) -> Object:
    """`roles`: how many replicas, or fields of the replica spec."""
    contract = CONTRACTS[kind]
    container = {"name": contract.container, "image": "python"}
    replicas = {
        role: {
            "template": {"spec": {"containers": [container]}},
            **(fields if isinstance(fields, dict) else {"replicas": fields}),
        }
        for role, fields in roles.items()
    }
    return {
        "apiVersion": "kubeflow.org/v1",
        "kind": kind,
        "metadata": {"name": "train", "namespace": "team", "uid": "job-uid", "resourceVersion": "1"},
        "spec": {contract.replica_specs: replicas, **spec},
    }


def pod_object(kind: str, role: str, index: int, phase: str = "Running", **more: Any) -> Object:
    """`code`: of the container that trains; `restarts`: of it; `deleting`; `disrupted`."""
    shape = framework_of(kind).shape
    state: Object = {"running": {}}
    if "code" in more:
        state = {"terminated": {"exitCode": more["code"]}}
    container = {"name": shape.container, "state": state, "restartCount": more.get("restarts", 0)}
    name = f"train-{role.lower()}-{index}"
    metadata: Object = {
        "name": name,
        "namespace": "team",
        "uid": more.get("uid", name),
        "labels": slot_labels(shape, "train", Slot(role, index)),
    }
    if more.get("deleting"):
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    conditions = [{"type": "DisruptionTarget", "status": "True"}] if more.get("disrupted") else []
    status = {"phase": phase, "conditions": conditions}
    if phase != "Pending":
        status["containerStatuses"] = [container]
    return {"metadata": metadata, "spec": {}, "status": status}


@pytest.fixture
def framework() -> Callable[[str], Framework]:
    return framework_of


@pytest.fixture(scope="session")
def made() -> Callable[..., Object]:
    """A job as its author wrote it."""
    return job_object


@pytest.fixture
def read() -> Callable[..., Job]:
    """A job that was read and checked."""

    def reading(kind: str, roles: dict[str, Any], **spec: Any) -> Job:
        found = framework_of(kind)
        job = read_job(job_object(kind, roles, **spec), found.shape)
        found.check(job)
        return job

    return reading


@pytest.fixture
def pod() -> Callable[..., Object]:
    return pod_object
