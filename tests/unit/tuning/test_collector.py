"""The loop that follows trials."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from sampan.components.tuning.api.observing import MetricLog
from sampan.components.tuning.controller import remembering
from sampan.components.tuning.controller.collecting.collector import Collector
from sampan.components.tuning.controller.collecting.sources import LineSource, RunKey
from sampan.components.tuning.engine.collecting.wanted import Wanted
from sampan.kube import pods
from sampan.store.database import StorageError, StorageFullError

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


class Full:
    """No room for the first writes."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals
        self.kept: list[str] = []

    async def report(self, _namespace: str, _trial: str, logs: Sequence[MetricLog]) -> None:
        if self.refusals:
            self.refusals -= 1
            raise StorageFullError("the disk is full")
        self.kept += [each.value for each in logs]

    async def of(self, _namespace: str, _trial: str) -> list[MetricLog]:
        return []

    async def delete_read(self, *_: Any) -> None:
        return


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


def test_what_could_not_be_written_is_written_later() -> None:
    async def main() -> None:
        observations = Full(2)

        async def opener(wanted: Wanted, _pod: Any, run: RunKey) -> Said:
            return Said(wanted, run)

        collector = Collector(cast(Any, observations), opener, lambda _key: None)
        following = collector.attend(trial("one"), [pod("one")])
        for _ in range(2):
            with pytest.raises(StorageError):
                await collector.so_far(following)
        found = await collector.so_far(following)
        assert observations.kept == ["9"]
        assert found.observation["metrics"][0]["latest"] == "9"
        await collector.collected(following)
        assert observations.kept == ["9"]
        await collector.stop()

    asyncio.run(main())


def test_a_full_disk_is_a_refusal_of_the_database() -> None:
    """Whoever waits for the database to take something, waits for room too: of the pods of trials, for one."""

    class Pods:
        def __init__(self) -> None:
            self.refusals, self.added = 1, asyncio.Event()

        async def add(self, _pods: Any) -> None:
            if self.refusals:
                self.refusals -= 1
                raise StorageFullError("the disk is full")
            self.added.set()

    async def main() -> None:
        kept = Pods()
        client: Any = None
        found = remembering.Remembering(client, client, cast(Any, kept), Path("/nowhere"), 0)
        found._on_pod(None, pod("one"))
        working = asyncio.create_task(found._work())
        async with asyncio.timeout(20):
            await kept.added.wait()
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)

    before = remembering._RETRY_SECONDS
    remembering._RETRY_SECONDS = 0.01
    try:
        asyncio.run(main())
    finally:
        remembering._RETRY_SECONDS = before


def test_the_last_words_of_a_trial_that_is_forgotten_at_once_are_told() -> None:
    """Its end is written, and it is forgotten, while they are on their way into a log."""

    class Forgetting(Full):
        async def delete_read(self, *_: Any) -> None:
            collector.forget(("team", "one"))

    told: list[tuple[str, list[str]]] = []
    done = asyncio.Event()

    def tell(pod: Any, lines: Sequence[str]) -> None:
        told.append((pod["metadata"]["name"], list(lines)))
        loop.call_soon_threadsafe(done.set)

    async def opener(wanted: Wanted, _pod: Any, run: RunKey) -> Said:
        return Said(wanted, run)

    async def main() -> None:
        nonlocal loop, collector
        loop = asyncio.get_running_loop()
        collector = Collector(cast("Any", Forgetting(0)), opener, lambda _: None, tell)
        await collector.collected(collector.attend(trial("one"), [pod("a")]))
        async with asyncio.timeout(60):
            await done.wait()
        await collector.stop()

    loop: Any = None
    collector: Any = None
    asyncio.run(main())
    assert told == [("a", ["Metrics of trial one reported"])]


def test_what_a_thread_reads_is_closed_when_it_has_ended() -> None:
    began, closed = threading.Event(), threading.Event()
    events: list[str] = []

    class Slow(Said):
        def read(self, *, is_over: bool) -> list[MetricLog]:
            began.set()
            closed.wait(0.3)
            events.append("read")
            return super().read(is_over=is_over)

        def close(self) -> None:
            closed.set()
            events.append("closed")
            super().close()

    async def opener(wanted: Wanted, _pod: Any, run: RunKey) -> Said:
        return Slow(wanted, run)

    async def main() -> None:
        collector = Collector(cast(Any, Kept()), opener, lambda _key: None)
        await collector.start()
        collector.attend(trial("one"), [pod("one")])
        await asyncio.to_thread(began.wait, 60)
        await collector.stop()

    asyncio.run(main())
    assert events[0] == "read"
    assert events[-1] == "closed"
