"""A training job of any kind in short: its state, its replicas, its times. Pure.

For commands, pages and what users call from Python, which show jobs of all kinds alike. Status fields are upstream's:
kubeflow/training-operator 1.9 common_types.go (JobStatus), kubeflow/trainer 2.3 trainjob_types.go (TrainJobStatus).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sampan.components.training.api import labels
from sampan.components.training.api.contracts import CONTRACTS
from sampan.components.training.api.kinds import ALL_JOB_KINDS, TRAIN_JOBS
from sampan.kube import conditions, meta
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object

FRAMEWORKS: Mapping[str, str] = {
    "TFJob": "TensorFlow",
    "PyTorchJob": "PyTorch",
    "MPIJob": "MPI",
    "XGBoostJob": "XGBoost",
    "JAXJob": "JAX",
    "PaddleJob": "PaddlePaddle",
}
REPLICA_SPECS: Mapping[str, str] = {kind: each.replica_specs for kind, each in CONTRACTS.items()}
"""The field of the spec that holds the replicas of each role."""
CONTAINERS: Mapping[str, str] = {kind: each.container for kind, each in CONTRACTS.items()} | {
    "TrainJob": "node"
}
"""The container that trains, in each pod."""
_LAUNCHER, _WORKER = "launcher", "worker"
_ROLES = ("Launcher", "Chief", "Master", "PS", "Worker", "Evaluator")
"""In the order in which people look for them."""


class State(StrEnum):
    PENDING = "Pending"
    """Nothing has been said of it yet, or its pods do not run yet."""
    RUNNING = "Running"
    RESTARTING = "Restarting"
    SUSPENDED = "Suspended"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"

    @property
    def is_finished(self) -> bool:
        return self in (State.SUCCEEDED, State.FAILED)


@dataclass(frozen=True, slots=True)
class Replicas:
    """Of one role: a replica type, or a replicated job of a TrainJob's JobSet."""

    role: str
    wanted: int
    active: int = 0
    succeeded: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Summary:
    kind: str
    namespace: str
    name: str
    uid: str
    state: State
    reason: str
    message: str
    framework: str
    """As a name to show; of a TrainJob the name of its runtime."""
    replicas: tuple[Replicas, ...]
    created: str
    started: str
    """RFC 3339; empty before."""
    ended: str
    progress: Mapping[str, Any]
    """What a TrainJob's trainer has reported: `progressPercentage`, `estimatedRemainingSeconds`, `metrics`."""

    @property
    def wanted(self) -> int:
        return sum(each.wanted for each in self.replicas)

    @property
    def active(self) -> int:
        return sum(each.active for each in self.replicas)


@dataclass(frozen=True, slots=True)
class Rank:
    """Which of a job's pods this is."""

    role: str
    """As the labels have it: `worker`, `master`, or the name of a replicated job."""
    index: int

    def __str__(self) -> str:
        return f"{self.role}-{self.index}"


def resource_of(kind: str) -> Resource | None:
    """By kind or plural name, in any case: `pytorchjob`, `PyTorchJobs`; `torch` too, without `job`."""
    wanted = kind.lower().removesuffix("s").removesuffix("job")
    for each in ALL_JOB_KINDS:
        if each.singular.removesuffix("job") in (wanted, "py" + wanted):
            return each
    return None


def summarise(job: Object) -> Summary:
    kind = str(job.get("kind") or "")
    state, reason, message, since = _train_job_state(job) if kind == TRAIN_JOBS.kind else _job_state(job)
    status = meta.status(job)
    return Summary(
        kind=kind,
        namespace=meta.namespace(job),
        name=meta.name(job),
        uid=meta.uid(job),
        state=state,
        reason=reason,
        message=message,
        framework=_framework(job),
        replicas=tuple(_train_job_replicas(job) if kind == TRAIN_JOBS.kind else _job_replicas(job)),
        created=str(meta.metadata(job).get("creationTimestamp") or ""),
        started=str(status.get("startTime") or ""),
        ended=str(status.get("completionTime") or "") or (since if state.is_finished else ""),
        progress=status.get("trainerStatus") or {},
    )


def pod_selector(kind: str, name: str) -> str:
    """A label selector of the job's pods."""
    label = labels.JOB_SET_NAME if kind == TRAIN_JOBS.kind else labels.JOB_NAME
    return f"{label}={name}"


def rank_of(pod: Object) -> Rank:
    """Which of its job's pods `pod` is, of any kind of job."""
    found = meta.labels(pod)
    if role := found.get(labels.REPLICA_TYPE):
        return Rank(str(role), _number(found.get(labels.REPLICA_INDEX)))
    if found.get(labels.JOB_ROLE) in (_LAUNCHER, _WORKER):
        # mpi-operator's pods bear their role there.
        return Rank(str(found[labels.JOB_ROLE]), _number(found.get(labels.REPLICA_INDEX)))
    index = found.get(labels.COMPLETION_INDEX) or meta.annotations(pod).get(labels.COMPLETION_INDEX)
    return Rank(str(found.get(labels.REPLICATED_JOB_NAME) or "pod"), _number(index))


def in_order(pods: Sequence[Object]) -> list[Object]:
    """The launcher, chief or master first, then by role and index."""
    order = {role.lower(): at for at, role in enumerate(_ROLES)}

    def key(pod: Object) -> tuple[int, str, int, str]:
        rank = rank_of(pod)
        return order.get(rank.role, len(order)), rank.role, rank.index, meta.name(pod)

    return sorted(pods, key=key)


def _job_state(job: Object) -> tuple[State, str, str, str]:
    """By which of the conditions is the last that holds, the final ones before all."""
    for type_ in ("Failed", "Succeeded", "Suspended", "Restarting", "Running"):
        condition = conditions.find(job, type_)
        if condition is not None and condition.get("status") == "True":
            return State(type_), *_told(condition)
    condition = conditions.find(job, "Created")
    return State.PENDING, *_told(condition or {})


def _train_job_state(job: Object) -> tuple[State, str, str, str]:
    """A TrainJob has no condition while it runs: that its nodes are active says so."""
    for type_, state in (
        ("Complete", State.SUCCEEDED),
        ("Failed", State.FAILED),
        ("Suspended", State.SUSPENDED),
    ):
        condition = conditions.find(job, type_)
        if condition is not None and condition.get("status") == "True":
            return state, *_told(condition)
    active = any(each.active for each in _train_job_replicas(job))
    # Ours: why there is nothing yet that could run (decision 40).
    waits = conditions.find(job, "Created")
    told = _told(waits) if waits is not None and waits.get("status") == "False" else ("", "", "")
    return (State.RUNNING if active else State.PENDING), *told


def _told(condition: Mapping[str, Any]) -> tuple[str, str, str]:
    return (
        str(condition.get("reason") or ""),
        str(condition.get("message") or ""),
        str(condition.get("lastTransitionTime") or ""),
    )


def _framework(job: Object) -> str:
    kind = str(job.get("kind") or "")
    if kind == TRAIN_JOBS.kind:
        return str((meta.spec(job).get("runtimeRef") or {}).get("name") or "")
    return FRAMEWORKS.get(kind, kind)


def _job_replicas(job: Object) -> Iterator[Replicas]:
    kind = str(job.get("kind") or "")
    specs = meta.spec(job).get(REPLICA_SPECS.get(kind, "")) or {}
    statuses = meta.status(job).get("replicaStatuses") or {}
    for role in sorted(specs, key=lambda role: (_ROLES.index(role) if role in _ROLES else len(_ROLES), role)):
        status = statuses.get(role) or {}
        wanted = (specs[role] or {}).get("replicas")
        yield Replicas(
            role,
            1 if wanted is None else _number(wanted),
            *(_number(status.get(key)) for key in ("active", "succeeded", "failed")),
        )


def _train_job_replicas(job: Object) -> Iterator[Replicas]:
    nodes = (meta.spec(job).get("trainer") or {}).get("numNodes")
    for each in meta.status(job).get("jobsStatus") or ():
        name = str(each.get("name") or "")
        counts = [_number(each.get(key)) for key in ("active", "succeeded", "failed")]
        # What is counted there are Jobs; the one of the nodes has a pod for each.
        of_each = _number(nodes) if name == "node" and nodes is not None else 1
        yield Replicas(name, max(sum(counts), 1) * of_each, *(count * of_each for count in counts))
    if nodes is not None and not meta.status(job).get("jobsStatus"):
        yield Replicas("node", _number(nodes))


def _number(value: Any) -> int:
    try:
        return int(value or 0)
    except (TypeError, ValueError):
        return 0
