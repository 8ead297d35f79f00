"""PyTorchJob: what torch.distributed and torchrun are told, and when the job is over.

WORLD_SIZE counts processes while RANK is the number of the node, as upstream has it: torchrun makes the processes'
ranks.

Source: kubeflow/training-operator v1.9.0 pkg/controller.v1/pytorch/{envvar,master,elastic,initcontainer}.go and
pytorchjob_controller.go; pkg/apis/kubeflow.org/v1/pytorch_defaults.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sampan.components.training.api.kinds import PYTORCH_JOBS
from sampan.components.training.engine.jobs import elastic, judging
from sampan.components.training.engine.jobs.conditions import Change
from sampan.components.training.engine.jobs.framework import EnvVar, Observed, env, pod_name, port_of
from sampan.components.training.engine.jobs.spec import InvalidJobError, Job, Shape

MASTER, WORKER = "Master", "Worker"


class PyTorch:
    """Implements `Framework`."""

    shape = Shape(PYTORCH_JOBS, (MASTER, WORKER))

    def check(self, job: Job) -> None:
        master = job.roles.get(MASTER)
        if master is not None and master.replicas != 1:
            raise InvalidJobError(
                f"spec.pytorchReplicaSpecs[Master].replicas is {master.replicas}: it must be 1"
            )
        elastic.check(job)

    def environment(self, job: Job, role: str, index: int) -> Sequence[EnvVar]:
        found = [env("PYTHONUNBUFFERED", "1")]
        if job.has(MASTER):
            address, port = pod_name(job, MASTER, 0), str(port_of(self.shape, job, MASTER))
            rank = str(index + 1 if role == WORKER else index)
            found += [
                env("MASTER_PORT", port),
                env("PET_MASTER_PORT", port),
                env("MASTER_ADDR", address),
                env("PET_MASTER_ADDR", address),
                env("WORLD_SIZE", str(job.total * _processes(job))),
                env("RANK", rank),
                env("PET_NODE_RANK", rank),
            ]
        if (per_node := _per_node(job)) is not None:
            found.append(env("PET_NPROC_PER_NODE", per_node))
        if elastic.policy(job) is not None:
            found += elastic.environment(self.shape, job)
        else:
            found.append(env("PET_NNODES", str(job.total)))
        return found

    def is_told(self, job: Job, container: str) -> bool:
        return True

    def is_master(self, job: Job, role: str, index: int) -> bool:
        return role == MASTER if job.has(MASTER) else role == WORKER and index == 0

    def waits_for(self, job: Job, role: str) -> str:
        return pod_name(job, MASTER, 0) if role == WORKER and job.has(MASTER) else ""

    def minimum(self, job: Job) -> int:
        return elastic.minimum(job)

    def judge(self, job: Job, observed: Observed) -> Iterator[Change]:
        # A job without a master is over with its workers: all of them, or the first where it is elastic.
        if job.has(MASTER):
            yield from judging.by_master(job, observed)
        else:
            is_elastic = elastic.policy(job) is not None
            one_is_done = is_elastic and judging.count_of(observed, WORKER).succeeded > 0
            yield from judging.by_workers(job, observed, is_done=one_is_done)
        for role in job.roles:
            yield from judging.failures(job, observed, role)


def _per_node(job: Job) -> str | None:
    """As the user wrote it, `auto` where nobody did; None where the elastic policy says it."""
    written = job.spec.get("nprocPerNode")
    if written is not None:
        return str(written)
    return None if (elastic.policy(job) or {}).get("nProcPerNode") is not None else "auto"


def _processes(job: Job) -> int:
    """For each pod; 1 where only the pod itself will find out."""
    written = str(job.spec.get("nprocPerNode", ""))
    return int(written) if written.removeprefix("-").isdecimal() else 1
