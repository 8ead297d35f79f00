"""What one trial in-process has measured so far, and whether it is to go on. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sampan.components.tuning.api.conditions import KILLED, RUNNING, conditions_of, marked
from sampan.components.tuning.api.observing import MetricLog, finite
from sampan.components.tuning.api.reading import objective_of
from sampan.components.tuning.api.suggesting import Curve, Objective, Problem, Pruner
from sampan.components.tuning.engine.collecting.wanted import rules_of
from sampan.components.tuning.engine.early_stopping.rivals import Rivals
from sampan.components.tuning.engine.experiment.tally import Changes, Tally
from sampan.components.tuning.engine.trial import status as says
from sampan.components.tuning.engine.trial.judging import SUCCEEDED, RunState
from sampan.components.tuning.engine.trial.observation import Sums
from sampan.components.tuning.engine.trial.stopping import StopRules
from sampan.kube import meta
from sampan.kube.meta import Object

_RUN = RunState(SUCCEEDED)
_REASON = "TrialKilled"


class Curves:
    """What each trial of an experiment has reported of the objective, where a pruner wants to know."""

    def __init__(self, objective: Objective, pruner: Pruner | None) -> None:
        self.objective = objective
        self.pruner = pruner
        self._values: dict[str, list[float]] = {}
        self._rivals = Rivals()
        self._changed: set[str] = set()
        self._tally: Tally | None = None
        self._changes = Changes()

    def take(self, trial: str, logs: Sequence[MetricLog]) -> None:
        if self.pruner is None:
            return
        values = self._values.setdefault(trial, [])
        for each in logs:
            if each.name == self.objective.metric:
                number = finite(each.value)
                values.append(math.nan if number is None else number)
        self._changed.add(trial)

    def begin(self, trial: str) -> None:
        if self.pruner is not None:
            self._values.pop(trial, None)
            self._changed.add(trial)

    def why_stop(self, problem: Problem, trial: str, tally: Tally) -> str:
        if self.pruner is None or trial not in self._values:
            return ""
        self._catch_up(tally)
        return self.pruner.decide(problem, Curve(trial, tuple(self._values[trial])), self._rivals)

    def _catch_up(self, tally: Tally) -> None:
        if self._tally is not tally:
            self._tally, self._changes, self._rivals = tally, tally.follow(), Rivals()
        for name in self._changed | self._changes.names:
            account, values = tally.get(name), self._values.get(name)
            if account is None or values is None:
                self._rivals.remove(name)
            else:
                self._rivals.put(Curve(name, values, account.record.condition), account.order)
        self._changed.clear()
        self._changes.names.clear()


class Measuring:
    """Of one attempt of a trial."""

    def __init__(self, trial: Object) -> None:
        spec = meta.spec(trial)
        self.objective = objective_of(spec)
        self._sums = Sums(self.objective)
        self._rules = StopRules(rules_of(spec), self.objective)
        self._why = ""

    def recall(self, logs: Sequence[MetricLog]) -> None:
        """What an earlier attempt has reported. Rules do not count it: the function begins anew."""
        self._sums.take_all(logs)

    def take(self, logs: Sequence[MetricLog]) -> str:
        """Why the trial is to stop; empty to let it go on."""
        self._sums.take_all(logs)
        for each in logs:
            self._rules.take(each.name, each.value)
        return self._rules.why if self._rules.are_met else ""

    def succeeded(self, status: Mapping[str, Any], now: str) -> Object:
        if problem := self._sums.problem:
            return says.unmeasured(status, _RUN, self._sums.observation, problem, now)
        return says.succeeded(status, _RUN, self._sums.observation, "", now)

    def stopped_early(self, status: Mapping[str, Any], why: str, now: str) -> Object:
        return says.stopped_early({**status, "observation": self._sums.observation}, why, now)


def begun(status: Mapping[str, Any], now: str) -> Object:
    return says.running(says.created(status, now), "", now)


def failed(status: Mapping[str, Any], message: str, now: str) -> Object:
    return says.refused(status, message, now)


def killed(trial: Object, why: str, now: str) -> Object:
    """Of one that has not ended: it was ended with its experiment."""
    status = says.created(meta.status(trial), now)
    conditions = conditions_of({"status": status})
    for each in conditions:
        if each.get("type") == RUNNING and each.get("status") == "True":
            conditions = marked(
                conditions,
                RUNNING,
                "False",
                reason=str(each.get("reason") or ""),
                message=str(each.get("message") or ""),
                now=now,
            )
    conditions = marked(
        conditions, KILLED, "True", reason=_REASON, message=f"Trial is killed: {why}", now=now
    )
    return {**status, "conditions": conditions, "completionTime": now}
