"""An algorithm with its settings, each of which says what it means: for searching, and for stopping early."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nicegui import ui

from sampan.components.tuning.ui.new_experiment import algorithms
from sampan.components.tuning.ui.new_experiment.algorithms import Algorithm, Setting
from sampan.components.tuning.ui.new_experiment.wanted import Chosen
from sampan.ui import widgets
from sampan.ui.forms.fields import About, ChoiceField, Field, PairsField, TextField
from sampan.ui.forms.form import Form

Known = Sequence[Algorithm]


class Chooser:
    def __init__(
        self, about: About, known: Known, start: Chosen, form: Form, changed: Callable[[], Any]
    ) -> None:
        self._known = known
        self._form = form
        self._changed = changed
        self._name = about.name
        self._start = start
        self._fields: dict[str, Field] = {}
        self._shown = start.name
        options = [(each.name, each.label) for each in known]
        if all(name != start.name for name, _ in options):
            options.append((start.name, start.name))
        self._choice = form.add(
            ChoiceField(about, options, start.name, change=self._switch, free=True, placeholder="Choose one")
        )
        self._told = widgets.paragraph("", "sp-hint tu-told")
        self._place = ui.element("div").classes("sp-fields-row tu-settings")
        self._others = form.add(
            PairsField(
                About(f"{self._name} others", "Further settings", "By name, as the algorithm knows them."),
                self._further(start),
                change=changed,
            )
        )
        self._draw(dict(start.settings))

    def read(self) -> Chosen:
        name = str(self._choice.read() or "").strip()
        known = {key: str(field.read()).strip() for key, field in self._fields.items()}
        settings = {key: value for key, value in known.items() if value}
        if not name:
            return Chosen()
        # In the order in which they were given, the new ones last.
        given = {**settings, **self._others.read()}
        order = [*(key for key in self._start.settings if key in given), *given]
        return Chosen(name, {key: given[key] for key in dict.fromkeys(order)})

    def _further(self, chosen: Chosen) -> dict[str, str]:
        named = {each.name for each in algorithms.algorithm(chosen.name, self._known).settings}
        return {name: value for name, value in chosen.settings.items() if name not in named}

    def _switch(self) -> None:
        name = str(self._choice.read() or "").strip()
        if name != self._shown:
            self._shown = name
            self._draw({})
        self._changed()

    def _draw(self, values: dict[str, str]) -> None:
        found = algorithms.algorithm(self._shown, self._known)
        for field in self._fields.values():
            self._form.forget(field.name)
        self._place.clear()
        self._fields = {}
        self._told.set_text(found.about)
        self._told.set_visibility(bool(found.about))
        with self._place:
            for setting in found.settings:
                self._fields[setting.name] = self._form.add(
                    self._field(setting, values.get(setting.name, ""))
                )
        self._place.set_visibility(bool(found.settings))
        self._others.show(bool(self._shown))

    def _field(self, setting: Setting, value: str) -> Field:
        usual = f" Usually {setting.usual}." if setting.usual else ""
        about = About(f"{self._name} {setting.name}", setting.name, f"{setting.about}{usual}")
        if not setting.values:
            return TextField(about, value, change=self._changed)
        options = [("", f"as usual: {setting.usual}"), *((each, each) for each in setting.values)]
        return ChoiceField(about, options, value, change=self._changed)
