"""Asks the pruner of an experiment whether a trial is worth going on with, at each new value of its objective.

For the collector, and for whoever else hears the values of running trials. The curves are read from the observations;
of trials that have ended once. What was decided is not kept: after a restart all values are looked at again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field

from sampan.components.tuning.api.defaults import with_defaults
from sampan.components.tuning.api.reading import problem_of
from sampan.components.tuning.api.suggesting import (
    Curve,
    InvalidSettingsError,
    Problem,
    Pruner,
    ReadLog,
)
from sampan.components.tuning.controller.tallies import Tallies
from sampan.components.tuning.engine.early_stopping.medianstop import number
from sampan.components.tuning.engine.early_stopping.rivals import Rivals
from sampan.components.tuning.engine.early_stopping.service import pruner, why_stop
from sampan.components.tuning.engine.experiment.tally import Changes, Tally
from sampan.kube import meta
from sampan.kube.meta import Object
from sampan.reconcile.cache import Cache

_ENDED = frozenset({"Succeeded", "EarlyStopped", "Failed", "Killed", "MetricsUnavailable"})
_EXPERIMENTS = 64
"""Of which the curves are remembered."""


@dataclass(slots=True)
class _Judged:
    """An experiment with a pruner."""

    generation: int
    problem: Problem
    decider: Pruner
    rivals: Rivals = field(default_factory=Rivals)
    tally: Tally | None = None
    changes: Changes = field(default_factory=Changes)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    running: set[str] = field(default_factory=set)
    """Trials whose curves may grow."""
    ended: dict[str, str] = field(default_factory=dict)
    """The condition in which each trial ended whose curve has been read."""
    decided: dict[str, int] = field(default_factory=dict)
    """Values of each running trial that have been looked at."""


class Pruning:
    """For one event loop."""

    def __init__(self, experiments: Cache, tallies: Tallies, read: ReadLog) -> None:
        self._experiments = experiments
        self._tallies = tallies
        self._read = read
        self._judged: OrderedDict[str, _Judged] = OrderedDict()

    def concerns(self, namespace: str, experiment: str) -> bool:
        """Whether trials of that experiment are to be asked about."""
        found = self._experiments.get(namespace, experiment) if experiment else None
        return found is not None and self._of(found) is not None

    async def why_stop(self, namespace: str, experiment: str, trial: str) -> str:
        """In words for people; empty to let it go on. Raises StorageError."""
        found = self._experiments.get(namespace, experiment)
        judged = self._of(found) if found is not None else None
        if found is None or judged is None:
            return ""
        own = await self._curve(judged.problem, trial, "Running")
        decided = judged.decided.get(trial, 0)
        if len(own.values) <= decided:
            return ""
        async with judged.lock:
            await self._catch_up(judged, self._tallies.of(found), trial)
            judged.decided[trial] = len(own.values)
            return why_stop(judged.decider, judged.problem, own, judged.rivals, decided)

    def _of(self, experiment: Object) -> _Judged | None:
        """None where nothing is decided at values."""
        if not meta.spec(experiment).get("earlyStopping"):
            return None
        uid, generation = meta.uid(experiment), meta.generation(experiment)
        found = self._judged.get(uid)
        if found is None or found.generation != generation:
            problem = problem_of(with_defaults(experiment))
            try:
                decider = pruner(problem)
            except InvalidSettingsError:
                # The suggestion has failed of it, and says so.
                return None
            if decider is None:
                return None
            found = self._judged[uid] = _Judged(generation, problem, decider)
            if len(self._judged) > _EXPERIMENTS:
                self._judged.popitem(last=False)
        self._judged.move_to_end(uid)
        return found

    async def _catch_up(self, judged: _Judged, tally: Tally, asking: str) -> None:
        """Reads the curves of trials that have changed, and of those that have not ended, but for the one that asks."""
        if judged.tally is not tally:
            judged.tally, judged.changes = tally, tally.follow()
            judged.rivals, judged.running, judged.ended = Rivals(), set(), {}
        for name in (judged.changes.names | judged.running) - {asking}:
            while (account := tally.get(name)) is not None:
                record = account.record
                if record.condition not in _ENDED or judged.ended.get(name) != record.condition:
                    curve = await self._curve(judged.problem, name, record.condition)
                    if tally.get(name) is not account:
                        continue
                    judged.rivals.put(curve, account.order)
                self._note(judged, name, record.condition)
                break
            else:
                judged.rivals.remove(name)
                judged.running.discard(name)
                judged.ended.pop(name, None)
            judged.changes.names.discard(name)

    def _note(self, judged: _Judged, trial: str, condition: str) -> None:
        """What its curve was read for."""
        if condition in _ENDED:
            judged.ended[trial] = condition
            judged.decided.pop(trial, None)
            judged.running.discard(trial)
        else:
            judged.ended.pop(trial, None)
            judged.running.add(trial)

    async def _curve(self, problem: Problem, trial: str, condition: str) -> Curve:
        log = await self._read(problem.namespace, trial, problem.objective.metric)
        return Curve(trial, [number(each) for each in log], condition)
