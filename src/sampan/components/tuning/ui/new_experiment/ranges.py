"""The parameters of a new experiment: rows of fields, as many as are wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from nicegui import ui

from sampan.components.tuning.ui.new_experiment.wanted import DISTRIBUTIONS, TYPES, Range
from sampan.ui import widgets
from sampan.ui.forms.fields import About, ChoiceField, Field, TextField
from sampan.ui.forms.form import Form

_LISTED = ("discrete", "categorical")
_TYPES = {
    "double": "double: a number",
    "int": "int: a whole number",
    "discrete": "discrete: one of some numbers",
    "categorical": "categorical: one of some words",
}
_DISTRIBUTIONS = {
    "uniform": "evenly",
    "logUniform": "evenly by logarithm",
    "normal": "most in the middle",
    "logNormal": "most in the middle, by logarithm",
}


F = TypeVar("F", bound=Field)


class _Row:
    """One parameter."""

    def __init__(self, number: int, start: Range, form: Form, changed: Callable[[], Any]) -> None:
        self._form = form
        self._changed = changed
        self._key = f"parameter {number}"
        with ui.element("div").classes("tu-parameter").props('role="group"') as self.place:
            self.place._props["aria-label"] = f"Parameter {number}"
            self._build(start)
        self._arrange()

    def _build(self, start: Range) -> None:
        self.name = self._text("name", "Name", start.name, required=True)
        about = About(f"{self._key} type", "Type")
        options = [(each, _TYPES[each]) for each in TYPES]
        self._type = self._add(ChoiceField(about, options, start.type, change=self._switch))
        self._low = self._text("low", "From", start.low, check=_number_problem, required=True)
        self._high = self._text("high", "To", start.high, check=self._high_problem, required=True)
        self._step = self._text("step", "Step", start.step, check=_step_problem)
        about = About(f"{self._key} tried", "Tried")
        options = [(each, _DISTRIBUTIONS[each]) for each in DISTRIBUTIONS]
        self._distribution = self._add(ChoiceField(about, options, start.distribution, change=self._changed))
        self._values = self._text(
            "values",
            "Values, with commas between",
            ", ".join(start.values),
            check=self._values_problem,
            required=True,
        )
        self._kept = start.values

    def _text(
        self, name: str, label: str, value: str, *, check: Any = None, required: bool = False
    ) -> TextField:
        about = About(f"{self._key} {name}", label, required=required)
        return self._add(TextField(about, value, check=check, change=self._changed))

    def _add(self, field: F) -> F:
        field.classes(f"tu-parameter-{field.name.rpartition(' ')[2]}")
        return self._form.add(field)

    @property
    def fields(self) -> Sequence[Field]:
        return (self.name, self._type, self._low, self._high, self._step, self._distribution, self._values)

    def show(self, shown: bool) -> None:
        """What is not shown is not asked for."""
        for each in self.fields:
            each.show(shown)
        if shown:
            self._arrange()

    def remove(self) -> None:
        for each in self.fields:
            self._form.forget(each.name)
        self.place.delete()

    def read(self) -> Range:
        kind = str(self._type.read())
        name = str(self.name.read()).strip()
        if kind in _LISTED:
            return Range(name, kind, values=self._listed(), distribution=str(self._distribution.read()))
        low, high, step = (str(each.read()).strip() for each in (self._low, self._high, self._step))
        return Range(name, kind, low, high, step, distribution=str(self._distribution.read()))

    def _listed(self) -> tuple[str, ...]:
        text = str(self._values.read())
        # A value may hold a comma itself: what was not touched stays as it was.
        if text == ", ".join(self._kept):
            return self._kept
        return tuple(each.strip() for each in text.split(",") if each.strip())

    def _switch(self) -> None:
        self._arrange()
        self._changed()

    def _arrange(self) -> None:
        is_listed = self._type.read() in _LISTED
        for field in (self._low, self._high, self._step, self._distribution):
            field.show(not is_listed)
        self._values.show(is_listed)

    def _high_problem(self, text: Any) -> str:
        if problem := _number_problem(text):
            return problem
        low = str(self._low.read()).strip()
        if not _number_problem(low) and float(text) < float(low):
            return f"This is less than {low}"
        return ""

    def _values_problem(self, _text: Any) -> str:
        if self._type.read() == "discrete" and any(_number_problem(each) for each in self._listed()):
            return "Write numbers: words are categorical"
        return ""


class Ranges:
    """All of them, with ways to add one and to take one away."""

    def __init__(self, start: Sequence[Range], form: Form, changed: Callable[[], Any]) -> None:
        self._form = form
        self._changed = changed
        self._rows: list[_Row] = []
        self._number = 0
        self._whole = ui.element("div").classes("sp-form")
        with self._whole:
            self._place = ui.element("div").classes("tu-parameters")
            for each in start or (Range(),):
                self._append(each)
            widgets.button("Add a parameter", self.add, icon="add")

    def show(self, shown: bool) -> None:
        self._whole.set_visibility(shown)
        for row in self._rows:
            row.show(shown)

    def read(self) -> tuple[Range, ...]:
        return tuple(row.read() for row in self._rows)

    def add(self) -> None:
        self._append(Range()).name.focus()
        self._changed()

    def _append(self, start: Range) -> _Row:
        self._number += 1
        with self._place:
            row = _Row(self._number, start, self._form, self._changed)
            with row.place:
                widgets.icon_button("close", f"Take parameter {self._number} away", lambda: self._remove(row))
        self._rows.append(row)
        return row

    def _remove(self, row: _Row) -> None:
        self._rows.remove(row)
        row.remove()
        self._changed()


def _number_problem(text: Any) -> str:
    try:
        float(str(text).strip())
    except ValueError:
        return "Write a number, such as 0.01 or 1e-5"
    return ""


def _step_problem(text: Any) -> str:
    if not str(text).strip():
        return ""
    return _number_problem(text) or ("" if float(text) > 0 else "A step is more than 0")
