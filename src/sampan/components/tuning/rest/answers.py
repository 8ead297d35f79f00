"""What `/tuning/v1/` answers about one experiment (docs/tuning-api.md): trials as columns, curves, importances.

Called by `door`, which has asked before whether the user may.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from starlette.datastructures import QueryParams

from sampan.components.tuning.api.reading import objective_of, problem_of, record_of
from sampan.components.tuning.api.suggesting import InvalidSettingsError, SuggestingError, TrialRecord
from sampan.components.tuning.engine.objectives import Goal, goals
from sampan.components.tuning.engine.pareto import front
from sampan.components.tuning.rest.columns import (
    Columns,
    in_order,
    newest_version,
    objective_fields,
)
from sampan.components.tuning.rest.curves import MOST_POINTS, curves_of
from sampan.components.tuning.rest.place import Place
from sampan.components.tuning.rest.sources import Sources
from sampan.kube import meta
from sampan.kube.errors import BadRequestError
from sampan.kube.meta import Object

_A_TURN = 500
"""Rows made before others have their turn: some ten milliseconds."""
_MOST_CURVES = 500
_CURVES = 20
_POINTS = 1000


async def trials(sources: Sources, place: Place, query: QueryParams) -> dict[str, Any]:
    experiment = await sources.trials.experiment(place.namespace, place.name)
    every = await sources.trials.of(place.namespace, place.name)
    version, since = newest_version(every), query.get("since", "")
    if since and not since.isdecimal():
        raise BadRequestError("since must be the `version` of an earlier answer")
    is_whole = not (since and version)
    chosen = every if is_whole else [each for each in every if int(meta.resource_version(each)) > int(since)]
    if "names" in query:
        names = set(query["names"].split(","))
        chosen = [each for each in chosen if meta.name(each) in names]
    columns = Columns(experiment)
    ranks = await sources.trials.ranks(place.namespace, place.name) if len(chosen) > 1 else {}
    for at, trial in enumerate(in_order(chosen, ranks)):
        if at % _A_TURN == _A_TURN - 1:
            await asyncio.sleep(0)
        columns.add(trial)
    objective = objective_of(meta.spec(experiment))
    return {
        "experiment": {
            "name": place.name,
            "namespace": place.namespace,
            "uid": meta.uid(experiment),
        },
        "objective": objective_fields(objective),
        "objectives": objectives_of(experiment),
        "version": version,
        "whole": is_whole,
        "total": len(every),
        "best": best_name(experiment),
        **columns.answer(),
    }


async def curves(sources: Sources, place: Place, query: QueryParams) -> dict[str, Any]:
    """Of several trials of an experiment."""
    every = in_order(await sources.trials.of(place.namespace, place.name), {})
    if "trials" in query:
        wanted = list(dict.fromkeys(filter(None, query["trials"].split(","))))
        if len(wanted) > _MOST_CURVES:
            raise BadRequestError(f"trials names {len(wanted)}, at most {_MOST_CURVES} are drawn at once")
        known = {meta.name(each) for each in every}
        wanted = [each for each in wanted if each in known]
    else:
        await sources.trials.experiment(place.namespace, place.name)
        wanted = [meta.name(each) for each in every[-_CURVES:]]
    return await _curves(sources, place.namespace, wanted, query)


async def trial_curves(sources: Sources, place: Place, query: QueryParams) -> dict[str, Any]:
    await sources.trial(place)
    return await _curves(sources, place.namespace, [place.name], query)


async def importances(sources: Sources, place: Place, query: QueryParams) -> dict[str, Any]:
    experiment = await sources.trials.experiment(place.namespace, place.name)
    every = in_order(await sources.trials.of(place.namespace, place.name), {})
    metric = query.get("metric") or objective_of(meta.spec(experiment)).metric
    answer: dict[str, Any] = {"metric": metric, "trials": len(every), "importances": [], "why": ""}
    try:
        found = await sources.algorithms().importances(problem_of(experiment), await _records(every), metric)
    except (InvalidSettingsError, SuggestingError) as error:
        return {**answer, "why": str(error)}
    return {**answer, **found}


async def pareto(sources: Sources, place: Place, query: QueryParams) -> dict[str, Any]:
    experiment = await sources.trials.experiment(place.namespace, place.name)
    every = in_order(await sources.trials.of(place.namespace, place.name), {})
    answer: dict[str, Any] = {"objectives": objectives_of(experiment), "trials": [], "values": [], "why": ""}
    try:
        found = await asyncio.to_thread(front, problem_of(experiment), await _records(every))
    except InvalidSettingsError as error:
        return {**answer, "why": str(error)}
    return {**answer, "trials": list(found.trials), "values": [list(each) for each in found.values]}


def objectives_of(experiment: Object) -> list[dict[str, Any]]:
    try:
        found = goals(problem_of(experiment))
    except InvalidSettingsError:
        # Its own condition says so; the first one is known anyway.
        found = (Goal(objective_of(meta.spec(experiment)).metric, objective_of(meta.spec(experiment)).type),)
    return [{"metric": each.metric, "type": each.type} for each in found]


def best_name(experiment: Object) -> str:
    """Of the trial that its status calls the best; empty while there is none."""
    best = meta.status(experiment).get("currentOptimalTrial")
    return str(best.get("bestTrialName") or "") if isinstance(best, dict) else ""


async def _records(every: Sequence[Object]) -> list[TrialRecord]:
    found: list[TrialRecord] = []
    for at in range(0, len(every), _A_TURN):
        found += map(record_of, every[at : at + _A_TURN])
        await asyncio.sleep(0)
    return found


async def _curves(
    sources: Sources, namespace: str, wanted: Sequence[str], query: QueryParams
) -> dict[str, Any]:
    points, metrics = _points(query), query.getlist("metric")
    found: dict[str, Any] = {}
    for name in wanted:
        lines = await sources.observations.of(namespace, name, metrics[0] if len(metrics) == 1 else "")
        kept = [each for each in lines if not metrics or each.name in metrics]
        if drawn := curves_of(kept, points):
            found[name] = drawn
    return {"trials": found}


def _points(query: QueryParams) -> int:
    text = query.get("points") or str(_POINTS)
    if not text.isdecimal() or not 2 <= int(text[:9]) <= MOST_POINTS:
        raise BadRequestError(f"points must be 2 to {MOST_POINTS}")
    return int(text)
