"""Plays experiments against an algorithm: asks, makes trials, gives them values and ends them, as controllers do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from sampan.components.tuning.api.observing import Metric
from sampan.components.tuning.api.suggesting import (
    Answer,
    FeasibleSpace,
    Objective,
    Parameter,
    Problem,
    TrialRecord,
)
from sampan.components.tuning.engine.algorithms.contract import Algorithm, Memory

METRIC = "loss"


def problem(algorithm: str, *parameters: Parameter, direction: str = "minimize", **more: Any) -> Problem:
    return Problem(
        more.pop("uid", "uid"),
        "exp",
        "ns",
        Objective(direction, METRIC),
        parameters,
        algorithm=algorithm,
        **more,
    )


def real(name: str, low: float, high: float, distribution: str = "uniform") -> Parameter:
    return Parameter(name, "double", FeasibleSpace(str(low), str(high), distribution=distribution))


def whole(name: str, low: int, high: int, step: str = "") -> Parameter:
    return Parameter(name, "int", FeasibleSpace(str(low), str(high), step))


def ended(trial: TrialRecord, value: float | None, order: int) -> TrialRecord:
    """Failed where there is no value. `order` stands for the time."""
    if value is None:
        return replace(trial, condition="Failed", completion_time=f"{order:06}")
    text = repr(float(value))
    metrics = {METRIC: Metric(METRIC, text, text, text)}
    return replace(trial, condition="Succeeded", completion_time=f"{order:06}", metrics=metrics)


class Play:
    """One experiment: its trials, oldest first, and what the algorithm has learnt."""

    def __init__(self, asked: Problem, algorithm: Callable[[], Algorithm]) -> None:
        self.problem = asked
        self.make = algorithm
        self.ask_again = True
        self.algorithm = algorithm()
        self.memory = Memory()
        self.trials: list[TrialRecord] = []
        self.asked = 0
        self.ended = 0
        self.answer = Answer()

    def ask(self, count: int) -> Answer:
        """And makes trials of the answer. Asking somebody who has just started gives the same."""
        asked = self.asked + count
        self.answer = self.algorithm.suggest(self.memory, self.problem, self.trials, count, asked)
        if self.ask_again:
            again = self.make().suggest(Memory(), self.problem, self.trials, count, asked)
            assert again == self.answer
        assert len(self.answer.assignments) <= count
        for each in self.answer.assignments:
            name = each.trial_name or f"exp-{len(self.trials)}"
            self.trials.append(TrialRecord(name, each.parameters, "Running", labels=each.labels))
        self.asked += len(self.answer.assignments)
        self.problem = replace(self.problem, settings={**self.problem.settings, **self.answer.settings})
        return self.answer

    def end(self, place: int, value: float | None) -> None:
        self.trials[place] = ended(self.trials[place], value, self.ended)
        self.ended += 1

    def running(self) -> Sequence[int]:
        return [place for place, each in enumerate(self.trials) if each.condition == "Running"]

    def run(self, value: Callable[[TrialRecord], float | None], parallel: int, most: int) -> None:
        """Until `most` trials, or no more come. The oldest ends first."""
        while True:
            room = min(parallel - len(self.running()), most - len(self.trials))
            if room > 0:
                self.ask(room)
            if not self.running():
                return
            place = self.running()[0]
            self.end(place, value(self.trials[place]))
