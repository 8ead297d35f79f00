"""A field for each input, by its type, with its default, its options and what was given lately."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sampan.components.pipelines.api.ir_model import ParameterType
from sampan.components.pipelines.ui.new_run import values
from sampan.components.pipelines.ui.spec.reading import Input
from sampan.ui.forms.fields import About, ChoiceField, Field, JsonField, TextField

PREFIX = "input."
"""Before the name of an input, in a form that has fields of its own."""


def field_of(each: Input, text: str | None, recent: Sequence[str]) -> Field:
    """`text` is what stands in it at first; None for its default."""
    about = About(
        f"{PREFIX}{each.name}",
        each.name,
        each.description,
        values.is_needed(each),
        values.type_word(each),
        values.standard(each),
        recent,
    )
    shown = text if text is not None else (values.standard(each) or "")
    check = _check(each)
    parameter = each.parameter
    if values.is_choice(parameter, is_text=each.is_text):
        options = values.options(each)
        is_short = len(options) <= 4 and sum(len(label) for _, label in options) <= 48
        return ChoiceField(about, options, shown, check=check, segments=is_short)
    if parameter.type in values.JSONS and not each.is_text:
        return _JsonText(about, shown, lines=3, check=check)
    look: dict[str, Any] = {"lines": min(max(shown.count("\n") + 1, 1), 12)}
    if parameter.type in values.NUMBERS and not each.is_text:
        kind = "numeric" if parameter.type is ParameterType.NUMBER_INTEGER else "decimal"
        look |= {"inputmode": kind, "narrow": True}
    elif look["lines"] > 1:
        look["mono"] = True
    return TextField(about, shown, check=check, **look)


class _JsonText(JsonField):
    """Its text: whether that is JSON is for the input's own check to say, in the same words as for all inputs."""

    def read(self) -> Any:
        return self.raw


def _check(each: Input) -> Callable[[Any], str]:
    return lambda text: values.problem(each, str(text))
