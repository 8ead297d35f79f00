"""Settings of algorithms: names, types and limits in tables, read in one way and refused with upstream's words.

Source of the words: kubeflow/katib 0.19 pkg/suggestion/v1beta1/{hyperopt,optuna,skopt}/service.py. Used by checks,
which run in the server, and by the algorithms, which read the same tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sampan.components.tuning.api.suggesting import InvalidSettingsError, Problem


@dataclass(frozen=True, slots=True)
class Setting:
    read: Callable[[str], Any]
    """Raises ValueError."""
    allows: Callable[[Any], bool] = lambda value: True
    complaint: str = ""
    """`{name}` and `{value}` are filled in."""
    more: str = ""
    """What upstream does not say: it follows the complaint."""
    argument: str = ""
    """What the library calls it, where that is another name."""


Table = Mapping[str, Setting]


def read(problem: Problem, table: Table) -> dict[str, Any]:
    """The settings given, by the library's names. Raises InvalidSettingsError, which names the setting."""
    values: dict[str, Any] = {}
    for name, text in problem.settings.items():
        setting = table.get(name)
        if setting is None:
            known = f"; it has {', '.join(sorted(table))}" if table else "; it has no settings"
            raise InvalidSettingsError(f"unknown setting {name} for algorithm {problem.algorithm}", known)
        values[setting.argument or name] = _read_one(name, text, setting)
    return values


def _read_one(name: str, text: str, setting: Setting) -> Any:
    try:
        value = setting.read(text.strip())
        allowed = setting.allows(value)
    except (ValueError, OverflowError) as error:
        raise InvalidSettingsError(f"failed to validate {name}({text}): {error}") from None
    if not allowed:
        raise InvalidSettingsError(setting.complaint.format(name=name, value=text), setting.more)
    return value


def at_least(least: float, complaint: str, argument: str = "", *, whole: bool = True) -> Setting:
    read = int if whole else _finite
    return Setting(read, lambda value: value >= least, complaint, argument=argument)


def above(limit: float, complaint: str, argument: str = "", *, whole: bool = True) -> Setting:
    read = int if whole else _finite
    return Setting(read, lambda value: value > limit, complaint, argument=argument)


def one_of(values: tuple[str, ...], complaint: str, more: str = "") -> Setting:
    return Setting(str, values.__contains__, complaint, more)


def flag() -> Setting:
    return Setting(_flag)


def _finite(text: str) -> float:
    value = float(text)
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError("it must be a finite number")
    return value


def _flag(text: str) -> bool:
    lowered = text.lower()
    if lowered not in ("true", "false"):
        raise ValueError("it must be true or false")
    return lowered == "true"


RANDOM_STATE = at_least(0, "{name} should be great or equal than zero")


def at_most_32_bits(seed: int) -> int:
    """What numpy's generators take as a seed."""
    return seed % (2**32)
