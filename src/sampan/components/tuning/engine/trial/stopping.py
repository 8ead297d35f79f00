"""When a trial is to be stopped early: its rules, held against the values that it reports, one by one.

Called by the collectors, which see values as they come. Read again from the beginning after a restart, for it follows
from the values alone.

Source: kubeflow/katib 0.19 cmd/metricscollector/v1beta1/file-metricscollector/main.go (watchMetricsFile,
updateStopRules): a rule that is met once is met, all must be; of the objective the best value so far counts; and a rule
counts from its start step on, as the API describes it. (Upstream's collector looks at that one step only, which for the
objective is the same.)
"""

from __future__ import annotations

from collections.abc import Sequence

from sampan.components.tuning.api.observing import finite
from sampan.components.tuning.api.suggesting import Objective, Rule


class StopRules:
    def __init__(self, rules: Sequence[Rule], objective: Objective) -> None:
        self._open = list(rules)
        self._objective = objective
        self._steps: dict[str, int] = {}
        self._best: float | None = None
        self._met: list[str] = []
        self._has_rules = bool(rules)

    @property
    def are_met(self) -> bool:
        return self._has_rules and not self._open

    @property
    def why(self) -> str:
        """Which values met the rules, in words."""
        return ", ".join(self._met)

    def take(self, name: str, value: str) -> None:
        """The next value of a metric. One that is no finite number meets no rule."""
        concerned = [each for each in self._open if each.name == name]
        number = finite(value)
        if not concerned or number is None:
            return
        self._steps[name] = self._steps.get(name, 0) + 1
        if name == self._objective.metric:
            number = self._best = self._better(number)
        for rule in concerned:
            if self._steps[name] >= rule.start_step and _is_met(rule, number):
                self._open.remove(rule)
                self._met.append(
                    f"{name} {number:g} is {rule.comparison} {_THAN[rule.comparison]} {rule.value}"
                )

    def _better(self, number: float) -> float:
        if self._best is None:
            return number
        if self._objective.type == "maximize":
            return max(self._best, number)
        return min(self._best, number) if self._objective.type == "minimize" else self._best


_THAN = {"equal": "to", "less": "than", "greater": "than"}


def _is_met(rule: Rule, number: float) -> bool:
    wanted = finite(rule.value)
    if wanted is None:
        return False
    return {
        "equal": number == wanted,
        "less": number < wanted,
        "greater": number > wanted,
    }.get(rule.comparison, False)
