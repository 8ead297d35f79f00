"""Experiments in a list, each in a few fields: their status names every trial, which a list has no use for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sampan.client.protocol import Client, ListOptions
from sampan.components.tuning.api import labels
from sampan.components.tuning.api.kinds import EXPERIMENTS
from sampan.components.tuning.api.reading import counted, metrics_of, named_values, objective_of
from sampan.components.tuning.rest.columns import number, objective_fields, seconds, state_of
from sampan.kube import meta
from sampan.kube.meta import Object

_PAGE = 500
_COUNTS = {
    "trials": "trials",
    "running": "trialsRunning",
    "pending": "trialsPending",
    "succeeded": "trialsSucceeded",
    "failed": "trialsFailed",
    "killed": "trialsKilled",
    "earlyStopped": "trialsEarlyStopped",
    "metricsUnavailable": "trialMetricsUnavailable",
}


async def overview(client: Client, namespace: str | None) -> dict[str, Any]:
    """Of one namespace, or of all. Raises ApiError."""
    return {"items": [summary(each) for each in await every_experiment(client, namespace)]}


async def every_experiment(client: Client, namespace: str | None) -> list[Object]:
    """Raises ApiError."""
    items: list[Object] = []
    token = ""
    while True:
        options = ListOptions(limit=_PAGE, continue_token=token)
        page = await client.list(EXPERIMENTS, namespace, options)
        items += page.items
        token = page.continue_token
        if not token:
            return items


def summary(experiment: Object) -> dict[str, Any]:
    """Pure."""
    spec, status = meta.spec(experiment), meta.status(experiment)
    state, reason, message = state_of(experiment)
    return {
        "name": meta.name(experiment),
        "namespace": meta.namespace(experiment),
        "uid": meta.uid(experiment),
        "created": seconds(meta.metadata(experiment).get("creationTimestamp")),
        "started": seconds(status.get("startTime")),
        "ended": seconds(status.get("completionTime")),
        "state": state,
        "reason": reason,
        "message": message,
        "algorithm": _name(spec.get("algorithm")),
        "earlyStopping": _name(spec.get("earlyStopping")),
        "kind": "nas" if spec.get("nasConfig") else "hp",
        "trialsIn": meta.annotations(experiment).get(labels.TRIALS_IN, ""),
        "objective": objective_fields(objective_of(spec)),
        **{name: spec.get(name) for name in ("maxTrialCount", "parallelTrialCount", "maxFailedTrialCount")},
        "counts": {name: status.get(field) or 0 for name, field in _COUNTS.items()},
        "best": _best(experiment),
    }


def _best(experiment: Object) -> dict[str, Any] | None:
    best = meta.status(experiment).get("currentOptimalTrial")
    if not isinstance(best, Mapping) or not best.get("bestTrialName"):
        return None
    objective = objective_of(meta.spec(experiment))
    metric = metrics_of(best.get("observation")).get(objective.metric)
    return {
        "trial": str(best["bestTrialName"]),
        "value": number(counted(objective, metric)) if metric else None,
        "parameters": named_values(best.get("parameterAssignments")),
    }


def _name(algorithm: Any) -> str:
    return str(algorithm.get("algorithmName") or "") if isinstance(algorithm, Mapping) else ""
