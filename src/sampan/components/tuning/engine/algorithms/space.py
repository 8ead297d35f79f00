"""The space of an experiment: how each parameter's values as text become numbers that a sampler searches, and back.

Every parameter is given to samplers as one of three plain kinds (`Span`): a real interval, a range of whole numbers, or
one of several choices. Distributions are read as upstream's services read them (kubeflow/katib 0.19
pkg/suggestion/v1beta1/{hyperopt,optuna}/base_service.py): normal has its mean in the middle and three standard
deviations to each side, logNormal likewise in the logarithm. Other than hyperopt's, ours never leave the bounds: a
normal parameter is searched by its probability, between that of min and that of max.

Pure, without libraries: checks use it in the server.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from statistics import NormalDist
from typing import Protocol

from sampan.components.tuning.api.suggesting import InvalidSettingsError, Parameter, Problem
from sampan.components.tuning.engine.conditions import conditions

Latent = float | int | str
_MOST = 2**53
"""Whole numbers above it are not all told apart as floats, which samplers compute with."""
_STANDARD = NormalDist()


@dataclass(frozen=True, slots=True)
class Span:
    """What a sampler searches."""

    low: float = 0.0
    high: float = 0.0
    """Included."""
    whole: bool = False
    log: bool = False
    step: int = 1
    """Of whole numbers."""
    choices: tuple[str, ...] = ()
    """Where there are any, the rest means nothing."""


class Dimension(Protocol):
    """One parameter. Values go there and back unchanged: `text(latent(text)) == text` for each text it makes."""

    @property
    def name(self) -> str: ...

    @property
    def span(self) -> Span: ...

    @property
    def values(self) -> int | None:
        """How many different ones there are; None where they are not counted."""
        ...

    def text(self, latent: Latent) -> str: ...

    def latent(self, text: str) -> Latent:
        """Raises ValueError for what is not in the space."""
        ...

    def nth(self, index: int) -> str:
        """Of the counted values, in their order."""
        ...


@dataclass(frozen=True, slots=True)
class Choice:
    """`categorical` and `discrete`: what was listed, as it was written."""

    name: str
    listed: tuple[str, ...]

    @property
    def span(self) -> Span:
        return Span(choices=self.listed)

    @property
    def values(self) -> int:
        return len(self.listed)

    def text(self, latent: Latent) -> str:
        return str(latent)

    def latent(self, text: str) -> str:
        if text not in self.listed:
            raise ValueError(f"{text} is not in the list of {self.name}")
        return text

    def nth(self, index: int) -> str:
        return self.listed[index]


@dataclass(frozen=True, slots=True)
class Range:
    """`int` and `double` between min and max, evenly or in the logarithm, in steps or without.

    A step of whole numbers may have a fraction: what it comes to is cut off, as with hyperopt (`base_service.convert`).
    """

    name: str
    low: Decimal
    high: Decimal
    step: Decimal | None
    whole: bool
    log: bool

    @property
    def values(self) -> int | None:
        return None if self.step is None else int((self.high - self.low) // self.step) + 1

    @property
    def span(self) -> Span:
        count = self.values
        if self.log or count is None:
            low, high = float(self.low), float(self.high)
            return Span(low, high, whole=self.whole and self.step == 1, log=self.log)
        if self._is_even:
            assert self.step is not None
            top = self.low + (count - 1) * self.step
            return Span(float(self.low), float(top), whole=True, step=int(self.step))
        return Span(0.0, float(count - 1), whole=True)

    @property
    def _is_even(self) -> bool:
        """Whether its steps lead from whole number to whole number."""
        return self.whole and self.step is not None and self.step == int(self.step)

    def text(self, latent: Latent) -> str:
        if self.step is None or self.log or self._is_even:
            return self.nearest(float(latent))
        return self.nth(min(max(int(latent), 0), (self.values or 1) - 1))

    def latent(self, text: str) -> Latent:
        value = _decimal(text)
        if not self.low <= value <= self.high:
            raise ValueError(f"{text} is not between {self.low} and {self.high}, the bounds of {self.name}")
        if self._is_even or (self.whole and self.log):
            return int(value)
        if self.step is None or self.log:
            return float(value)
        place = (value - self.low) / self.step
        return math.ceil(place) if self.whole else round(place)

    def nth(self, index: int) -> str:
        assert self.step is not None
        value = self.low + index * self.step
        return str(int(value)) if self.whole else _float_text(float(value))

    def nearest(self, value: float) -> str:
        """Of what the range holds."""
        if self.step is None:
            return _float_text(min(max(value, float(self.low)), float(self.high)))
        index = round((Decimal(value) - self.low) / self.step)
        return self.nth(min(max(index, 0), (self.values or 1) - 1))


@dataclass(frozen=True, slots=True)
class Normal:
    """`normal` and `logNormal`: searched by probability."""

    range: Range

    @property
    def name(self) -> str:
        return self.range.name

    @property
    def values(self) -> int | None:
        return self.range.values

    @property
    def span(self) -> Span:
        return Span(_STANDARD.cdf(-3), _STANDARD.cdf(3))

    def text(self, latent: Latent) -> str:
        low, high = self._bounds()
        value = (low + high) / 2 + _STANDARD.inv_cdf(float(latent)) * (high - low) / 6
        return self.range.nearest(math.exp(value) if self.range.log else value)

    def latent(self, text: str) -> float:
        value = float(self._checked(text))
        low, high = self._bounds()
        at = math.log(value) if self.range.log else value
        if high == low:
            return 0.5
        return _STANDARD.cdf(min(max((at - (low + high) / 2) * 6 / (high - low), -3), 3))

    def nth(self, index: int) -> str:
        return self.range.nth(index)

    def _checked(self, text: str) -> Decimal:
        value = _decimal(text)
        if not self.range.low <= value <= self.range.high:
            raise ValueError(f"{text} is outside of the bounds of {self.name}")
        return value

    def _bounds(self) -> tuple[float, float]:
        low, high = float(self.range.low), float(self.range.high)
        return (math.log(low), math.log(high)) if self.range.log else (low, high)


def at(span: Span, unit: float) -> Latent:
    """Where a number from 0 to below 1 lies in a span, each value being as likely as the next (in the logarithm)."""
    if span.choices:
        return span.choices[min(int(unit * len(span.choices)), len(span.choices) - 1)]
    if span.log:
        # Whole numbers get the width of their rounding at each end, as in between.
        edge = 0.5 if span.whole else 0.0
        low, high = math.log(span.low - edge), math.log(span.high + edge)
        value = min(max(math.exp(low + unit * (high - low)), span.low), span.high)
        return round(value) if span.whole else value
    if span.whole:
        count = (int(span.high) - int(span.low)) // span.step + 1
        return int(span.low) + min(int(unit * count), count - 1) * span.step
    return min(span.low + unit * (span.high - span.low), span.high)


def unit(span: Span, latent: Latent) -> float:
    """The middle of the numbers that `at` takes to this value."""
    if span.choices:
        return (span.choices.index(str(latent)) + 0.5) / len(span.choices)
    value = float(latent)
    if span.log:
        edge = 0.5 if span.whole else 0.0
        low, high = math.log(span.low - edge), math.log(span.high + edge)
        return (math.log(value) - low) / (high - low) if high > low else 0.5
    edge = span.step / 2 if span.whole else 0.0
    low, high = span.low - edge, span.high + edge
    return (value - low) / (high - low) if high > low else 0.5


def dimensions(parameters: Sequence[Parameter]) -> tuple[Dimension, ...]:
    """Raises InvalidSettingsError, which names the parameter."""
    made: dict[str, Dimension] = {}
    for parameter in parameters:
        if parameter.name in made:
            raise InvalidSettingsError(f"Detect duplicated parameter name: {parameter.name}")
        try:
            made[parameter.name] = _dimension(parameter)
        except ValueError as error:
            raise InvalidSettingsError(f"parameter {parameter.name}: {error}") from None
    return tuple(made.values())


def _dimension(parameter: Parameter) -> Dimension:
    space = parameter.space
    if parameter.type in ("categorical", "discrete"):
        if not space.list:
            raise ValueError(f"feasibleSpace.list must not be empty for a {parameter.type} parameter")
        return Choice(parameter.name, tuple(dict.fromkeys(space.list)))
    if parameter.type not in ("double", "int"):
        raise ValueError(
            f"parameterType {parameter.type or '(none)'} is not one of double, int, discrete, categorical"
        )
    whole = parameter.type == "int"
    low, high = _bound(space.min, "min", whole), _bound(space.max, "max", whole)
    step = _step(space.step, whole)
    log = space.distribution in ("logUniform", "logNormal")
    if low > high:
        raise ValueError(f"feasibleSpace.max {space.max} must not be less than min {space.min}")
    if step is not None and step <= 0:
        raise ValueError(f"feasibleSpace.step {space.step} must be greater than zero")
    if log and low <= 0:
        raise ValueError(f"feasibleSpace.min {space.min} must be greater than zero for {space.distribution}")
    if step is not None and (high - low) / step > _MOST:
        if whole:
            raise ValueError("feasibleSpace has more whole numbers than a double can tell apart")
        step = None  # Finer than a float can tell.
    made = Range(parameter.name, low, high, step, whole, log)
    return Normal(made) if space.distribution in ("normal", "logNormal") else made


def _step(text: str, whole: bool) -> Decimal | None:
    if not text:
        return Decimal(1) if whole else None
    try:
        found = _decimal(text)
    except ValueError:
        raise ValueError(f"feasibleSpace.step {text} must be a number") from None
    # Between whole numbers there is nothing to step on.
    return Decimal(1) if whole and 0 < found < 1 else found


def _bound(text: str, field: str, whole: bool) -> Decimal:
    try:
        value = Decimal(int(text)) if whole else _decimal(text)
    except ValueError:
        kind = "a whole number" if whole else "a number"
        raise ValueError(f"feasibleSpace.{field} {text or '(none)'} must be {kind}") from None
    if whole and abs(value) > _MOST:
        raise ValueError(f"feasibleSpace.{field} {text} is larger than what a double counts exactly")
    return value


def _decimal(text: str) -> Decimal:
    """Of a number that a finite float can hold."""
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        raise ValueError(f"{text} is not a number") from None
    if not value.is_finite() or not math.isfinite(float(value)):
        raise ValueError(f"{text} is not a finite number")
    return value


def _float_text(value: float) -> str:
    return repr(float(value))


def size(space: Sequence[Dimension]) -> int:
    """How many combinations there are, of dimensions whose values are counted."""
    return math.prod(each.values or 1 for each in space)


def combination(space: Sequence[Dimension], index: int) -> dict[str, str]:
    """Of all combinations, numbered; the last parameter changes first."""
    values: dict[str, str] = {}
    for each in reversed(space):
        index, place = divmod(index, each.values or 1)
        values[each.name] = each.nth(place)
    return {each.name: values[each.name] for each in space}


def distinct(problem: Problem) -> list[int]:
    """The numbers of the combinations that conditions between parameters leave different from each other."""
    space, found = dimensions(problem.parameters), conditions(problem)
    every = range(size(space))
    return [index for index in every if (values := combination(space, index)) == found.settled(values)]
