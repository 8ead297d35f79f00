"""The platform's own metrics collector: follows the trials that run, and sums up those that have ended.

Upstream has a sidecar in each pod (kubeflow/katib 0.19 cmd/metricscollector); here the logs and volumes of pods are
read where they lie, by one loop for all trials, which sleeps while there is none to look at. Values are written
as they come, so that curves are live and rules of early stopping are held against them; what counts in the end is
read to the end first.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from sampan.components.tuning.api import labels
from sampan.components.tuning.controller.collecting.api_logs import ApiLogSource
from sampan.components.tuning.controller.collecting.following import (
    MOST_VALUES,
    Collected,
    Following,
    Opener,
    Tell,
)
from sampan.components.tuning.controller.collecting.pruning import Pruning
from sampan.components.tuning.controller.collecting.scraping import ScrapeSource
from sampan.components.tuning.controller.collecting.sources import RunKey
from sampan.components.tuning.engine.collecting.wanted import PROMETHEUS, READ_HERE, Wanted, wanted_of
from sampan.components.tuning.engine.trial.observation import Sums
from sampan.components.tuning.engine.trial.stopping import StopRules
from sampan.components.tuning.store.observations import Observations
from sampan.kube import meta
from sampan.kube.errors import ApiError
from sampan.kube.meta import Object
from sampan.lib.log import get_logger
from sampan.lib.tasks import TaskSet
from sampan.lib.threads import to_end
from sampan.reconcile.cache import Cache

log = get_logger(__name__)

TrialKey = tuple[str, str]
"""Namespace and name."""

_SECONDS = 1.0
"""Between two looks at what trials have printed."""
_ASKED_SECONDS = 0.5
"""The same, where it means asking somebody."""
_RULES_SECONDS = 0.1
"""The same, where rules may stop one."""
_AT_ONCE = 32
"""Trials that are looked at side by side."""


class Collector:
    """Implements `reconcile.manager.Runnable`. For one event loop; files are read in threads."""

    name = "tuning' metrics"
    caches: Sequence[Cache] = ()

    def __init__(
        self,
        observations: Observations,
        opener: Opener,
        on_stop: Callable[[TrialKey], None],
        tell: Tell | None = None,
        pruning: Pruning | None = None,
    ) -> None:
        """`on_stop` is told of a trial whose rules are met, or that `pruning` gives up: `stops` then says why."""
        self._observations = observations
        self._opener = opener
        self._on_stop = on_stop
        self._tell = tell
        self._pruning = pruning
        self._followed: dict[TrialKey, Following] = {}
        self._due: dict[TrialKey, float] = {}
        self._some = asyncio.Event()
        self._looks = asyncio.Semaphore(_AT_ONCE)
        self._tasks = TaskSet("tuning metrics")

    async def start(self) -> None:
        self._tasks.spawn(self._follow(), name="follow")

    async def stop(self) -> None:
        await self._tasks.close()
        for key in list(self._followed):
            self.forget(key)

    def attend(self, trial: Object, pods: Iterable[Object]) -> Following:
        """Follows the trial from now on, or goes on with it; `pods` are all that it has had."""
        key = (meta.namespace(trial), meta.name(trial))
        following = self._followed.get(key)
        if following is not None and following.uid != meta.uid(trial):
            self.forget(key)
            following = None
        if following is None:
            following = self._followed[key] = Following(wanted_of(trial), meta.uid(trial), tell=self._tell)
        following.pods = {meta.uid(pod): pod for pod in pods}
        following.experiment = self._pruned(trial)
        wanted = following.wanted
        is_looked_at = wanted.kind in READ_HERE or wanted.rules or following.experiment
        if is_looked_at and following.runs() and key not in self._due:
            # An endpoint may be gone at the second look.
            wait = 0.0 if wanted.kind == PROMETHEUS else _period(following)
            self._due[key] = time.monotonic() + wait
            self._some.set()
        return following

    def stops(self, key: TrialKey) -> str:
        """Why that trial is to be stopped early; empty when it is not."""
        following = self._followed.get(key)
        return following.stop if following is not None else ""

    def forget(self, key: TrialKey) -> None:
        """Of a trial that has ended or is gone."""
        self._due.pop(key, None)
        following = self._followed.pop(key, None)
        if following is not None and following.lock.locked():
            self._tasks.spawn(_close_later(following), name="close")
        elif following is not None:
            following.close()

    async def collected(self, following: Following) -> Collected:
        """All that its pods have left, to the end. Raises StorageError, ApiError."""
        key = (following.wanted.namespace, following.wanted.trial)
        self._due.pop(key, None)
        if following.wanted.kind not in READ_HERE:
            sums = Sums(following.wanted.objective)
            sums.take_all(await self._observations.of(*key))
            return Collected(sums)
        async with following.lock:
            runs = await self._open(following)
            while await self._read(following, runs, is_over=True) >= MOST_VALUES:
                continue
            found = following.collected()
            if self._tell is not None:
                # Now: the trial may be forgotten, and all that is known of it, before a thread begins.
                words = following.last_words()
                self._tasks.spawn(asyncio.to_thread(_tell_all, self._tell, words), name="conclude")
        await self._observations.delete_read(*key, found.unwanted)
        if not found.sums.has_objective:
            # What was read of pods that are gone now is there still.
            found.sums.take_all(await self._observations.of(*key))
        return found

    async def so_far(self, following: Following) -> Sums:
        """What its pods have left by now. Raises StorageError."""
        key = (following.wanted.namespace, following.wanted.trial)
        if following.wanted.kind in READ_HERE:
            async with following.lock:
                await self._read(following, await self._open(following), is_over=False)
                found = following.collected().sums
            if found.has_objective:
                return found
        sums = Sums(following.wanted.objective)
        sums.take_all(await self._observations.of(*key))
        return sums

    async def _follow(self) -> None:
        while True:
            if not self._due:
                self._some.clear()
                await self._some.wait()
            now = time.monotonic()
            await asyncio.sleep(max(min(self._due.values(), default=now) - now, 0.0) if self._due else 0.0)
            for key in [key for key, due in self._due.items() if due <= time.monotonic()]:
                del self._due[key]
                if (following := self._followed.get(key)) is not None:
                    self._tasks.spawn(self._look_once(following, key), name="/".join(key))

    async def _look_once(self, following: Following, key: TrialKey) -> None:
        """Each on its own: an endpoint that does not answer keeps no other trial waiting."""
        async with self._looks:
            # Whoever sums it up reads it to the end.
            if self._followed.get(key) is not following or following.lock.locked():
                return
            try:
                await self._look(following, key)
            except Exception as error:
                log.warning("metrics not read", namespace=key[0], trial=key[1], exc=error)
        if self._followed.get(key) is following and not following.stop:
            self._due.setdefault(key, time.monotonic() + _period(following))
            self._some.set()

    async def _look(self, following: Following, key: TrialKey) -> None:
        async with following.lock:
            runs = await self._open(following)
            had = following.stop
            news = await self._read(following, runs, is_over=False)
        # Values of other kinds are reported by somebody else.
        if following.wanted.rules and not following.stop and following.wanted.kind not in READ_HERE:
            following.stop = await self._why_met(following.wanted)
        if following.experiment and not following.stop and (news or following.wanted.kind not in READ_HERE):
            following.stop = await self._why_pruned(following)
        if following.stop and not had:
            self._on_stop(key)

    async def _why_met(self, wanted: Wanted) -> str:
        rules = StopRules(wanted.rules, wanted.objective)
        for each in await self._observations.of(wanted.namespace, wanted.trial):
            rules.take(each.name, each.value)
            if rules.are_met:
                return rules.why
        return ""

    def _pruned(self, trial: Object) -> str:
        """The experiment whose pruner is to be asked; empty where there is none."""
        name = str(meta.labels(trial).get(labels.EXPERIMENT) or "")
        concerned = self._pruning is not None and self._pruning.concerns(meta.namespace(trial), name)
        return name if concerned else ""

    async def _why_pruned(self, following: Following) -> str:
        wanted = following.wanted
        if self._pruning is None:
            return ""
        return await self._pruning.why_stop(wanted.namespace, following.experiment, wanted.trial)

    async def _open(self, following: Following) -> list[RunKey]:
        runs = following.runs()
        for run in runs:
            if run in following.sources:
                continue
            try:
                source = await self._opener(following.wanted, following.pods[run.uid], run)
            except (ValueError, ApiError) as error:
                following.problem = str(error)
                continue
            if source is not None:
                following.sources[run] = source
        looks = [
            each.look()
            for each in following.sources.values()
            if isinstance(each, ScrapeSource | ApiLogSource)
        ]
        if looks:
            await asyncio.gather(*looks)
        return runs

    async def _read(self, following: Following, runs: Sequence[RunKey], *, is_over: bool) -> int:
        """Writes what is new; how many values that were. What could not be written is written the next time."""
        await self._keep(following)
        following.unkept = await to_end(partial(following.read, runs, is_over=is_over))
        count = len(following.unkept)
        await self._keep(following)
        return count

    async def _keep(self, following: Following) -> None:
        """Raises StorageError."""
        if following.unkept:
            wanted = following.wanted
            await self._observations.report(wanted.namespace, wanted.trial, following.unkept)
            following.unkept = []


def _tell_all(tell: Tell, words: Sequence[tuple[Object, Sequence[str]]]) -> None:
    for pod, lines in words:
        tell(pod, lines)


async def _close_later(following: Following) -> None:
    """A thread may be reading it."""
    async with following.lock:
        following.close()


def _period(following: Following) -> float:
    if following.wanted.kind == PROMETHEUS or following.wanted.kind not in READ_HERE:
        return _ASKED_SECONDS
    return _RULES_SECONDS if following.wanted.rules or following.experiment else _SECONDS
