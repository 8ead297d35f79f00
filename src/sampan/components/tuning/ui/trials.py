"""The trials of an experiment as its page has them: from the columns of `/tuning/v1/…/trials`. Pure.

Ten thousand of them are an everyday number here: what is made of each is made once for an answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sampan.components.tuning.api.summary import TrialState, trial_state

Given = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Trial:
    number: int
    """From 1, in the order in which they were made."""
    name: str
    state: TrialState
    reason: str
    message: str
    created: float
    """Seconds since 1970; 0 for what is not known, or has not been yet."""
    started: float
    ended: float
    parameters: Mapping[str, str]
    metrics: Mapping[str, float | None]

    @property
    def seconds(self) -> float | None:
        return self.ended - self.started if self.ended and self.started else None


@dataclass(frozen=True, slots=True)
class Goal:
    """One of the objectives."""

    metric: str
    kind: str
    """`minimize` or `maximize`."""
    goal: float | None = None

    @property
    def is_lower_better(self) -> bool:
        return self.kind != "maximize"

    def is_better(self, one: float, other: float) -> bool:
        return one < other if self.is_lower_better else one > other


@dataclass(frozen=True, slots=True)
class Trials:
    """As the API has them now."""

    items: Sequence[Trial] = ()
    parameters: Sequence[str] = ()
    metrics: Sequence[str] = ()
    """The objectives' first."""
    goals: Sequence[Goal] = ()
    """The objective, or several."""
    best: str = ""
    by_name: Mapping[str, Trial] = field(default_factory=dict)
    found: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)
    """What was found out about them all, kept for the next chart that asks (`plots.axes`)."""

    @property
    def goal(self) -> Goal:
        return self.goals[0] if self.goals else Goal("", "minimize")

    def value(self, trial: Trial) -> float | None:
        """Of the first objective."""
        return trial.metrics.get(self.goal.metric)

    @property
    def measured(self) -> list[Trial]:
        """Those that count, with a value of the first objective: as they came."""
        metric = self.goal.metric
        return [
            each
            for each in self.items
            if each.metrics.get(metric) is not None and each.state not in _NOT_COUNTED
        ]


_NOT_COUNTED = (TrialState.FAILED, TrialState.KILLED, TrialState.METRICS_UNAVAILABLE)


def of_columns(answer: Given) -> Trials:
    columns: Mapping[str, Sequence[Any]] = answer.get("columns") or {}
    names = columns.get("name") or ()
    parameters: Mapping[str, Sequence[str]] = answer.get("parameters") or {}
    metrics: Mapping[str, Sequence[float | None]] = answer.get("metrics") or {}
    of_parameters = _by_row(parameters, len(names))
    of_metrics = _by_row(metrics, len(names))
    nothing = [None] * len(names)
    rows = zip(
        names,
        *(
            columns.get(key) or nothing
            for key in ("state", "reason", "message", "created", "started", "ended")
        ),
        of_parameters,
        of_metrics,
        strict=True,
    )
    items = [
        Trial(
            number,
            name,
            trial_state(state or ""),
            reason or "",
            message or "",
            created or 0.0,
            started or 0.0,
            ended or 0.0,
            row_parameters,
            row_metrics,
        )
        for number, (name, state, reason, message, created, started, ended, row_parameters, row_metrics) in (
            enumerate(rows, 1)
        )
    ]
    goals = _goals(answer)
    first = [goal.metric for goal in goals]
    return Trials(
        items,
        list(parameters),
        [*first, *(name for name in metrics if name not in first)],
        goals,
        str(answer.get("best") or ""),
        {each.name: each for each in items},
    )


def _by_row(columns: Mapping[str, Sequence[Any]], count: int) -> list[dict[str, Any]]:
    """What a row has nothing of (an empty text, too) is not in it."""
    if not columns:
        return [{} for _ in range(count)]
    names = list(columns)
    return [
        {name: value for name, value in zip(names, values, strict=True) if value not in (None, "")}
        for values in zip(*columns.values(), strict=True)
    ]


def _goals(answer: Given) -> list[Goal]:
    main: Given = answer.get("objective") or {}
    told = answer.get("objectives") or [main]
    goal = main.get("goal")
    return [
        Goal(str(each.get("metric") or ""), str(each.get("type") or ""), goal if not at else None)
        for at, each in enumerate(told)
    ]


def rfc3339(seconds: float) -> str:
    """Empty for none."""
    if not seconds:
        return ""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
