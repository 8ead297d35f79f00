"""The loop that follows trials."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

from sampan.components.tuning.api.observing import MetricLog
from sampan.components.tuning.controller.collecting.collector import Collector
from sampan.components.tuning.controller.collecting.sources import LineSource, RunKey
from sampan.components.tuning.engine.collecting.wanted import Wanted
from sampan.kube import pods

NOW = "2026-11-26T10:00:00Z"


class Kept:
    async def report(self, _namespace: str, _trial: str, _logs: Sequence[MetricLog]) -> None:
        return


class Said(LineSource):
    """A line, once."""

    def __init__(self, wanted: Wanted, run: RunKey) -> None:
        super().__init__(wanted, run.origin, run.place)
        self._lines = ["loss=9"]
        self.is_closed = False

    def read(self, *, is_over: bool) -> list[MetricLog]:
        assert not self.is_closed
        found, self._lines = self._lines, []
        return [log for line in found for log in self.taken(self.lines.take(line, NOW), "0")]

    def close(self) -> None:
        self.is_closed = True


def trial(name: str) -> dict[str, Any]:
    rule = {"name": "loss", "value": "5", "comparison": "greater"}
    objective = {"type": "minimize", "objectiveMetricName": "loss"}
    return {
        "metadata": {"name": name, "namespace": "team", "uid": name},
        "spec": {"objective": objective, "earlyStoppingRules": [rule]},
    }


def pod(name: str) -> dict[str, Any]:
    status = {"name": "main", "state": pods.running(NOW), "restartCount": 0}
    return {
        "metadata": {"name": name, "namespace": "team", "uid": f"{name}-pod"},
        "spec": {"containers": [{"name": "main"}]},
        "status": {"phase": "Running", "containerStatuses": [status]},
    }


def test_a_trial_that_cannot_be_read_keeps_no_other_waiting() -> None:
    async def main() -> None:
        stopped: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        hangs, opened = asyncio.Event(), []

        async def opener(wanted: Wanted, _pod: Any, run: RunKey) -> Said:
            if wanted.trial == "slow":
                await hangs.wait()
            opened.append(Said(wanted, run))
            return opened[-1]

        collector = Collector(cast(Any, Kept()), opener, stopped.put_nowait)
        await collector.start()
        for name in ("slow", "quick"):
            collector.attend(trial(name), [pod(name)])
        async with asyncio.timeout(60):
            assert await stopped.get() == ("team", "quick")
            assert collector.stops(("team", "quick")) == "loss 9 is greater than 5"
            # What is being read is closed when that has ended.
            collector.forget(("team", "slow"))
            hangs.set()
            while len(opened) < 2 or not opened[1].is_closed:
                await asyncio.sleep(0.01)
        await collector.stop()

    asyncio.run(main())
