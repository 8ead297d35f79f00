"""Asking the containers of one pod how they are, for as long as each of them runs.

A pod without probes has none of this: `pod_sync` makes a Prober only for those that want one. Thresholds and words are
in `probes`, the asking itself in `handlers`; what a verdict means for the pod is for whoever made the Prober.
Source: kubernetes/pkg/kubelet/prober (worker.go, prober_manager.go), v1.31.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from sampan.cluster.node.handlers import Executor, HandlerError, Target, ask
from sampan.cluster.node.probes import LIVENESS, READINESS, STARTUP, Answer, Outcome, Probe, Tally, probes_of
from sampan.lib.log import get_logger
from sampan.lib.tasks import TaskSet

log = get_logger(__name__)

_EARLY_SECONDS, _EARLY_PAUSE_SECONDS, _MAX_EARLY_PAUSE_SECONDS = 10.0, 0.02, 0.25
_ATTEMPTS = 3
"""How often a handler that could not be carried out is tried before that counts as a failure."""

OnVerdict = Callable[[str, Probe, bool], None]
"""Container, probe, and whether it is well. Called when the verdict changes, and for each failure that ends it."""
OnAnswer = Callable[[str, str, Answer], None]
"""Container, kind of probe, and an answer that is not plain success."""
OnError = Callable[[str, str, str], None]


@dataclass(slots=True)
class _Watched:
    """One run of one container."""

    target: Target
    age: float
    """Seconds that it ran before it was watched: after a restart of the server."""
    started: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)


class _Early:
    """Questions between the periods, of a container that has just been started: a request may be waiting for it.

    Failures of theirs say nothing, a success counts. Commands run by the period alone: they may do something. Source
    of the idea: knative.dev/serving pkg/queue/readiness/probe.go, which asks every 25 ms until the first success.
    """

    def __init__(self, probe: Probe, begin: float) -> None:
        asks = probe.kind != LIVENESS and probe.success_threshold == 1 and "exec" not in probe.handler
        self._until = begin + _EARLY_SECONDS if asks else begin
        self._pause = _EARLY_PAUSE_SECONDS

    def next(self, now: float, due: float) -> float:
        if now >= self._until:
            return due
        self._pause = min(self._pause * 1.25, _MAX_EARLY_PAUSE_SECONDS)
        return min(now + self._pause, due)


class Prober:
    """For one pod and one event loop. `close` with the pod's worker."""

    def __init__(
        self, title: str, execute: Executor, on_verdict: OnVerdict, on_answer: OnAnswer, on_error: OnError
    ) -> None:
        self._execute = execute
        self._on_verdict = on_verdict
        self._on_answer = on_answer
        self._on_error = on_error
        self._watched: dict[str, _Watched] = {}
        self._tasks = TaskSet(f"probes of {title}")
        self._is_terminating = False

    def begin(self, container: str, target: Target, *, is_started: bool = False, age: float = 0.0) -> None:
        """The container runs. `is_started`: its startup probe has succeeded already."""
        self.end(container)
        watched = _Watched(target, age)
        probes = probes_of(target.spec)
        if is_started or STARTUP not in probes:
            watched.started.set()
        for kind, probe in probes.items():
            if self._is_terminating and kind != READINESS:
                continue
            if kind == STARTUP and watched.started.is_set():
                continue
            run = self._run(container, watched, probe)
            watched.tasks[kind] = self._tasks.spawn(run, name=f"{kind} {container}")
        self._watched[container] = watched

    def end(self, container: str) -> None:
        """The container runs no more."""
        watched = self._watched.pop(container, None)
        if watched is not None:
            for task in watched.tasks.values():
                task.cancel()

    def terminating(self) -> None:
        """The pod is to end: nothing of it is restarted any more, but whether it is ready is still of interest."""
        self._is_terminating = True
        for watched in self._watched.values():
            for kind in (STARTUP, LIVENESS):
                if (task := watched.tasks.get(kind)) is not None:
                    task.cancel()

    async def close(self) -> None:
        await self._tasks.close()

    async def _run(self, container: str, watched: _Watched, probe: Probe) -> None:
        if probe.kind != STARTUP:
            await watched.started.wait()
        loop = asyncio.get_running_loop()
        due = at = loop.time() + max(probe.initial_delay - watched.age, 0.0)
        early = _Early(probe, at)
        tally = Tally(probe)
        told: bool | None = None
        while True:
            await asyncio.sleep(max(at - loop.time(), 0.0))
            is_due = loop.time() >= due
            if is_due:
                # Late answers do not pile up: the next question comes a period after this one was due, or now.
                due = max(due + probe.period, loop.time())
            answer = await self._ask(container, watched.target, probe)
            if self._watched.get(container) is not watched:
                return
            at = due if answer.is_good else early.next(loop.time(), due)
            if not is_due and not answer.is_good:
                continue
            if answer.outcome is not Outcome.SUCCESS:
                self._on_answer(container, probe.kind, answer)
            verdict = tally.add(answer.is_good)
            if verdict is None:
                continue
            if verdict is not told:
                told = verdict
                self._on_verdict(container, probe, verdict)
            if probe.kind == STARTUP and verdict:
                watched.started.set()
                return
            if probe.kind != READINESS and not verdict:
                # The container is ended for it; the next run of it is asked anew.
                return

    async def _ask(self, container: str, target: Target, probe: Probe) -> Answer:
        message = ""
        for _ in range(_ATTEMPTS):
            try:
                return await ask(probe.handler, target, probe.timeout, self._execute)
            except HandlerError as error:
                message = error.message
        self._on_error(container, probe.kind, message)
        return Answer(Outcome.FAILURE, message)
