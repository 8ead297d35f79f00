"""What a run is shown with when `include` asks for it: an extension of Sampan's own, for pages that show many runs.

`metrics` are its numbers by name, the highest where several steps left one of that name (what lists are sorted by);
`origin` is where it came from, by name; `parameters` are what its pipeline got, defaults among them. Of a run that is
under way, `progress` counts the steps by their states, and `waiting` is the step that has waited longest, for what, and
how many wait.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from typing import Any

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.api.wire import present
from sampan.components.pipelines.rest.dispatch import Call
from sampan.components.pipelines.store import metrics, run_origins, task_states
from sampan.components.pipelines.store.runs import RunRow


class Extra(StrEnum):
    METRICS = "metrics"
    ORIGIN = "origin"
    PROGRESS = "progress"
    WAITING = "waiting"
    PARAMETERS = "parameters"


def wanted(call: Call) -> frozenset[Extra]:
    """What the query's `include` names, separated by commas. Raises InvalidArgumentError."""
    words = [word.strip() for word in call.query.get("include", "").split(",") if word.strip()]
    for word in words:
        if word not in list(Extra):
            raise InvalidArgumentError(
                f"include may name {', '.join(Extra)}, separated by commas, but not {word[:40]!r}"
            )
    return frozenset(Extra(word) for word in words)


def of_runs(connection: Any, rows: Sequence[RunRow], extras: frozenset[Extra]) -> dict[str, dict[str, Any]]:
    """By run, the fields to add to it."""
    ids = [row.run_id for row in rows]
    numbers = metrics.of_runs(connection, ids) if Extra.METRICS in extras else {}
    origins = run_origins.of_runs(connection, rows) if Extra.ORIGIN in extras else {}
    going_on = [row.run_id for row in rows if not row.runtime_state.is_final]
    counted = task_states.counts(connection, going_on) if Extra.PROGRESS in extras and going_on else {}
    waiting = task_states.waiting(connection, going_on) if Extra.WAITING in extras and going_on else {}
    given = task_states.root_parameters(connection, ids) if Extra.PARAMETERS in extras else {}
    return {
        run_id: present(
            parameters=given.get(run_id),
            metrics=_highest(numbers.get(run_id, ())),
            origin=origins.get(run_id),
            progress=counted.get(run_id),
            waiting=asdict(waiting[run_id]) if run_id in waiting else None,
        )
        for run_id in ids
    }


def _highest(found: Sequence[metrics.MetricRow]) -> dict[str, float]:
    highest: dict[str, float] = {}
    for each in found:
        highest[each.name] = max(each.number_value, highest.get(each.name, each.number_value))
    return highest
