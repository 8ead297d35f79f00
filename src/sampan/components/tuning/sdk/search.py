"""What a parameter may be: the words of a search space. Pure.

    space = {
        "lr": search.loguniform(1e-5, 1e-1),
        "layers": search.int(1, 8),
        "width": search.choice([32, 64, 128]),
        "momentum": search.normal(0.9, 0.02),
        "optimizer": search.choice(["sgd", "adam"]),
    }

`double`, `int` and `categorical` are those of kubeflow-katib 0.19 (`kubeflow.katib.search`), `uniform`, `loguniform`
and `choice` those of kubeflow 0.5 (`kubeflow.optimizer.Search`); the rest are Katib's distributions
(`FeasibleSpace.distribution` of its API).
"""
# Names and arguments are upstream's, of which some are Python's own too.
# ruff: noqa: A001, A002

from __future__ import annotations

import builtins
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class SpaceError(ValueError):
    """A parameter's space makes no sense. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Space:
    """Of one parameter: what Katib is told, and how its text becomes the value that a function gets."""

    type: str
    """`double`, `int`, `discrete` or `categorical`."""
    min: str = ""
    max: str = ""
    step: str = ""
    distribution: str = ""
    choices: tuple[Any, ...] = ()

    def to_json(self, name: str) -> dict[str, Any]:
        """As an experiment has it."""
        feasible: dict[str, Any] = {
            key: value
            for key, value in (
                ("min", self.min),
                ("max", self.max),
                ("step", self.step),
                ("distribution", self.distribution),
                ("list", [text_of(each) for each in self.choices]),
            )
            if value
        }
        return {"name": name, "parameterType": self.type, "feasibleSpace": feasible}

    def reading(self) -> dict[str, Any]:
        """How the program in the pod turns text into a value: see `program.TRIAL`."""
        return {"type": self.type, "choices": {text_of(each): each for each in self.choices}}


def uniform(min: float, max: float, *, step: float | None = None) -> Space:
    """A number between `min` and `max`, both included, in steps where one is given."""
    return _numbers("double", min, max, step, "uniform")


def loguniform(min: float, max: float, *, step: float | None = None) -> Space:
    """A number whose logarithm is uniform: as likely between 0.001 and 0.01 as between 0.01 and 0.1."""
    if min <= 0:
        raise SpaceError(f"loguniform: min must be more than 0, not {min}")
    return _numbers("double", min, max, step, "logUniform")


def double(min: float, max: float, step: float | None = None) -> Space:
    """`uniform`, as kubeflow-katib calls it."""
    return uniform(min, max, step=step)


def int(
    min: builtins.int, max: builtins.int, step: builtins.int | None = None, *, log: bool = False
) -> Space:
    """A whole number between `min` and `max`, both included; `log` makes its logarithm uniform."""
    for name, value in (("min", min), ("max", max), ("step", step)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, builtins.int)):
            raise SpaceError(f"int: {name} must be a whole number, not {value!r}")
    if log and min <= 0:
        raise SpaceError(f"int: with log=True min must be more than 0, not {min}")
    return _numbers("int", min, max, step, "logUniform" if log else "uniform")


def normal(mean: float, sigma: float, *, step: float | None = None) -> Space:
    """A number about `mean`: within three standard deviations to each side."""
    if not sigma > 0:
        raise SpaceError(f"normal: sigma must be more than 0, not {sigma}")
    return _numbers("double", mean - 3 * sigma, mean + 3 * sigma, step, "normal")


def lognormal(mean: float, sigma: float, *, step: float | None = None) -> Space:
    """A number whose logarithm is normal with this mean and standard deviation."""
    if not sigma > 0:
        raise SpaceError(f"lognormal: sigma must be more than 0, not {sigma}")
    try:
        low, high = math.exp(mean - 3 * sigma), math.exp(mean + 3 * sigma)
    except OverflowError:
        raise SpaceError(
            f"lognormal: exp({mean} + 3 * {sigma}) is no number: mean is the logarithm's"
        ) from None
    return _numbers("double", low, high, step, "logNormal")


def choice(values: Sequence[Any]) -> Space:
    """One of `values`, in no order; they may be anything that is told apart by its text."""
    return _listed("categorical", values)


def categorical(list: Sequence[Any]) -> Space:
    """`choice`, as kubeflow-katib calls it."""
    return choice(list)


def discrete(values: Sequence[float]) -> Space:
    """One of these numbers, whose order means something."""
    for each in values:
        if isinstance(each, bool) or not isinstance(each, builtins.int | float) or not math.isfinite(each):
            raise SpaceError(f"discrete: {each!r} is no number; use choice")
    return _listed("discrete", sorted(values))


def read_space(found: Mapping[str, Any]) -> dict[str, Space]:
    """A space as it may be given: ours, kubeflow-katib's, kubeflow's, or a list of values. Raises SpaceError."""
    if not found:
        raise SpaceError("the space is empty: give it a parameter, as {'lr': search.loguniform(1e-5, 1e-1)}")
    return {name: _read(str(name), each) for name, each in found.items()}


def text_of(value: Any) -> str:
    """As Katib has a choice: texts as they are, anything else as JSON or as Python shows it."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value)
    except (TypeError, ValueError):
        return repr(value)


def _read(name: str, found: Any) -> Space:
    if isinstance(found, Space):
        return found
    if isinstance(found, list | tuple | set | frozenset | range):
        return choice(list(found))
    spec = getattr(found, "feasible_space", None)
    kind = getattr(found, "parameter_type", "")
    if spec is not None and kind:
        return Space(
            getattr(kind, "value", str(kind)),
            str(getattr(spec, "min", None) or ""),
            str(getattr(spec, "max", None) or ""),
            str(getattr(spec, "step", None) or ""),
            _plain(getattr(spec, "distribution", None)),
            tuple(getattr(spec, "list", None) or ()),
        )
    raise SpaceError(f"{name}: {found!r} is no space; use search.uniform, loguniform, int, choice or a list")


def _plain(found: Any) -> str:
    return str(getattr(found, "value", found) or "")


def _numbers(type_: str, low: float, high: float, step: float | None, distribution: str) -> Space:
    for name, value in (("min", low), ("max", high)):
        if isinstance(value, bool) or not isinstance(value, builtins.int | float) or not math.isfinite(value):
            raise SpaceError(f"{name} must be a number, not {value!r}")
    if not low < high:
        raise SpaceError(f"min must be less than max, not {low} and {high}")
    if step is not None and not step > 0:
        raise SpaceError(f"step must be more than 0, not {step}")
    return Space(type_, repr(low), repr(high), "" if step is None else repr(step), distribution)


def _listed(type_: str, values: Sequence[Any]) -> Space:
    found = tuple(values)
    texts = [text_of(each) for each in found]
    if not found:
        raise SpaceError("there is nothing to choose from")
    if twice := next((text for text in texts if texts.count(text) > 1), None):
        raise SpaceError(f"{twice!r} is there twice, or two values have that text")
    return Space(type_, choices=found)
