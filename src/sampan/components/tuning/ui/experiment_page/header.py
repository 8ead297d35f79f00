"""The head of an experiment's page: its name, how it is, what can be done with it, and how far it is."""

from __future__ import annotations

from functools import partial
from typing import Any

from nicegui import ui

from sampan.components.tuning.api.kinds import EXPERIMENTS
from sampan.components.tuning.api.summary import State, Summary
from sampan.components.tuning.ui import actions, places, states, steering
from sampan.kube.meta import Object
from sampan.ui import widgets
from sampan.ui.charts.figure import shown
from sampan.ui.context import PageContext
from sampan.ui.times import told


class Header:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._drawn: Any = None
        self._place = ui.element("div")

    def show(self, obj: Object, experiment: Summary) -> None:
        if experiment == self._drawn:
            return
        self._drawn = experiment
        self._place.clear()
        with self._place:
            self._build(obj, experiment)

    def _build(self, obj: Object, experiment: Summary) -> None:
        with ui.element("div").classes("sp-page-header"):
            with ui.element("div").classes("sp-title"):
                widgets.heading(experiment.name, 1)
                widgets.state(*states.shown(experiment.state))
                if ended := states.end(experiment):
                    widgets.text(ended, "sp-muted")
            with ui.element("div").classes("sp-actions"):
                self._build_actions(obj, experiment)
        with ui.element("div").classes("sp-run-facts"):
            self._build_facts(experiment)
        _progress(experiment)

    def _build_actions(self, obj: Object, experiment: Summary) -> None:
        page = self._page
        if experiment.state.is_finished:
            more = widgets.button("Go on", partial(steering.ask_counts, page, obj), icon="play_arrow")
            widgets.explain(more, "Raises how many trials there may be: it goes on from what it knows")
        else:
            widgets.button("Counts", partial(steering.ask_counts, page, obj), icon="unfold_more")
            stop = widgets.button("Stop", partial(steering.ask_stop, page, obj), icon="stop_circle")
            widgets.explain(stop, "Ends trials that run and lets no more begin; what has been found stays")
        clone = widgets.button(
            "Clone", icon="content_copy", href=page.href(places.NEW, clone=experiment.name)
        )
        widgets.explain(
            clone, "Opens the form for a new experiment with what this one was given, to be changed"
        )
        widgets.button("Delete", partial(self._ask_delete, experiment), icon="delete", kind="danger")

    def _build_facts(self, experiment: Summary) -> None:
        page, objective = self._page, experiment.objective
        with _fact("Objective"):
            goal = f", {shown(objective.goal)} ends it" if objective.goal is not None else ""
            widgets.text(f"{states.direction(objective.type)} {objective.metric}{goal}")
        with _fact("Algorithm"):
            widgets.text(experiment.algorithm)
        if experiment.early_stopping:
            with _fact("Stops early by"):
                widgets.text(experiment.early_stopping)
        with _fact("At a time"):
            widgets.text(str(experiment.parallel))
        if experiment.is_in_process:
            with _fact("Trials are"):
                widgets.text("calls of a function")
        with _fact("Created"):
            told.ago(experiment.created)
        if experiment.started:
            with _fact("Took" if experiment.ended else "Running for"):
                told.span(experiment.started, experiment.ended)
        if experiment.namespace != page.namespace:
            with _fact("Namespace"):
                widgets.text(experiment.namespace)
        with _fact(""):
            place = places.cluster(EXPERIMENTS, experiment.namespace, experiment.name)
            widgets.link("Among the cluster's objects", page.href(place))

    def _ask_delete(self, experiment: Summary) -> None:
        after = partial(self._page.go, places.LIST)
        actions.ask_delete(self._page, [experiment.name], after, experiment.namespace)


def _progress(experiment: Summary) -> None:
    share, said = states.progress(experiment)
    with ui.element("div").classes("tu-progress"):
        bar = ui.element("div").classes("tu-progress-bar")
        if experiment.state == State.FAILED:
            bar.classes("tu-failed")
        percent = round(share * 100)
        bar._props.update(
            {
                "role": "progressbar",
                "aria-valuenow": str(percent),
                "aria-valuemin": "0",
                "aria-valuemax": "100",
                "aria-label": "Trials that have ended",
            }
        )
        bar._style["--sp-part"] = f"{share:.4f}"
        widgets.text(f"{said} trials" if experiment.most_trials is not None else said)
        widgets.text(states.counted(experiment), "sp-muted")


def _fact(name: str) -> Any:
    with ui.element("span").classes("sp-fact") as found:
        if name:
            widgets.text(name, "sp-muted")
    return found
