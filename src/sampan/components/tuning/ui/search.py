"""Experiments and trials in the search of the dashboard, and experiments in its feed of what happened."""

from __future__ import annotations

from collections.abc import Sequence

from sampan.components.tuning.api.summary import State, Summary, summarise, summarise_trial
from sampan.components.tuning.ui import places, states
from sampan.kube import meta
from sampan.kube.meta import Object
from sampan.ui.api import Api, ApiFailureError
from sampan.ui.charts.figure import shown
from sampan.ui.contract import Activity, Hit

_MOST = 10
_LEAST_LETTERS = 4
"""Of what a trial is looked for by: there are thousands of them."""
_PAGE = "500"
_ICONS = {"ok": "check_circle", "bad": "error"}


async def search(api: Api, namespace: str, text: str) -> Sequence[Hit]:
    """Experiments by name, label, uid, metric and parameter."""
    sought = text.strip().lower()
    found = [each for each in await once(api, namespace) if fits(each, sought)]
    found.sort(key=lambda each: not meta.name(each).lower().startswith(sought))
    return [hit(summarise(each)) for each in found[:_MOST]]


async def search_trials(api: Api, namespace: str, text: str) -> Sequence[Hit]:
    """A trial by its whole name: names begin with their experiment's, of which there are enough."""
    sought = text.strip().lower()
    if len(sought) < _LEAST_LETTERS or not all(each.isalnum() or each in "-." for each in sought):
        return []
    try:
        trial = summarise_trial(await api.get(places.trials_api(namespace, sought)))
    except ApiFailureError:
        return []
    detail = " · ".join(each for each in (states.of_trial(trial.state)[0], trial.experiment) if each)
    return [Hit("Trial", trial.name, places.trial(namespace, trial.name), "science", detail)]


async def once(api: Api, namespace: str) -> list[Object]:
    """The experiments that can be seen now."""
    try:
        found = await api.get(places.experiments_api(namespace))
    except ApiFailureError:
        # Not served here, or not for everybody.
        return []
    return list(found.get("items") or ())


def fits(experiment: Object, sought: str) -> bool:
    """Pure."""
    found = summarise(experiment)
    labels = (f"{key}={value}" for key, value in meta.labels(experiment).items())
    parameters = (each.name for each in found.parameters)
    told = (found.name, found.objective.metric, found.algorithm, *labels, *parameters)
    return found.uid.lower().startswith(sought) or any(sought in each.lower() for each in told)


def hit(experiment: Summary) -> Hit:
    """Pure."""
    best = experiment.best_value
    value = f"{experiment.objective.metric} {shown(best)}" if best is not None else ""
    told = (states.shown(experiment.state)[0], experiment.algorithm, value)
    place = places.experiment(experiment.namespace, experiment.name)
    detail = " · ".join(each for each in told if each)
    return Hit("Tuning experiment", experiment.name, place, places.ICON, detail)


async def feed(api: Api, namespace: str, most: int) -> Sequence[Activity]:
    """Experiments that began and ended, the newest first."""
    told = [each for experiment in await once(api, namespace) for each in activities(experiment)]
    return sorted(told, key=lambda each: each.at, reverse=True)[:most]


def activities(obj: Object) -> list[Activity]:
    """What happened to one experiment. Pure."""
    experiment = summarise(obj)
    path = places.experiment(experiment.namespace, experiment.name)
    word = "started" if experiment.started else "was created"
    text = f"Tuning experiment {experiment.name} {word}"
    kind = "Tuning experiment"
    found = [Activity(experiment.started or experiment.created, text, places.ICON, path, "busy", kind)]
    if experiment.state.is_finished and experiment.ended:
        word, tone, icon = states.shown(experiment.state)
        text = f"Tuning experiment {experiment.name} {word.lower()}{_outcome(experiment)}"
        found.append(Activity(experiment.ended, text, icon or _ICONS.get(tone, ""), path, tone, kind))
    return found


def _outcome(experiment: Summary) -> str:
    if experiment.state == State.FAILED:
        return f": {experiment.message}" if experiment.message else ""
    best = experiment.best_value
    return f": {experiment.objective.metric} {shown(best)}" if best is not None else ""
