"""PaddleJob: what paddle.distributed.launch is told, with parameter servers (a Master) or without (collective).

Who hosts the rendezvous is told its own address, all others its name.

Source: kubeflow/training-operator v1.9.0 pkg/controller.v1/paddlepaddle/{envvar,paddlepaddle_controller}.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sampan.components.training.api.kinds import PADDLE_JOBS
from sampan.components.training.engine.jobs import judging
from sampan.components.training.engine.jobs.conditions import Change
from sampan.components.training.engine.jobs.framework import EnvVar, Observed, env, pod_name, port_of
from sampan.components.training.engine.jobs.spec import Job, Shape

MASTER, WORKER = "Master", "Worker"
_OWN_ADDRESS = "POD_IP_DUMMY"


class Paddle:
    """Implements `Framework`."""

    shape = Shape(PADDLE_JOBS, (MASTER, WORKER))

    def check(self, job: Job) -> None:
        """Every mixture of its roles is a job."""

    def environment(self, job: Job, role: str, index: int) -> Sequence[EnvVar]:
        host = MASTER if job.has(MASTER) else WORKER
        port = port_of(self.shape, job, host)
        found = [
            env("PYTHONUNBUFFERED", "1"),
            env("PADDLE_JOB_ID", job.name),
            env("PADDLE_NNODES", str(job.total)),
        ]
        if role == host and index == 0:
            own: EnvVar = {"name": _OWN_ADDRESS, "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
            found += [own, env("PADDLE_MASTER", f"$({_OWN_ADDRESS}):{port}")]
        else:
            found.append(env("PADDLE_MASTER", f"{pod_name(job, host, 0)}:{port}"))
        if host == MASTER:
            found.append(env("PADDLE_SERVER_NUM" if role == MASTER else "PADDLE_TRAINER_NUM", "1"))
        return found

    def is_told(self, job: Job, container: str) -> bool:
        return True

    def is_master(self, job: Job, role: str, index: int) -> bool:
        return role == MASTER

    def waits_for(self, job: Job, role: str) -> str:
        return ""

    def minimum(self, job: Job) -> int:
        return job.total

    def judge(self, job: Job, observed: Observed) -> Iterator[Change]:
        if job.has(MASTER):
            yield from judging.by_master(job, observed)
        else:
            yield from judging.by_workers(job, observed)
        for role in job.roles:
            yield from judging.failures(job, observed, role)
