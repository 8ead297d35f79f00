"""What the groups of fields of both forms are made of: texts, numbers and amounts that tell of their changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sampan.components.serving.ui.new_endpoint import checks
from sampan.ui.forms.fields import About, NumberField, TextField
from sampan.ui.forms.form import Form


class Rows:
    """`changed` is called after each change; `form` sends them together."""

    def __init__(self, form: Form, changed: Callable[[], Any]) -> None:
        self._form, self._changed = form, changed

    def _add(self, field: Any) -> Any:
        return self._form.add(field)

    def _text(self, name: str, label: str, value: str, hint: str, **look: Any) -> TextField:
        made: TextField = self._add(TextField(About(name, label, hint), value, change=self._changed, **look))
        return made

    def _number(
        self, name: str, label: str, value: int | None, hint: str, check: checks.Check
    ) -> NumberField:
        text = "" if value is None else str(value)
        about = About(name, label, hint)
        made: NumberField = self._add(NumberField(about, text, whole=True, check=check, change=self._changed))
        return made

    def _amount(self, name: str, label: str, value: str, hint: str) -> TextField:
        return self._text(name, label, value, hint, check=checks.amount)


def whole(field: NumberField) -> int | None:
    """None where nothing is said. Raises NotAValueError."""
    found = field.read()
    return None if found is None else int(found)
