"""What is done to an experiment that is under way or has ended: other counts, a stop.

Only the three counts of an experiment may be changed, and they let it go on too.
Source: kubeflow/katib 0.19 pkg/webhook/v1beta1/experiment/validator.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nicegui import ui

from sampan.components.tuning.api import labels
from sampan.components.tuning.api.summary import State, Summary, TrialState, summarise
from sampan.components.tuning.ui import actions, places
from sampan.kube import meta
from sampan.ui import widgets, words
from sampan.ui.context import PageContext
from sampan.ui.forms.fields import About, NumberField
from sampan.ui.objects.making import MANAGER

_GO_ON = ("ExperimentMaxTrialsReached", "ExperimentStopped")
"""Reasons of an end that is none for good."""
_RESUMED = ("LongRunning", "FromVolume")
_FIELDS = (
    ("maxTrialCount", "Trials in all", "Empty: until the goal is reached, or nothing is left to try."),
    ("parallelTrialCount", "Trials at a time", "When it shrinks, the newest that run are deleted."),
    ("maxFailedTrialCount", "Failed trials that end it", ""),
)


def can_go_on(experiment: Summary) -> str:
    """Why an experiment that has ended cannot; nothing where it can. Pure."""
    if not experiment.state.is_finished:
        return ""
    if experiment.state == State.FAILED:
        return "It has failed, and does not go on: clone it."
    if experiment.resume_policy not in _RESUMED:
        return "Its resumePolicy is Never, so that it does not go on: clone it, and choose LongRunning there."
    if experiment.reason and experiment.reason not in _GO_ON:
        return "It goes on only after all its trials were done, or a stop: it ended for another reason. Clone it."
    return ""


def patch(given: Mapping[str, int | None]) -> dict[str, Any]:
    """One that was stopped goes on with them. Pure."""
    return {"metadata": {"annotations": {labels.STOP: None}}, "spec": dict(given)}


def ask_counts(page: PageContext, obj: Mapping[str, Any]) -> None:
    experiment = summarise(dict(obj))
    why_not = can_go_on(experiment)
    title = f"Let {experiment.name} go on" if experiment.state.is_finished else f"Counts of {experiment.name}"
    window, content = widgets.dialog(title)
    fields: dict[str, NumberField] = {}

    async def go() -> None:
        if not all(each.validate() for each in fields.values()):
            return
        given = {key: _whole(each) for key, each in fields.items()}
        window.close()
        path = places.experiments_api(experiment.namespace, experiment.name)
        work = page.api.patch(path, patch(given), MANAGER, content_type=actions.MERGE)
        await page.attempt(work, done=f"{experiment.name} has its new counts.")

    with content:
        if why_not:
            widgets.paragraph(why_not, "sp-pre")
        else:
            if experiment.state.is_finished:
                least = f"More than the {words.counted(experiment.trials, 'trial|trials')} that there are."
                widgets.paragraph(least, "sp-muted")
            for key, label, hint in _FIELDS:
                value = meta.spec(obj).get(key)
                about = About(key, label, hint, required=key == "parallelTrialCount")
                fields[key] = NumberField(
                    about, "" if value is None else str(value), whole=True, check=_check
                )
        with ui.element("div").classes("sp-dialog-actions"):
            widgets.button("Close" if why_not else "Cancel", window.close)
            if why_not:
                clone = page.href(places.NEW, clone=experiment.name)
                widgets.button("Clone", icon="content_copy", href=clone, kind="primary")
            else:
                widgets.button("Change", go, kind="primary")


def ask_stop(page: PageContext, obj: Mapping[str, Any]) -> None:
    """No more trials than there are, and none that runs: it ends by itself then."""
    experiment = summarise(dict(obj))
    running = experiment.counts.get(TrialState.RUNNING, 0) + experiment.counts.get(TrialState.PENDING, 0)

    async def go() -> None:
        await page.attempt(_stop(page, experiment), done=f"{experiment.name} is being stopped.")

    lost = [
        "No more trials begin",
        f"{words.counted(running, 'trial that has|trials that have')} not ended are deleted, with their pods",
        "What the others have found stays",
    ]
    widgets.confirm(f"Stop {experiment.name}?", lost, go, label="Stop", danger=True)


async def _stop(page: PageContext, experiment: Summary) -> None:
    path = places.experiments_api(experiment.namespace, experiment.name)
    await page.api.patch(path, stop(), MANAGER, content_type=actions.MERGE)


def stop() -> dict[str, Any]:
    """As `tune` stops one: its controller ends it, and deletes what has not ended. Pure."""
    return {"metadata": {"annotations": {labels.STOP: "true"}}}


def _check(value: Any) -> str:
    return "" if value is None or value >= 0 else "Write a number from 0"


def _whole(field: NumberField) -> int | None:
    found = field.read()
    return None if found is None else int(found)
