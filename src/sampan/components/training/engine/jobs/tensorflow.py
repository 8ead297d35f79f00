"""TFJob: TF_CONFIG, and when the job is over: by chief or master, else by worker 0 or all workers.

Source: kubeflow/training-operator v1.9.0 pkg/controller.v1/tensorflow/{tensorflow,util,tfjob_controller}.go.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from sampan.components.training.api.kinds import TF_JOBS
from sampan.components.training.engine.jobs import judging
from sampan.components.training.engine.jobs.conditions import RESTARTING, Change
from sampan.components.training.engine.jobs.framework import EnvVar, Observed, env, pod_name, port_of
from sampan.components.training.engine.jobs.spec import InvalidJobError, Job, Shape

CHIEF, MASTER, PS, WORKER, EVALUATOR = "Chief", "Master", "PS", "Worker", "Evaluator"
_ALL_WORKERS = "AllWorkers"


class TensorFlow:
    """Implements `Framework`."""

    shape = Shape(TF_JOBS, (CHIEF, MASTER, PS, WORKER, EVALUATOR))

    def check(self, job: Job) -> None:
        if job.has(CHIEF) and job.has(MASTER):
            raise InvalidJobError("spec.tfReplicaSpecs has a Chief and a Master: a job has one of them")

    def environment(self, job: Job, role: str, index: int) -> Sequence[EnvVar]:
        # A job of one replica is not distributed: TensorFlow would wait for a cluster.
        if job.total == 1:
            return ()
        config = _sparse(self.shape, job, role, index) if _is_dynamic(job) else _whole(self.shape, job)
        config["task"] = {"type": role.lower(), "index": index}
        if not _is_dynamic(job):
            config["environment"] = "cloud"
        return (env("TF_CONFIG", json.dumps(config, separators=(",", ":"))),)

    def is_told(self, job: Job, container: str) -> bool:
        return container == self.shape.container

    def is_master(self, job: Job, role: str, index: int) -> bool:
        return role in (CHIEF, MASTER) if job.has(CHIEF, MASTER) else role == WORKER and index == 0

    def waits_for(self, job: Job, role: str) -> str:
        return ""

    def minimum(self, job: Job) -> int:
        return job.total

    def judge(self, job: Job, observed: Observed) -> Iterator[Change]:
        named = f"TFJob {job.namespace}/{job.name}"
        decides = [role for role in (CHIEF, MASTER) if job.has(role)] or [WORKER]
        one_is_enough = observed.first_worker_succeeded and job.spec.get("successPolicy") != _ALL_WORKERS
        for role in (CHIEF, EVALUATOR, MASTER, PS, WORKER):
            if role not in job.roles:
                continue
            count = judging.count_of(observed, role)
            is_done = count.succeeded >= job.roles[role].replicas or (role == WORKER and one_is_enough)
            if role in decides and is_done:
                yield judging.succeeded(f"{named} successfully completed.")
            elif role in decides and count.active:
                yield judging.running(f"{named} is running.")
            if count.failed and observed.restarting:
                # Running has just driven it out.
                yield Change(RESTARTING, RESTARTING, observed.restarting)
            elif count.failed and not (_is_dynamic(job) and role == WORKER):
                yield judging.failed(f"{named} has failed because {count.failed} {role} replica(s) failed.")


def _is_dynamic(job: Job) -> bool:
    """Whether workers may come and go: each knows the parameter servers and itself."""
    return job.spec.get("enableDynamicWorker") is True


def _addresses(shape: Shape, job: Job, role: str) -> list[str]:
    if role not in job.roles:
        return []
    port = port_of(shape, job, role)
    return [
        f"{pod_name(job, role, index)}.{job.namespace}.svc:{port}"
        for index in range(job.roles[role].replicas)
    ]


def _whole(shape: Shape, job: Job) -> dict[str, Any]:
    return {
        "cluster": {role.lower(): _addresses(shape, job, role) for role in sorted(job.roles, key=str.lower)}
    }


def _sparse(shape: Shape, job: Job, role: str, index: int) -> dict[str, Any]:
    servers, workers = _addresses(shape, job, PS), _addresses(shape, job, WORKER)
    if role == WORKER:
        return {"cluster": {"worker": {str(index): workers[index]}, "ps": servers}}
    return {"cluster": {"worker": {}, "ps": [servers[index]] if role == PS else []}}
