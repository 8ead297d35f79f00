"""The trials of an experiment, narrowed, in order, as rows of a table. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sampan.components.tuning.api.summary import TrialState
from sampan.components.tuning.ui import places, states
from sampan.components.tuning.ui.trials import Trial, Trials, rfc3339
from sampan.ui.charts.figure import shown
from sampan.ui.table import cells
from sampan.ui.table.cells import Cell
from sampan.ui.table.table import Column, Row

Href = Callable[[str], str]
_MOST_PARAMETERS = 12
_MOST_METRICS = 6
PARAMETER, METRIC = "p:", "m:"
"""Before the name of a parameter or metric, in the key of its column."""
_STATES = frozenset(state.value for state in TrialState)


@dataclass(frozen=True, slots=True)
class Wanted:
    text: str = ""
    states: tuple[str, ...] = ()
    names: tuple[str, ...] | None = None
    """Of these trials only, such as those that are kept in a chart."""
    sort: str = "number"
    descending: bool = True


def from_address(query: Mapping[str, str]) -> Wanted:
    return Wanted(
        query.get("find", ""),
        tuple(each for each in query.get("state", "").split(",") if each in _STATES),
        None,
        query.get("sort", "") or "number",
        query.get("order", "desc") != "asc",
    )


def to_address(wanted: Wanted) -> dict[str, str]:
    return {
        "find": wanted.text,
        "state": ",".join(wanted.states),
        "sort": "" if wanted.sort == "number" else wanted.sort,
        "order": "" if wanted.descending else "asc",
    }


def columns(trials: Trials) -> list[Column]:
    """A column for each parameter and metric, up to as many as can be read."""
    return [
        Column("name", "Trial", sort="number"),
        Column("state", "State", sort="state"),
        *(
            Column(METRIC + name, name, sort=METRIC + name, number=True)
            for name in trials.metrics[:_MOST_METRICS]
        ),
        *(
            Column(PARAMETER + name, name, sort=PARAMETER + name)
            for name in trials.parameters[:_MOST_PARAMETERS]
        ),
        Column("created", "Created", sort="created"),
        Column("duration", "Took", sort="duration", number=True),
    ]


def chosen(trials: Trials, wanted: Wanted) -> list[Trial]:
    """Those that are wanted, in order; those without a value of what they are sorted by are last."""
    text = wanted.text.lower()
    kept = None if wanted.names is None else frozenset(wanted.names)
    found = [
        each
        for each in trials.items
        if (not wanted.states or each.state in wanted.states)
        and (kept is None or each.name in kept)
        and (not text or _has(each, text))
    ]
    key = _key(wanted.sort)
    known = [(value, each.number, each) for each in found if (value := key(each)) is not None]
    known.sort(key=lambda each: each[:2], reverse=wanted.descending)
    if len(known) == len(found):
        return [each for _, _, each in known]
    return [*(each for _, _, each in known), *(each for each in found if key(each) is None)]


def row(trial: Trial, trials: Trials, namespace: str, href: Href) -> Row:
    word, tone, icon = states.of_trial(trial.state)
    why = trial.message or trial.reason
    if trial.state in (TrialState.SUCCEEDED, TrialState.RUNNING):
        why = ""
    second = "best so far" if trial.name == trials.best else ""
    found: dict[str, Cell] = {
        "name": cells.link(
            trial.name, href(places.trial(namespace, trial.name)), second, "star" if second else ""
        ),
        "state": cells.state(word, tone, icon, why, states.cut(why)),
        "created": cells.time(rfc3339(trial.created)),
        "duration": cells.duration(rfc3339(trial.started), rfc3339(trial.ended)),
    }
    for name in trials.metrics[:_MOST_METRICS]:
        value = trial.metrics.get(name)
        found[METRIC + name] = cells.number(None, "" if value is None else shown(float(value)))
    for name in trials.parameters[:_MOST_PARAMETERS]:
        found[PARAMETER + name] = states.value(trial.parameters.get(name))
    return Row(trial.name, found, name=trial.name)


def _has(trial: Trial, text: str) -> bool:
    if text in trial.name.lower() or text in trial.message.lower():
        return True
    return any(
        text in value.lower() or text in f"{name}={value}".lower() for name, value in trial.parameters.items()
    )


def _key(sort: str) -> Callable[[Trial], Any]:
    if sort.startswith(METRIC):
        name = sort.removeprefix(METRIC)
        return lambda each: each.metrics.get(name)
    if sort.startswith(PARAMETER):
        return _parameter_key(sort.removeprefix(PARAMETER))
    return _KEYS.get(sort, _KEYS["number"])


def _parameter_key(name: str) -> Callable[[Trial], Any]:
    def key(trial: Trial) -> tuple[int, float, str] | None:
        text = trial.parameters.get(name)
        if text is None:
            return None
        try:
            return (0, float(text), "")
        except ValueError:
            return (1, 0.0, text)

    return key


_KEYS: Mapping[str, Callable[[Trial], Any]] = {
    "number": lambda each: each.number,
    "state": lambda each: each.state.value,
    "created": lambda each: each.created or None,
    "duration": lambda each: each.seconds,
}
