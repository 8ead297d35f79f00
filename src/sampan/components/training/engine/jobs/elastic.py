"""The elastic policy of a PyTorchJob: torchrun's rendezvous, how few workers are enough, and who scales them.

Source: kubeflow/training-operator v1.9.0 pkg/controller.v1/pytorch/{elastic,hpa}.go; setElasticPolicy of
pkg/apis/kubeflow.org/v1/pytorch_defaults.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sampan.components.training.api.kinds import PYTORCH_JOBS
from sampan.components.training.engine.jobs.framework import EnvVar, env, pod_name, port_of
from sampan.components.training.engine.jobs.spec import InvalidJobError, Job, Shape, whole
from sampan.kube import meta, owners
from sampan.kube.kinds import HORIZONTAL_POD_AUTOSCALERS
from sampan.kube.meta import Object

WORKER = "Worker"
OWN_STORE = "TORCH_DISABLE_SHARE_RDZV_TCP_STORE"
"""Beyond upstream: from PyTorch 2.4 on an agent that was replaced never meets the others again where ranks share the
agents' store, which is the default (pytorch/pytorch#135712)."""
_PATH = "spec.elasticPolicy"


def policy(job: Job) -> Mapping[str, Any] | None:
    found = job.spec.get("elasticPolicy")
    return found if isinstance(found, Mapping) else None


def check(job: Job) -> None:
    """Raises InvalidJobError."""
    found = policy(job)
    if found is None:
        return
    if not job.has(WORKER):
        raise InvalidJobError("spec.pytorchReplicaSpecs[Worker] is missing: an elastic policy needs workers")
    for key in ("minReplicas", "maxReplicas", "maxRestarts", "nProcPerNode", "rdzvPort"):
        whole(found.get(key), f"{_PATH}.{key}")
    least, most = bounds(job)
    if least > most:
        raise InvalidJobError(f"{_PATH}.minReplicas is {least}: it must not be above maxReplicas, {most}")


def bounds(job: Job) -> tuple[int, int]:
    """The fewest and the most workers. One that is not said is the other, both are how many there are."""
    found = policy(job) or {}
    least, most = found.get("minReplicas"), found.get("maxReplicas")
    now = job.roles[WORKER].replicas if job.has(WORKER) else 0
    return int(_first(least, most, now)), int(_first(most, least, now))


def minimum(job: Job) -> int:
    """Of pods that must be able to start: an elastic job starts with its fewest workers, see decision 38."""
    if policy(job) is None or not job.has(WORKER):
        return job.total
    workers = job.roles[WORKER].replicas
    return job.total - workers + max(min(bounds(job)[0], workers), min(workers, 1))


def environment(shape: Shape, job: Job) -> list[EnvVar]:
    found = policy(job) or {}
    port = _first(found.get("rdzvPort"), port_of(shape, job, WORKER))
    host = _first(found.get("rdzvHost"), pod_name(job, WORKER, 0))
    least, most = bounds(job)
    told = [
        env("PET_RDZV_ENDPOINT", f"{host}:{port}"),
        env("PET_RDZV_BACKEND", str(_first(found.get("rdzvBackend"), "c10d"))),
        env("PET_NNODES", f"{least}:{most}"),
    ]
    for key, name in (
        ("maxRestarts", "PET_MAX_RESTARTS"),
        ("nProcPerNode", "PET_NPROC_PER_NODE"),
        ("rdzvId", "PET_RDZV_ID"),
    ):
        if found.get(key) is not None:
            told.append(env(name, str(found[key])))
    if settings := found.get("rdzvConf"):
        told.append(
            env("PET_RDZV_CONF", ",".join(f"{each.get('key')}={each.get('value')}" for each in settings))
        )
    if found.get("standalone"):
        told.append(env("PET_STANDALONE", ""))
    if not _says(job, OWN_STORE):
        told.append(env(OWN_STORE, "1"))
    return told


def _says(job: Job, variable: str) -> bool:
    """Whether a template sets the variable itself."""
    return any(
        isinstance(each, Mapping) and each.get("name") == variable
        for replica in job.roles.values()
        for container in meta.spec(replica.template).get("containers") or ()
        for each in container.get("env") or ()
    )


def autoscaler(job: Job) -> Object | None:
    """Who changes the number of workers by `metrics`; None where the policy has none."""
    found = policy(job) or {}
    if found.get("metrics") is None or job.kind != PYTORCH_JOBS.kind:
        return None
    least, most = bounds(job)
    return {
        "apiVersion": HORIZONTAL_POD_AUTOSCALERS.api_version,
        "kind": HORIZONTAL_POD_AUTOSCALERS.kind,
        "metadata": {
            "name": job.name,
            "namespace": job.namespace,
            "ownerReferences": [owners.owner_reference(job.object)],
        },
        "spec": {
            "scaleTargetRef": {"apiVersion": job.object["apiVersion"], "kind": job.kind, "name": job.name},
            "minReplicas": least,
            "maxReplicas": most,
            "metrics": list(found["metrics"]),
        },
    }


def _first(*values: Any) -> Any:
    return next(value for value in values if value is not None)
