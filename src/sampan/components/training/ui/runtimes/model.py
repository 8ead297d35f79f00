"""What a runtime gives to the jobs that name it. Pure.

Fields are upstream's: kubeflow/trainer 2.3 pkg/apis/trainer/v1alpha1/trainingruntime_types.go.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sampan.components.training.api import labels
from sampan.components.training.api.kinds import CLUSTER_TRAINING_RUNTIMES, TRAIN_JOBS, TRAINING_RUNTIMES
from sampan.components.training.api.summary import CONTAINERS
from sampan.kube import meta
from sampan.kube.meta import Object

_DEPRECATED = "trainer.kubeflow.org/support"
_STEPS = {
    "trainer": "trains",
    "dataset-initializer": "fetches the data set",
    "model-initializer": "fetches the model",
}
_POLICIES = ("torch", "mpi", "jax", "xgboost", "flux")


@dataclass(frozen=True, slots=True)
class Step:
    """A replicated job of its JobSet."""

    name: str
    does: str
    replicas: int
    image: str
    command: str
    after: str
    """What it waits for."""


@dataclass(frozen=True, slots=True)
class Runtime:
    kind: str
    namespace: str
    name: str
    framework: str
    nodes: int
    processes: str
    policy: str
    """Who makes ranks know each other: `torch`, `mpi`, …; empty for nobody."""
    image: str
    command: str
    gang: str
    is_deprecated: bool
    created: str
    steps: tuple[Step, ...]

    @property
    def key(self) -> str:
        return f"{self.kind}/{self.name}"


def read(obj: Object, kind: str = "") -> Runtime:
    spec = meta.spec(obj)
    policy: Mapping[str, Any] = spec.get("mlPolicy") or {}
    source = next((name for name in _POLICIES if policy.get(name) is not None), "")
    steps = tuple(_steps(spec))
    trains = next((step for step in steps if step.does == "trains"), steps[-1] if steps else None)
    of_source: Mapping[str, Any] = policy.get(source) or {} if source else {}
    return Runtime(
        kind=kind or str(obj.get("kind") or ""),
        namespace=meta.namespace(obj),
        name=meta.name(obj),
        framework=meta.labels(obj).get(labels.TRAINER_FRAMEWORK, ""),
        nodes=int(policy.get("numNodes") or 1),
        processes=str(of_source.get("numProcPerNode") or ""),
        policy=source,
        image=trains.image if trains is not None else "",
        command=trains.command if trains is not None else "",
        gang=", ".join(spec.get("podGroupPolicy") or {}),
        is_deprecated=meta.labels(obj).get(_DEPRECATED) == "deprecated",
        created=str(meta.metadata(obj).get("creationTimestamp") or ""),
        steps=steps,
    )


def _steps(spec: Mapping[str, Any]) -> list[Step]:
    template: Mapping[str, Any] = (spec.get("template") or {}).get("spec") or {}
    found = []
    for each in template.get("replicatedJobs") or ():
        job: Mapping[str, Any] = each.get("template") or {}
        pods = (((job.get("spec") or {}).get("template") or {}).get("spec")) or {}
        containers: Sequence[Mapping[str, Any]] = pods.get("containers") or ()
        chosen = next((one for one in containers if one.get("name") == CONTAINERS[TRAIN_JOBS.kind]), None)
        container = chosen or (containers[0] if containers else {})
        step = meta.labels(job).get(labels.TRAINER_ANCESTOR, "")
        words = (*(container.get("command") or ()), *(container.get("args") or ()))
        waits = each.get("dependsOn") or ()
        found.append(
            Step(
                name=str(each.get("name") or ""),
                does=_STEPS.get(step, step),
                replicas=int(each.get("replicas") or 1),
                image=str(container.get("image") or ""),
                command=shlex.join(str(word) for word in words),
                after=", ".join(f"{one.get('name')} {str(one.get('status')).lower()}" for one in waits),
            )
        )
    return found


def listed(of_cluster: Any, of_namespace: Any) -> list[Runtime]:
    """From the lists of both kinds: those that are not deprecated first, by name."""
    found = [
        *(read(each, CLUSTER_TRAINING_RUNTIMES.kind) for each in of_cluster.get("items") or ()),
        *(read(each, TRAINING_RUNTIMES.kind) for each in of_namespace.get("items") or ()),
    ]
    return sorted(found, key=lambda each: (each.is_deprecated, each.name, each.kind))


def launcher(runtime: Runtime | None) -> str:
    """What starts a script with it."""
    policy = runtime.policy if runtime is not None else ""
    return {"torch": "torchrun", "mpi": "mpirun"}.get(policy, "python")
