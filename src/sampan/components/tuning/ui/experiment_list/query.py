"""What can be asked of the list of experiments. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sampan.components.tuning.api.summary import State, Summary
from sampan.ui.table.narrowing import Narrowing

_KEYS: Mapping[str, Callable[[Summary], Any]] = {
    "name": lambda each: each.name,
    "state": lambda each: each.state,
    "created": lambda each: each.created,
    "algorithm": lambda each: each.algorithm,
    "trials": lambda each: each.done,
    "best": lambda each: each.best_value,
}


def _words(each: Summary) -> tuple[str, ...]:
    names = (parameter.name for parameter in each.parameters)
    return (each.name, each.algorithm, each.objective.metric, *names)


NARROWING = Narrowing(
    _KEYS,
    states=frozenset(map(str, State)),
    kind_of=lambda each: each.algorithm,
    kind_word="algorithm",
    words=_words,
)
