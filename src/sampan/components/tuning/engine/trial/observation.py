"""What the values of a trial come to: its metrics, and whether the objective is among them.

Filled by collectors as values come, or from the log; read by the reconciler when a run has ended. Source:
kubeflow/katib 0.19 pkg/controller.v1beta1/trial/trial_controller_util.go (getMetrics, IsObservationAvailable).

Upstream keeps a value that is no number as the latest. Here the numbers that count are finite: NaN and infinities
stay in the log, but are never least or greatest, and a trial whose objective is one of them has no result. A text
that was meant for a value (`collecting.lines`) is one: the latest.
"""

from __future__ import annotations

from collections.abc import Iterable

from sampan.components.tuning.api.labels import UNAVAILABLE
from sampan.components.tuning.api.observing import Metric, MetricLog, finite, microseconds
from sampan.components.tuning.api.suggesting import Objective
from sampan.kube.meta import Object


def strategies_of(objective: Objective) -> dict[str, str]:
    """Which value of each metric counts, for metrics in the order in which they are shown: the objective first."""
    usual = {"minimize": "min", "maximize": "max"}.get(objective.type, "latest")
    names = [objective.metric, *objective.additional, *objective.strategies]
    return {name: objective.strategies.get(name) or usual for name in dict.fromkeys(names) if name}


class Sums:
    """Of the metrics that an objective asks for; others are left out."""

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._strategies = strategies_of(objective)
        self._sums = {name: _Sum() for name in self._strategies}

    def take(self, log: MetricLog) -> None:
        """In the order in which they came: of values of the same time the last is the latest."""
        if (found := self._sums.get(log.name)) is not None and log.value != UNAVAILABLE:
            found.take(log.value, microseconds(log.time))

    def take_all(self, logs: Iterable[MetricLog]) -> None:
        for each in logs:
            self.take(each)

    def add(self, other: Sums) -> None:
        """What another one, of the same objective, has taken."""
        for name, found in self._sums.items():
            found.add(other._sums[name])

    @property
    def observation(self) -> Object:
        """As a trial's status has it."""
        return {
            "metrics": [
                {"name": each.name, "min": each.min, "max": each.max, "latest": each.latest}
                for each in (found.metric(name) for name, found in self._sums.items())
            ]
        }

    @property
    def has_objective(self) -> bool:
        """Whether anything was reported for it, whatever it was."""
        own = self._sums.get(self._objective.metric)
        return own is not None and own.latest != UNAVAILABLE

    @property
    def problem(self) -> str:
        """Why the objective has no value that counts; empty when it has one."""
        name = self._objective.metric
        if not self.has_objective:
            return f"nothing was reported for {name}"
        own = self._sums[name].metric(name)
        if _is_text(own):
            return ""
        value = value_of(own, self._strategies[name])
        if finite(value) is not None:
            return ""
        if value == UNAVAILABLE:
            return f"no value of {name} is a finite number, the last was {own.latest}"
        return f"the latest value of {name} is {value}, which is no finite number"


class _Sum:
    """Of one metric."""

    def __init__(self) -> None:
        self._low = self._high = 0.0
        self._min = self._max = self.latest = UNAVAILABLE
        self._at = 0

    def take(self, text: str, at: int) -> None:
        if self.latest == UNAVAILABLE or at >= self._at:
            self.latest, self._at = text, at
        if (number := finite(text)) is not None:
            self._bound(number, text, number, text)

    def add(self, other: _Sum) -> None:
        if other.latest != UNAVAILABLE and (self.latest == UNAVAILABLE or other._at >= self._at):
            self.latest, self._at = other.latest, other._at
        if other._min != UNAVAILABLE:
            self._bound(other._low, other._min, other._high, other._max)

    def metric(self, name: str) -> Metric:
        return Metric(name, self._min, self._max, self.latest)

    def _bound(self, low: float, least: str, high: float, greatest: str) -> None:
        if self._min == UNAVAILABLE or low < self._low:
            self._low, self._min = low, least
        if self._max == UNAVAILABLE or high > self._high:
            self._high, self._max = high, greatest


def value_of(metric: Metric, strategy: str) -> str:
    """The value that counts."""
    return {"min": metric.min, "max": metric.max}.get(strategy, metric.latest)


def _is_text(metric: Metric) -> bool:
    """Whether nothing of it was a number, nor what floats call NaN and infinities: a text that somebody meant. Upstream
    takes the last for the value, and so does DARTS' example with the cell that it finds."""
    if metric.min != UNAVAILABLE:
        return False
    try:
        float(metric.latest)
    except ValueError:
        return True
    return False


def unavailable(name: str, time: str) -> MetricLog:
    """What upstream writes into the log of a trial whose objective was not reported."""
    return MetricLog(time, name, UNAVAILABLE, UNAVAILABLE)
