"""The fields of the form for a new experiment: made from what it begins with, and read back."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from nicegui import ui

from sampan.components.tuning.ui.actions import MOST_NAME
from sampan.components.tuning.ui.new_experiment import algorithms
from sampan.components.tuning.ui.new_experiment.chooser import Chooser
from sampan.components.tuning.ui.new_experiment.metrics_fields import MetricsFields
from sampan.components.tuning.ui.new_experiment.space_fields import SpaceFields
from sampan.components.tuning.ui.new_experiment.template_fields import TemplateFields, Templates
from sampan.components.tuning.ui.new_experiment.wanted import POLICIES, Target, Wanted
from sampan.ui import widgets
from sampan.ui.forms.fields import About, ChoiceField, NumberField, PairsField, TextField
from sampan.ui.forms.form import Form

_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_POLICIES = {
    "Never": "stays so",
    "LongRunning": "can go on, with a service that stays",
    "FromVolume": "can go on, from what is on a volume",
}
_STRATEGIES = ("min", "max", "latest")
_DIRECTIONS = ("minimize", "maximize")
_BOUND = re.compile(r"\s*(<=|>=)\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")


class Fields:
    """`changed` is called after each change; `form` sends them together."""

    def __init__(self, form: Form, start: Wanted, templates: Templates, changed: Callable[[], Any]) -> None:
        self._form = form
        self._start = start
        self._templates = templates
        self._changed = changed

    def build(self) -> None:
        form, start = self._form, self._start
        with widgets.card("What it is about").classes("sp-form"):
            self._build_target()
        with widgets.card("What may be chosen").classes("sp-form"):
            self._space = SpaceFields(form, start, self._changed)
        with widgets.card("How it searches").classes("sp-form"):
            about = About(
                "algorithm",
                "Algorithm",
                "Or the name of another, such as one of Optuna's.",
                required=True,
            )
            self._algorithm = Chooser(about, algorithms.ALGORITHMS, start.algorithm, form, self._changed)
            about = About("stopping", "Stops trials early by")
            self._stopping = Chooser(about, algorithms.STOPPING, start.stopping, form, self._changed)
            self._build_counts()
        with widgets.card("What each trial runs").classes("sp-form"):
            self._template = TemplateFields(
                form, start.template, self._templates, self._changed, self._space.names
            )
        with widgets.card().classes("sp-form"):
            self._build_more()

    def _build_target(self) -> None:
        start, add = self._start, self._form.add
        about = About("name", "Name", f"At most {MOST_NAME} characters.", required=True)
        self.name = add(TextField(about, start.name, check=_name_problem, change=self._changed))
        with ui.element("div").classes("sp-fields-row"):
            about = About(
                "metric", "Metric to optimise", "As the program prints it: loss=0.12", required=True
            )
            self._metric = add(TextField(about, start.target.metric, change=self._changed))
            kinds = [("minimize", "the lowest"), ("maximize", "the highest")]
            about = About("direction", "Wanted is")
            self._kind = add(
                ChoiceField(about, kinds, start.target.type, segments=True, change=self._changed)
            )
            about = About("goal", "Goal", "It ends when a trial has reached it.")
            goal = "" if start.target.goal is None else str(start.target.goal)
            self._goal = add(NumberField(about, goal, change=self._changed))
        about = About("additional", "Further metrics", "Collected beside it: names, with commas between.")
        self._additional = add(TextField(about, ", ".join(start.target.additional), change=self._changed))

    def _build_counts(self) -> None:
        start, add = self._start, self._form.add
        with ui.element("div").classes("sp-fields-row"):
            about = About("most", "Trials in all", "Empty: until the goal, or a stop.")
            self._most = add(_count(about, start.most_trials, self._changed))
            about = About("parallel", "At a time", required=True)
            self._parallel = add(_count(about, start.parallel, self._changed))
            about = About("failed", "Failed trials that end it")
            self._failed = add(_count(about, start.most_failed, self._changed, least=0))

    def _build_more(self) -> None:
        start, add = self._start, self._form.add
        usual = Wanted(template=start.template)
        target = start.target
        is_open = (
            start.collected != usual.collected
            or start.resume != usual.resume
            or any((target.strategies, target.others, target.bounds, start.labels, start.annotations))
        )
        with ui.element("details").classes("sp-more") as more:
            if is_open:
                more._props["open"] = True
            widgets.Text("summary", "More settings")
            with ui.element("div").classes("sp-form"):
                self._build_objectives()
                self._metrics = MetricsFields(self._form, start.collected, self._changed)
                about = About(
                    "strategies",
                    "Which of a metric's values counts",
                    "By metric: min, max or latest. Usually the best of them, as the objective has it.",
                )
                self._strategies = add(
                    PairsField(
                        about, dict(start.target.strategies), check=_strategies_problem, change=self._changed
                    )
                )
                options = [(each, f"{each}: {_POLICIES[each]}") for each in POLICIES]
                about = About(
                    "resume", "When all trials are done, it", "What goes on has more trials in all then."
                )
                self._resume = add(ChoiceField(about, options, start.resume, change=self._changed))
                self._template.build_more()
                about = About("labels of it", "Labels", "Of the experiment and its trials.")
                self._labels = add(PairsField(about, dict(start.labels), change=self._changed))
                hint = "sampan.dev/trials: in-process has functions of tune called in warm workers."
                about = About("annotations of it", "Annotations", hint)
                self._annotations = add(PairsField(about, dict(start.annotations), change=self._changed))

    def _build_objectives(self) -> None:
        target, add = self._start.target, self._form.add
        hint = "By metric: minimize or maximize. The page then shows which trials nothing else beats."
        about = About("others", "Further objectives", hint)
        self._others = add(
            PairsField(about, dict(target.others), check=_others_problem, change=self._changed)
        )
        hint = "By metric: <= 5e6, or >= 0.9. A trial beyond one is never among the best."
        about = About("bounds", "Bounds", hint)
        self._bounds = add(
            PairsField(about, dict(target.bounds), check=_bounds_problem, change=self._changed)
        )

    def read(self) -> Wanted:
        """Raises NotAValueError."""
        text = str(self._additional.read())
        target = Target(
            metric=str(self._metric.read()).strip(),
            type=str(self._kind.read()),
            goal=self._goal.read(),
            additional=tuple(each.strip() for each in text.split(",") if each.strip()),
            strategies=self._strategies.read(),
            others=self._others.read(),
            bounds=self._bounds.read(),
        )
        return replace(
            self._start,
            name=str(self.name.read()).strip(),
            target=target,
            **self._space.read(),
            algorithm=self._algorithm.read(),
            stopping=self._stopping.read(),
            most_trials=_whole(self._most),
            parallel=_whole(self._parallel),
            most_failed=_whole(self._failed),
            resume=str(self._resume.read()),
            collected=self._metrics.read(),
            template=self._template.read(),
            labels=self._labels.read(),
            annotations=self._annotations.read(),
        )


def _count(about: About, value: int | None, changed: Callable[[], Any], *, least: int = 1) -> NumberField:
    def check(given: Any) -> str:
        return "" if given is None or given >= least else f"Write a number from {least}"

    return NumberField(about, "" if value is None else str(value), whole=True, check=check, change=changed)


def _whole(field: NumberField) -> int | None:
    found = field.read()
    return None if found is None else int(found)


def _name_problem(name: Any) -> str:
    if len(str(name)) > MOST_NAME:
        return f"These are {len(str(name))} characters, and may be {MOST_NAME}"
    if _NAME.fullmatch(str(name)) is None:
        return "Lower case letters, digits and hyphens; a letter first: digits-tpe"
    return ""


def _strategies_problem(given: Any) -> str:
    wrong = [value for value in given.values() if value not in _STRATEGIES]
    return f"{wrong[0]!r} is none of min, max and latest" if wrong else ""


def _others_problem(given: Any) -> str:
    wrong = [value for value in given.values() if value not in _DIRECTIONS]
    return f"{wrong[0]!r} is neither minimize nor maximize" if wrong else ""


def _bounds_problem(given: Any) -> str:
    wrong = [value for value in given.values() if _BOUND.fullmatch(value) is None]
    return f"{wrong[0]!r} is no bound, such as <= 5e6" if wrong else ""
