"""The head of a trial's page: its name, how it is, what it came to, and what it runs."""

from __future__ import annotations

from functools import partial
from typing import Any

from nicegui import ui

from sampan.components.tuning.ui import best, places, run_objects, states
from sampan.components.tuning.ui.trial_page.parts import Shown
from sampan.kube import meta
from sampan.ui import widgets
from sampan.ui.context import PageContext
from sampan.ui.times import told


class Header:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._drawn: Any = None
        self._place = ui.element("div")

    def show(self, shown: Shown) -> None:
        if shown.trial == self._drawn:
            return
        self._drawn = shown.trial
        self._place.clear()
        with self._place:
            self._build(shown)

    def _build(self, shown: Shown) -> None:
        trial = shown.trial
        with ui.element("div").classes("sp-page-header"):
            with ui.element("div").classes("sp-title"):
                widgets.heading(trial.name, 1)
                widgets.state(*states.of_trial(trial.state))
            with ui.element("div").classes("sp-actions"):
                if trial.experiment:
                    ask = partial(best.ask_use, self._page, trial.namespace, trial.experiment, trial.name)
                    widgets.button("Use these parameters", ask, icon="rocket_launch")
        with ui.element("div").classes("sp-run-facts"):
            self._build_facts(shown)

    def _build_facts(self, shown: Shown) -> None:
        page, trial = self._page, shown.trial
        metric = shown.objective.metric
        with _fact(metric or "Value"):
            widgets.text(states.value(trial.values.get(metric)) or "–")
        if trial.experiment:
            with _fact("Experiment"):
                widgets.link(
                    trial.experiment, page.href(places.experiment(trial.namespace, trial.experiment))
                )
        run = run_of(shown)
        if run:
            with _fact("Runs"):
                if is_kept(shown):
                    place = page.href(run_objects.page_of(run, trial.namespace))
                    widgets.link(f"{run.get('kind')} {meta.name(run)}", place)
                else:
                    widgets.text(f"a {run.get('kind')}, which is gone: its template does not retain it")
        with _fact("Created"):
            told.ago(trial.created)
        if trial.started:
            with _fact("Took" if trial.ended else "Running for"):
                told.span(trial.started, trial.ended)
        if trial.namespace != page.namespace:
            with _fact("Namespace"):
                widgets.text(trial.namespace)


def run_of(shown: Shown) -> dict[str, Any]:
    """The object that it runs, by its name; nothing for a call of a function. Pure."""
    found = meta.spec(shown.obj).get("runSpec")
    if not isinstance(found, dict) or not found.get("kind"):
        return {}
    return {**found, "metadata": {**meta.metadata(found), "name": shown.trial.name}}


def is_kept(shown: Shown) -> bool:
    """Whether what it runs is there as far as is known. Pure."""
    return not shown.trial.state.is_finished or bool(meta.spec(shown.obj).get("retainRun"))


def _fact(name: str) -> Any:
    with ui.element("span").classes("sp-fact") as found:
        widgets.text(name, "sp-muted")
    return found
