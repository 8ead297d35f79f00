"""What of all experiments is shown, in which order: from the address, and back. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sampan.components.tuning.api.summary import State, Summary
from sampan.ui.table.ordering import in_order

_STATES = {state.value: state for state in State}
_KEYS: Mapping[str, Callable[[Summary], Any]] = {
    "name": lambda each: each.name,
    "state": lambda each: each.state,
    "created": lambda each: each.created,
    "algorithm": lambda each: each.algorithm,
    "trials": lambda each: each.done,
    "best": lambda each: each.best_value,
}


@dataclass(frozen=True, slots=True)
class Wanted:
    text: str = ""
    states: tuple[str, ...] = ()
    algorithm: str = ""
    sort: str = "created"
    descending: bool = True


def from_address(query: Mapping[str, str]) -> Wanted:
    """What the address says that means nothing is left out."""
    states = tuple(each for each in query.get("state", "").split(",") if each in _STATES)
    sort = query.get("sort", "")
    return Wanted(
        query.get("find", ""),
        states,
        query.get("algorithm", ""),
        sort if sort in _KEYS else "created",
        query.get("order", "desc") != "asc",
    )


def to_address(wanted: Wanted) -> dict[str, str]:
    """Empty where it is as usual."""
    return {
        "find": wanted.text,
        "state": ",".join(wanted.states),
        "algorithm": wanted.algorithm,
        "sort": "" if wanted.sort == "created" else wanted.sort,
        "order": "" if wanted.descending else "asc",
    }


def chosen(experiments: Sequence[Summary], wanted: Wanted) -> list[Summary]:
    """Those that are wanted, in order: of two alike the newer first, and those without a value last."""
    text = wanted.text.lower()
    found = [
        each
        for each in experiments
        if (not wanted.states or each.state in wanted.states)
        and (not wanted.algorithm or each.algorithm == wanted.algorithm)
        and (not text or any(text in word.lower() for word in _words(each)))
    ]
    found.sort(key=lambda each: (each.created, each.name), reverse=True)
    return in_order(found, _KEYS, wanted.sort, descending=wanted.descending)


def _words(each: Summary) -> tuple[str, ...]:
    names = (parameter.name for parameter in each.parameters)
    return (each.name, each.algorithm, each.objective.metric, *names)
