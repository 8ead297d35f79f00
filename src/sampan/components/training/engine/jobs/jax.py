"""JAXJob: what jax.distributed is told. Worker 0 is the coordinator, and all workers must succeed.

Source: kubeflow/training-operator v1.9.0 pkg/controller.v1/jax/{envvar,jaxjob_controller}.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sampan.components.training.api.kinds import JAX_JOBS
from sampan.components.training.engine.jobs import judging
from sampan.components.training.engine.jobs.conditions import Change
from sampan.components.training.engine.jobs.framework import EnvVar, Observed, env, pod_name, port_of
from sampan.components.training.engine.jobs.spec import Job, Shape

WORKER = "Worker"


class Jax:
    """Implements `Framework`."""

    shape = Shape(JAX_JOBS, (WORKER,))

    def check(self, job: Job) -> None:
        """With one role there is nothing that could not go together."""

    def environment(self, job: Job, role: str, index: int) -> Sequence[EnvVar]:
        return (
            env("PYTHONUNBUFFERED", "1"),
            env("COORDINATOR_PORT", str(port_of(self.shape, job, WORKER))),
            env("COORDINATOR_ADDRESS", pod_name(job, WORKER, 0)),
            env("NUM_PROCESSES", str(job.total)),
            env("PROCESS_ID", str(index)),
        )

    def is_told(self, job: Job, container: str) -> bool:
        return True

    def is_master(self, job: Job, role: str, index: int) -> bool:
        return index == 0

    def waits_for(self, job: Job, role: str) -> str:
        return ""

    def minimum(self, job: Job) -> int:
        return job.total

    def judge(self, job: Job, observed: Observed) -> Iterator[Change]:
        yield from judging.by_workers(job, observed)
        yield from judging.failures(job, observed, WORKER)
