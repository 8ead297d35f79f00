"""The controllers are killed after each of their writes: who goes on decides the same."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sampan.components.training.api.kinds import PYTORCH_JOBS
from sampan.components.training.engine.jobs.policy import read_retries
from sampan.kube import meta, pods
from sampan.kube.kinds import EVENTS, POD_GROUPS, PODS, SERVICES

WRITES = ("create", "patch", "replace", "delete")
NAMES = ("train-master-0", "train-worker-0")


class Deadly:
    """A client whose user is dead after the given write, which has reached the API."""

    def __init__(self, client: Any, writes: int) -> None:
        self._client = client
        self._left = writes
        self.is_dead = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._client, name)
        if name not in WRITES:
            return real

        async def write(resource: Any, *args: Any, **more: Any) -> Any:
            named = meta.name(args[0]) if isinstance(args[0], dict) else str(args[0])
            if resource == EVENTS or not named.startswith("train"):
                return await real(resource, *args, **more)
            if self._left <= 0:
                await asyncio.Event().wait()
            answer = await real(resource, *args, **more)
            self._left -= 1
            if self._left <= 0:
                self.is_dead.set()
                await asyncio.Event().wait()
            return answer

        return write


async def play(cluster: Any) -> None:
    """As a kubelet: pods run; the first worker is killed once, then the master succeeds when all run again."""
    killed: set[str] = set()
    while True:
        found = [pod for name in NAMES if (pod := await cluster.get(PODS, name))]
        for pod in found:
            if pods.phase(pod) == pods.PENDING and not meta.is_deleting(pod):
                await cluster.phase(meta.name(pod), "Running")
        worker = await cluster.get(PODS, "train-worker-0")
        if worker and pods.phase(worker) == pods.RUNNING and not killed:
            killed.add(meta.uid(worker))
            await cluster.phase("train-worker-0", "Failed", 137)
        elif worker and pods.phase(worker) == pods.RUNNING and meta.uid(worker) not in killed:
            master = await cluster.get(PODS, "train-master-0")
            if master and pods.phase(master) == pods.RUNNING:
                await cluster.phase("train-master-0", "Succeeded", 0)
                return
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "writes",
    [pytest.param(number, marks=() if number in (5, 11) else pytest.mark.slow) for number in range(1, 18)],
)
def test_a_crash_after_any_write_is_harmless(run, monkeypatch, writes):
    monkeypatch.setattr("sampan.reconcile.controller._STOP_GRACE_SECONDS", 0.0)

    async def scenario(cluster):
        await cluster.stop_training()
        deadly = Deadly(cluster.client, writes)
        await cluster.start_training(deadly)
        replica = {"replicas": 1, "restartPolicy": "ExitCode"}
        policy = {"backoffLimit": 1, "cleanPodPolicy": "All"}
        await cluster.submit(PYTORCH_JOBS, "train", {"Master": replica, "Worker": replica}, runPolicy=policy)
        kubelet = asyncio.create_task(play(cluster))
        ended = asyncio.create_task(cluster.becomes(PYTORCH_JOBS, "train", "Succeeded"))
        dead = asyncio.create_task(deadly.is_dead.wait())
        await asyncio.wait((ended, dead), return_when=asyncio.FIRST_COMPLETED)
        await cluster.stop_training()
        await cluster.start_training()
        await ended
        await kubelet
        dead.cancel()
        for kind in (PODS, SERVICES, POD_GROUPS):
            await cluster.has(kind)
        job = await cluster.get(PYTORCH_JOBS, "train")
        assert read_retries(job).count == 1
        assert job["status"]["completionTime"]

    run(scenario)
