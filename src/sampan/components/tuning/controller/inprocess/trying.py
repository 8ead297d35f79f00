"""The trials of one experiment that run now: called in workers, their reports kept, their ends written."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from sampan.components.tuning.api.kinds import TRIALS
from sampan.components.tuning.api.observing import MetricLog
from sampan.components.tuning.api.reading import named_values
from sampan.components.tuning.controller.experiments.specs import Known
from sampan.components.tuning.controller.inprocess.crew import Crew, End, Task, WorkerError
from sampan.components.tuning.controller.inprocess.ground import Ground
from sampan.components.tuning.engine.experiment.tally import Tally
from sampan.components.tuning.engine.inprocess import measuring
from sampan.components.tuning.engine.inprocess.measuring import Curves, Measuring
from sampan.components.tuning.engine.inprocess.workers import time_limit_seconds
from sampan.kube import meta
from sampan.kube.errors import NotFoundError
from sampan.kube.meta import Object
from sampan.lib.tasks import TaskSet

_SHOWN_SECONDS = 0.5
"""A trial that takes longer is written as running."""
_MOST_REFUSALS = 3
_PAUSE_SECONDS = 0.5


class OnStatus(Protocol):
    def __call__(self, trial: Object, *, has_ended: bool) -> None:
        """The trial as it is now, before or after that is written."""
        ...


class Trying:
    """For one event loop."""

    def __init__(self, ground: Ground, crew: Crew, curves: Curves, tally: Tally, on_status: OnStatus) -> None:
        self._ground, self.crew, self._curves, self._tally = ground, crew, curves, tally
        self._on_status = on_status
        self._tasks = TaskSet("trials")
        self._running: dict[str, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[Any]] = set()
        self._error: BaseException | None = None
        self._refusals, self._refused_at = 0, float("-inf")
        self.failure = ""
        """Why no trial can run, ever."""
        self.waiting_for = ""
        self.on_done: Callable[[], None] = lambda: None
        """Called when a trial no longer runs, whatever has become of it."""

    @property
    def count(self) -> int:
        return len(self._running)

    def has(self, trial: str) -> bool:
        return trial in self._running

    @property
    def has_failed(self) -> bool:
        """Whether `check` raises, or no trial can run."""
        return self._error is not None or bool(self.failure)

    def begin(self, known: Known, trial: Object, *, is_again: bool = False) -> None:
        """`is_again`: it may have reported already."""
        name = meta.name(trial)
        task = self._tasks.spawn(self._try(known, trial, is_again), name=name)
        self._running[name] = task
        task.add_done_callback(lambda done: self._done(name, done))

    def cancel(self, trial: str) -> None:
        """Its worker ends; nothing is written."""
        if (task := self._running.get(trial)) is not None:
            task.cancel()

    def check(self) -> None:
        """Raises what went wrong with the keeping of what trials say: nothing goes on without that."""
        if self._error is not None:
            raise self._error

    async def end(self, trials: Sequence[Object]) -> None:
        """The experiment is over: what runs is ended, and says so."""
        for task in list(self._running.values()):
            task.cancel()
        await asyncio.gather(*self._running.values(), *self._ending, return_exceptions=True)
        self.check()
        for each in trials:
            account = self._tally.get(meta.name(each))
            if account is not None and not account.record.completion_time:
                status = measuring.killed(each, "its experiment is over", self._ground.now())
                await self._write(each, status)
                self._on_status({**each, "status": status}, has_ended=True)

    async def close(self) -> None:
        """What has ended says so first; what runs is ended and says nothing."""
        await asyncio.gather(*self._ending, return_exceptions=True)
        await self._tasks.close()
        await self.crew.close()

    async def abandon(self) -> None:
        """The server goes down."""
        await self.crew.abandon()
        await self._tasks.close()

    # One trial.

    async def _try(self, known: Known, trial: Object, is_again: bool) -> None:
        name, namespace = meta.name(trial), meta.namespace(trial)
        measured = Measuring(trial)
        self._curves.begin(name)
        if is_again:
            measured.recall(await self._ground.observations.of(namespace, name))
        begun = {**trial, "status": measuring.begun(meta.status(trial), self._ground.now())}
        timers: list[asyncio.TimerHandle] = []
        shown: list[asyncio.Task[None]] = []

        def show() -> None:
            shown.append(self._tasks.spawn(self._show(begun), name=f"show/{name}"))

        def on_begin() -> None:
            self._on_status(begun, has_ended=False)
            timers.append(asyncio.get_running_loop().call_later(_SHOWN_SECONDS, show))

        async def on_report(logs: Sequence[MetricLog]) -> str:
            await self._ground.observations.report(namespace, name, logs)
            self._curves.take(name, logs)
            return measured.take(logs) or self._curves.why_stop(known.problem, name, self._tally)

        task = Task(name, named_values(meta.spec(trial).get("parameterAssignments")))
        try:
            limit_seconds = time_limit_seconds(known.experiment)
            # What is noted of its beginning is noted while it runs.
            end = await self.crew.call(task, limit_seconds, on_report, on_begin)
        except WorkerError as error:
            await self._refused(str(error))
            return
        finally:
            for timer in timers:
                timer.cancel()
            for each in shown:
                each.cancel()
        self._refusals, self.waiting_for = 0, ""
        # From here on it has ended, whatever becomes of the experiment.
        ending = self._tasks.spawn(self._finish(begun, end, measured), name=f"end/{name}")
        self._ending.add(ending)
        ending.add_done_callback(self._has_ended)
        await asyncio.shield(ending)

    async def _finish(self, trial: Object, end: End, measured: Measuring) -> None:
        name, namespace = meta.name(trial), meta.namespace(trial)
        self._curves.take(name, end.metrics)
        measured.take(end.metrics)
        status, now = meta.status(trial), self._ground.now()
        if end.state == "Succeeded":
            status = measured.succeeded(status, now)
        elif end.state == "EarlyStopped":
            status = measured.stopped_early(status, end.message, now)
        else:
            status = measuring.failed(status, end.message, now)
        # The next one is made of that, and then both are one transaction: it is asked for within two turns of the loop.
        self._on_status({**trial, "status": status}, has_ended=True)
        for _ in range(2):
            await asyncio.sleep(0)
        # An end whose values could not be kept is none: without it the trial is run again.
        with self._ground.observations.joined(namespace, name, end.metrics):
            await self._write(trial, status)

    async def _write(self, trial: Object, status: Object) -> None:
        patch = {"metadata": {"uid": meta.uid(trial)}, "status": status}
        with contextlib.suppress(NotFoundError):
            await self._ground.client.patch(
                TRIALS, meta.name(trial), patch, meta.namespace(trial), subresource="status"
            )

    async def _show(self, begun: Object) -> None:
        patch = {"metadata": {"uid": meta.uid(begun)}, "status": meta.status(begun)}
        with contextlib.suppress(NotFoundError):
            await self._ground.client.patch(
                TRIALS, meta.name(begun), patch, meta.namespace(begun), subresource="status"
            )

    async def _refused(self, why: str) -> None:
        """No worker could be had: again in a moment, but where none works at all, not for ever."""
        self.waiting_for = why
        now = self._ground.clock.monotonic()
        # Trials that are refused side by side are refused once.
        if not self.crew.works and now - self._refused_at >= _PAUSE_SECONDS:
            self._refusals, self._refused_at = self._refusals + 1, now
        if self._refusals >= _MOST_REFUSALS:
            self.failure = f"no worker can take its trials: {why}"
        else:
            await asyncio.sleep(_PAUSE_SECONDS)

    def _done(self, name: str, task: asyncio.Task[None]) -> None:
        self._running.pop(name, None)
        self._note(task)
        self.on_done()

    def _has_ended(self, ending: asyncio.Task[None]) -> None:
        self._ending.discard(ending)
        # Here too: whoever awaits it may be cancelled before it hears of that.
        self._note(ending)

    def _note(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._error = task.exception()
