"""Parameters as axes of charts: numbers, their logarithms, or categories. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sampan.components.tuning.api.suggesting import Parameter
from sampan.components.tuning.ui.trials import Trial, Trials

_WIDE = 1000
"""From here on, a span of positive numbers is shown by logarithms."""
_LOG = ("logUniform", "logNormal")
_RANGES = ("double", "int")


@dataclass(frozen=True, slots=True)
class Axis:
    name: str
    kind: str
    """`value`, `log` or `category`."""
    categories: tuple[str, ...] = ()

    def value(self, text: str | None) -> float | str | None:
        """None for what has no place on it."""
        if text is None:
            return None
        if self.kind == "category":
            return text if text in self.categories else None
        found = _number(text)
        if found is None or (self.kind == "log" and found <= 0):
            return None
        return found


def of(parameters: Sequence[Parameter], trials: Trials) -> list[Axis]:
    """Of those that the experiment names, in its order; and of whatever else its trials were given that varies."""
    key = ("axes", *parameters)
    if key not in trials.found:
        trials.found[key] = _of(parameters, trials)
    return list(trials.found[key])


def _of(parameters: Sequence[Parameter], trials: Trials) -> list[Axis]:
    declared = {each.name: each for each in parameters}
    names = [*declared, *(name for name in trials.parameters if name not in declared)]
    found = []
    for name in names:
        given = [each.parameters[name] for each in trials.items if name in each.parameters]
        parameter = declared.get(name)
        if parameter is not None and parameter.type in _RANGES and (numbers := _numbers(given)) is not None:
            found.append(_range(name, parameter, numbers))
            continue
        values = list(dict.fromkeys(given))
        if parameter is None and (len(values) < 2 or any(len(each) > 64 for each in values)):
            continue
        found.append(_axis(name, parameter, values))
    return found


def _axis(name: str, parameter: Parameter | None, values: Sequence[str]) -> Axis:
    numbers = [_number(each) for each in values]
    is_category = parameter is not None and parameter.type == "categorical"
    known = [each for each in numbers if each is not None]
    if is_category or len(known) < len(numbers):
        listed = parameter.space.list if parameter is not None else ()
        return Axis(name, "category", tuple(dict.fromkeys((*listed, *values))))
    if parameter is not None and parameter.type != "discrete":
        return _range(name, parameter, known)
    return Axis(name, of_values(known))


def _range(name: str, parameter: Parameter, known: Sequence[float]) -> Axis:
    # As it is searched: a few small values do not make it a matter of logarithms.
    is_log = parameter.space.distribution in _LOG and min(known, default=1.0) > 0
    return Axis(name, "log" if is_log else "value")


def of_values(values: Sequence[float]) -> str:
    """The kind of an axis for what was measured."""
    return "log" if values and min(values) > 0 and max(values) / min(values) >= _WIDE else "value"


def sampled(trials: Trials, most: int) -> list[Trial]:
    """Of many, the best half and others from all of the time, as they came: what is drawn has a limit."""
    found = trials.measured
    if len(found) <= most:
        return found
    by_value = sorted(found, key=lambda each: _value(each.metrics, trials.goal.metric))
    if not trials.goal.is_lower_better:
        by_value.reverse()
    kept = {each.name for each in by_value[: most // 2]}
    rest = [each for each in found if each.name not in kept]
    count = most - len(kept)
    kept |= {rest[at * len(rest) // count].name for at in range(count)}
    return [each for each in found if each.name in kept]


def _value(metrics: Mapping[str, float | None], name: str) -> float:
    value = metrics.get(name)
    return math.inf if value is None else value


def _numbers(texts: Sequence[str]) -> list[float] | None:
    """Of all, as quickly as thousands can be read; None where one is no number."""
    try:
        found = list(map(float, texts))
    except (TypeError, ValueError):
        return None
    return found if all(map(math.isfinite, found)) else None


def _number(text: Any) -> float | None:
    try:
        found = float(text)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None
