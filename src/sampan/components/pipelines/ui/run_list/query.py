"""What of all runs is listed: the address of the page on one side, the query of the API on the other. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sampan.lib.clock import rfc3339

PAGE_SIZE = 50
STATES = ("PENDING", "RUNNING", "PAUSED", "CANCELING", "SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")
SPANS: Mapping[str, tuple[str, timedelta]] = {
    "1h": ("Last hour", timedelta(hours=1)),
    "24h": ("Last 24 hours", timedelta(days=1)),
    "7d": ("Last 7 days", timedelta(days=7)),
    "30d": ("Last 30 days", timedelta(days=30)),
}
METRIC = "metric:"
"""Before a metric's name, where something is sorted by it: in the API and in the address."""
_SORTED_BY = ("created_at", "finished_at", "name", "state")
_EQUALS, _AT_LEAST, _IN, _CONTAINS = "EQUALS", "GREATER_THAN_EQUALS", "IN", "IS_SUBSTRING"


@dataclass(frozen=True, slots=True)
class RunQuery:
    """Empty fields do not narrow the list."""

    text: str = ""
    """Anywhere in the name, whatever its case."""
    states: tuple[str, ...] = ()
    experiment: str = ""
    """Its id; so of the others."""
    pipeline: str = ""
    version: str = ""
    recurring: str = ""
    span: str = ""
    """A key of `SPANS`."""
    sort: str = "created_at"
    descending: bool = True
    metrics: tuple[str, ...] = ()
    """Names of metrics that have columns."""

    @property
    def is_narrowed(self) -> bool:
        return any(
            (self.text, self.states, self.experiment, self.pipeline, self.version, self.recurring, self.span)
        )


def from_address(query: Mapping[str, str]) -> RunQuery:
    """What does not make sense is as if it were not there."""
    sort, _, direction = query.get("sort", "").partition(" ")
    is_known = sort in _SORTED_BY or (sort.startswith(METRIC) and len(sort) > len(METRIC))
    return RunQuery(
        text=query.get("q", ""),
        states=tuple(state for state in _listed(query.get("state", "")) if state in STATES),
        experiment=query.get("experiment", ""),
        pipeline=query.get("pipeline", ""),
        version=query.get("version", ""),
        recurring=query.get("recurring", ""),
        span=query.get("since", "") if query.get("since", "") in SPANS else "",
        sort=sort if is_known else "created_at",
        descending=direction != "asc" if is_known else True,
        metrics=tuple(_listed(query.get("metrics", ""))),
    )


def to_address(wanted: RunQuery) -> dict[str, str]:
    """All of them, the empty ones too: so that what was chosen before goes from the address."""
    order = f"{wanted.sort} {'desc' if wanted.descending else 'asc'}"
    return {
        "q": wanted.text,
        "state": ",".join(wanted.states),
        "experiment": wanted.experiment,
        "pipeline": wanted.pipeline,
        "version": wanted.version,
        "recurring": wanted.recurring,
        "since": wanted.span,
        "sort": "" if order == "created_at desc" else order,
        "metrics": ",".join(wanted.metrics),
    }


def to_api(wanted: RunQuery, namespace: str, now: datetime, *, archived: bool = False) -> dict[str, str]:
    """The query of the API's list, without the page's token. `now` counts to the minute: tabs ask alike."""
    storage = "ARCHIVED" if archived else "AVAILABLE"
    predicates = [_text("storage_state", _EQUALS, storage)]
    if wanted.text.strip():
        predicates.append(_text("name", _CONTAINS, wanted.text.strip()))
    if wanted.states:
        predicates.append(
            {"key": "state", "operation": _IN, "string_values": {"values": list(wanted.states)}}
        )
    for key, value in (
        ("experiment_id", wanted.experiment),
        ("pipeline_id", wanted.pipeline),
        ("pipeline_version_id", wanted.version),
        ("recurring_run_id", wanted.recurring),
    ):
        if value:
            predicates.append(_text(key, _EQUALS, value))
    if wanted.span in SPANS:
        since = now.replace(second=0, microsecond=0) - SPANS[wanted.span][1]
        predicates.append({"key": "created_at", "operation": _AT_LEAST, "timestamp_value": rfc3339(since)})
    return {
        "namespace": namespace,
        "page_size": str(PAGE_SIZE),
        "sort_by": f"{wanted.sort} {'desc' if wanted.descending else 'asc'}",
        "filter": json.dumps({"predicates": predicates}),
        "include": "metrics,origin,progress,waiting",
    }


def metric_names(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Those that any of these runs has."""
    return sorted({name for run in runs for name in run.get("metrics", {})})


def _text(key: str, operation: str, value: str) -> dict[str, Any]:
    return {"key": key, "operation": operation, "string_value": value}


def _listed(text: str) -> list[str]:
    return [each for each in text.split(",") if each]
