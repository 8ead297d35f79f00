"""A runtime and a TrainJob, put together: where every plugin begins. Pure.

For `assembling`, and for whoever checks a TrainJob before it is stored. Source: kubeflow/trainer
pkg/runtime/core/trainingruntime.go (newRuntimeInfo), v2.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from sampan.components.training.api import labels
from sampan.components.training.engine.trainer import merging, resources
from sampan.components.training.engine.trainer.contract import (
    NODE,
    TRAINER,
    Info,
    PodSet,
    Reporting,
    UnbuildableError,
)
from sampan.kube import meta, quotas
from sampan.kube.meta import Object


def info_of(train_job: Object, runtime: Object, reporting: Reporting | None = None) -> Info:
    """Leaves its arguments as they are. Raises UnbuildableError."""
    runtime_spec = meta.spec(runtime)
    template = runtime_spec.get("template") or {}
    job_set_labels, annotations = merging.job_set_metadata(template, train_job)
    job_set_spec = merging.merged(deepcopy(meta.spec(template)), train_job)
    info = Info(
        train_job=train_job,
        ml_policy=deepcopy(runtime_spec.get("mlPolicy") or {}),
        pod_group_policy=deepcopy(runtime_spec.get("podGroupPolicy") or {}),
        # Merging shares what no patch touches: plugins change what they are given.
        job_set_spec=deepcopy(job_set_spec),
        pod_sets=[],
        labels=job_set_labels,
        annotations=annotations,
        trainer=deepcopy(meta.spec(train_job).get("trainer") or {}),
        reporting=reporting,
    )
    has_policy = runtime_spec.get("mlPolicy") is not None
    for replicated in info.job_set_spec.get("replicatedJobs") or ():
        info.pod_sets.append(_pod_set(info, replicated, has_policy))
    if not info.pod_sets:
        raise UnbuildableError(
            f'the runtime "{meta.name(runtime)}" has no replicated jobs: add one to spec.template.spec.replicatedJobs'
        )
    return info


def _pod_set(info: Info, replicated: Object, has_policy: bool) -> PodSet:
    name = str(replicated.get("name") or "")
    job_template = replicated.setdefault("template", {})
    job_spec = job_template.setdefault("spec", {})
    pod_spec = job_spec.setdefault("template", {}).setdefault("spec", {})
    ancestor = meta.labels(job_template).get(labels.TRAINER_ANCESTOR, "")
    trains = ancestor == TRAINER and has_policy
    count = info.ml_policy.get("numNodes") if trains else job_spec.get("parallelism")
    wanted = info.trainer.get("resourcesPerNode")
    if wanted is not None and (trains or _is_node_beside_launcher(info, name)):
        _give_resources(pod_spec, wanted)
    return PodSet(
        name=name,
        ancestor=ancestor,
        count=max(1 if count is None else int(count), 1),
        pod_spec=pod_spec,
        requests=quotas.pod_resources({"spec": pod_spec}, "requests"),
    )


def _is_node_beside_launcher(info: Info, name: str) -> bool:
    mpi = info.ml_policy.get("mpi")
    return mpi is not None and bool(mpi.get("runLauncherAsNode")) and name == NODE


def _give_resources(pod_spec: Object, wanted: Mapping[str, Any]) -> None:
    for container in pod_spec.get("containers") or ():
        if container.get("name") == NODE:
            container["resources"] = resources.merged(container.get("resources"), wanted)
            return
