"""The inputs of a pipeline as fields: what is typed at first, what a typed text means, whether it may be sent. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.api.ir_model import Parameter, ParameterType
from sampan.components.pipelines.api.ir_parameters import bound
from sampan.components.pipelines.ui.spec.reading import Input
from sampan.ui.forms.values import NotAValueError, json_value, number

NUMBERS = (ParameterType.NUMBER_INTEGER, ParameterType.NUMBER_DOUBLE)
JSONS = (ParameterType.LIST, ParameterType.STRUCT)
_RECENT = 4
_TYPE_WORDS = {
    ParameterType.NUMBER_INTEGER: "whole number",
    ParameterType.NUMBER_DOUBLE: "number",
    ParameterType.STRING: "text",
    ParameterType.BOOLEAN: "yes or no",
    ParameterType.LIST: "JSON list",
    ParameterType.STRUCT: "JSON object",
}
_WRONG = {
    ParameterType.NUMBER_INTEGER: "Write a whole number, such as 10",
    ParameterType.LIST: "Write a JSON list, such as [1, 2]",
    ParameterType.STRUCT: 'Write a JSON object, such as {"key": "value"}',
}


def is_needed(each: Input) -> bool:
    return not each.parameter.optional and not each.parameter.has_default


def type_word(each: Input) -> str:
    word = _TYPE_WORDS.get(each.parameter.type, str(each.parameter.type))
    return f"{word}, optional" if each.parameter.optional and not each.parameter.has_default else word


def typed(each: Input, value: Any) -> str:
    """A value as its field shows it."""
    if value is None:
        return ""
    if isinstance(value, str) and (each.is_text or each.parameter.type is ParameterType.STRING):
        return value
    if each.parameter.type in JSONS and isinstance(value, list | dict):
        text = json.dumps(value, ensure_ascii=False)
        return text if len(text) <= 60 else json.dumps(value, ensure_ascii=False, indent=2)
    # Of a type that the field is not for: shown, so that it can be seen what is wrong with it.
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def standard(each: Input) -> str | None:
    """The default, as its field shows it; None where there is none."""
    return typed(each, each.parameter.default) if each.parameter.has_default else None


def read(each: Input, text: str) -> Any:
    """What a typed text means; None for nothing, so that the default counts. Raises NotAValueError."""
    parameter = each.parameter
    for literal in parameter.literals:
        if text == typed(each, literal):
            return literal
    if each.is_text:
        return text if text or not parameter.optional else None
    if parameter.type is ParameterType.STRING:
        # An empty text is a value where it differs from a default, and nothing elsewhere.
        return text if text or parameter.has_default else None
    if not text.strip():
        return None
    if parameter.type is ParameterType.BOOLEAN:
        lowered = text.strip().lower()
        if lowered not in ("true", "false"):
            raise NotAValueError("Choose true or false")
        return lowered == "true"
    return number(text) if parameter.type in NUMBERS else json_value(text)


def problem(each: Input, text: str) -> str:
    """What keeps the text from being sent: as the engine would see it, in the words of a form."""
    try:
        value = read(each, text)
    except NotAValueError as error:
        return str(error)
    if value in (None, "") and is_needed(each):
        return "This is needed"
    if value is None or each.is_text:
        return ""
    try:
        bound(each.name, each.parameter, {each.name: value})
    except InvalidArgumentError as error:
        told = error.message.partition(": ")[2] or error.message
        return _WRONG.get(each.parameter.type, told) if told.startswith("expected") else _capital(told)
    return ""


def recent(each: Input, runs: Iterable[Mapping[str, Any]]) -> list[str]:
    """What the latest runs were given, each once, the newest first."""
    found: list[str] = []
    for run in runs:
        given = (run.get("runtime_config") or {}).get("parameters") or {}
        if each.name in given:
            text = typed(each, given[each.name])
            if text and text not in found and len(text) <= 200 and "\n" not in text:
                found.append(text)
    return found[:_RECENT]


def options(each: Input) -> list[tuple[str, str]]:
    """Of one with literals, or of yes and no; with a way to say nothing where nothing may be said."""
    parameter = each.parameter
    if parameter.literals:
        found = [(typed(each, literal), typed(each, literal)) for literal in parameter.literals]
    else:
        found = [("true", "True"), ("false", "False")]
    return found if is_needed(each) or parameter.has_default else [("", "Not set"), *found]


def parameters(inputs: Sequence[Input], texts: Mapping[str, str]) -> dict[str, Any]:
    """What a run is given. Raises NotAValueError."""
    found = {each.name: read(each, texts.get(each.name, "")) for each in inputs}
    return {name: value for name, value in found.items() if value is not None}


def is_choice(parameter: Parameter, *, is_text: bool) -> bool:
    return bool(parameter.literals) or (parameter.type is ParameterType.BOOLEAN and not is_text)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
