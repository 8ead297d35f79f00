"""The controllers are killed after each of their writes, to the API and to the log: who goes on decides the same."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sampan.components.tuning.api.kinds import TRIALS
from sampan.kube import meta, pods
from sampan.kube.kinds import EVENTS, JOBS

from .conftest import metric

WRITES = ("create", "patch", "replace", "delete")
LOG_WRITES = ("report", "delete_read", "delete")


class Life:
    """Ends after so many writes, which have all reached their place."""

    def __init__(self, writes: int) -> None:
        self._left = writes
        self.is_over = asyncio.Event()

    async def write(self, real: Any, *args: Any, **more: Any) -> Any:
        if self._left <= 0:
            await asyncio.Event().wait()
        answer = await real(*args, **more)
        self._left -= 1
        if self._left <= 0:
            self.is_over.set()
            await asyncio.Event().wait()
        return answer


class Deadly:
    """A client or a log whose user has that life."""

    def __init__(self, inner: Any, life: Life, writes: tuple[str, ...]) -> None:
        self._inner, self._life, self._writes = inner, life, writes

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._inner, name)
        if name not in self._writes:
            return real

        async def write(*args: Any, **more: Any) -> Any:
            if args[0] == EVENTS:
                return await real(*args, **more)
            return await self._life.write(real, *args, **more)

        return write


async def play(tuning: Any) -> None:
    """As a kubelet: the pod runs and prints, its container fails once, and the next attempt succeeds."""
    first = await tuning.pod_of("one")
    await tuning.phase(first, pods.RUNNING)
    tuning.prints(first, "accuracy=0.99")
    await tuning.phase(first, pods.FAILED, 1)
    second = await tuning.pod_of("one", 1)
    await tuning.phase(second, pods.RUNNING)
    tuning.prints(second, "accuracy=0.1", "accuracy=0.3", "accuracy=0.2")
    await tuning.phase(second, pods.SUCCEEDED, 0)


@pytest.mark.parametrize(
    "writes",
    [pytest.param(number, marks=() if number in (2, 4) else pytest.mark.slow) for number in range(1, 9)],
)
def test_a_crash_after_any_write_is_harmless(run, monkeypatch, writes):
    monkeypatch.setattr("sampan.reconcile.controller._STOP_GRACE_SECONDS", 0.0)

    async def scenario(tuning):
        await tuning.stop()
        life = Life(writes)
        log = Deadly(tuning.observations, life, LOG_WRITES)
        await tuning.start(log, client=Deadly(tuning.client, life, WRITES))
        template = {"containers": [{"name": "main", "image": "x"}], "restartPolicy": "Never"}
        job = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "spec": {"backoffLimit": 1, "template": {"spec": template}},
        }
        await tuning.trial("one", runSpec=job)
        kubelet = asyncio.create_task(play(tuning))
        ended = asyncio.create_task(tuning.becomes("one", "Succeeded"))
        over = asyncio.create_task(life.is_over.wait())
        await asyncio.wait((ended, over), return_when=asyncio.FIRST_COMPLETED)
        await tuning.stop()
        await tuning.start()
        trial = await ended
        await kubelet
        assert metric(trial) == ("0.1", "0.3", "0.2")
        assert [each.value for each in await tuning.observations.of("team", "one")] == ["0.1", "0.3", "0.2"]
        await tuning.gone(JOBS, "one")
        assert [each["type"] for each in trial["status"]["conditions"]] == ["Created", "Running", "Succeeded"]
        assert meta.finalizers(await tuning.get(TRIALS, "one")) == ["clean-metrics-in-db"]
        over.cancel()

    run(scenario)
