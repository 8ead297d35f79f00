"""XGBoostJob: what the tracker of XGBoost, and LightGBM, are told. Its master decides.

Upstream fails a job that loses a pod unless its policy is ExitCode; here OnFailure and Always restart too, as
everywhere.

Source: kubeflow/training-operator v1.9.0 pkg/controller.v1/xgboost/{xgboost,xgboostjob_controller}.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sampan.components.training.api.kinds import XGBOOST_JOBS
from sampan.components.training.engine.jobs import judging
from sampan.components.training.engine.jobs.conditions import Change
from sampan.components.training.engine.jobs.framework import EnvVar, Observed, env, pod_name, port_of
from sampan.components.training.engine.jobs.spec import NEVER, InvalidJobError, Job, Shape

MASTER, WORKER = "Master", "Worker"


class XGBoost:
    """Implements `Framework`."""

    shape = Shape(XGBOOST_JOBS, (MASTER, WORKER))

    def check(self, job: Job) -> None:
        if not job.has(MASTER):
            raise InvalidJobError("spec.xgbReplicaSpecs[Master] is missing: the job needs a master")
        if job.roles[MASTER].replicas != 1:
            raise InvalidJobError(
                f"spec.xgbReplicaSpecs[Master].replicas is {job.roles[MASTER].replicas}: it must be 1"
            )

    def environment(self, job: Job, role: str, index: int) -> Sequence[EnvVar]:
        rank = index + job.roles[MASTER].replicas if role == WORKER else index
        found = [
            env("MASTER_PORT", str(port_of(self.shape, job, MASTER))),
            env("MASTER_ADDR", pod_name(job, MASTER, 0)),
            env("WORLD_SIZE", str(job.total)),
            env("RANK", str(rank)),
            env("PYTHONUNBUFFERED", "1"),
        ]
        if job.total > 1:
            workers = ",".join(pod_name(job, WORKER, each) for each in range(job.total - 1))
            found += [
                env("WORKER_PORT", str(port_of(self.shape, job, WORKER))),
                env("WORKER_ADDRS", workers),
            ]
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
        runs = judging.running(f"XGBoostJob {job.name} is running.")
        master = judging.count_of(observed, MASTER)
        if master.active or master.succeeded >= job.roles[MASTER].replicas:
            # Upstream says that it ran of a job that was over before anybody looked.
            yield runs
        if master.succeeded >= job.roles[MASTER].replicas:
            yield judging.succeeded(f"XGBoostJob {job.name} is successfully completed.")
        for role, replica in job.roles.items():
            count = judging.count_of(observed, role)
            if not count.failed:
                continue
            yield runs
            because = f"because {count.failed} {role} replica(s) failed."
            if replica.restart_policy == NEVER:
                yield judging.failed(f"XGBoostJob {job.name} is failed {because}")
            else:
                yield judging.restarting(f"XGBoostJob {job.name} is restarting {because}")
