"""What form a text is to have: OpenAI's `response_format` and `tool_choice`, vLLM's `structured_outputs`. Pure.

Read with a request; `guiding` sees to it. Source: openai/openai-openapi openapi.yaml (ResponseFormat…, ChatCompletion…
ToolChoiceOption); vllm-project/vllm 0.19 vllm/sampling_params.py (StructuredOutputsParams), docs/features/
structured_outputs.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sampan.components.serving.engine.programs.modelserver.contract import FormError
from sampan.components.serving.engine.programs.modelserver.runtimes.language import tools

JSON, REGEX, GRAMMAR = "json", "regex", "grammar"
NONE, AUTO, REQUIRED = "none", "auto", "required"
_ANY_OBJECT = '{"type": "object"}'
_OLD = ("guided_json", "guided_regex", "guided_choice", "guided_grammar")
_MOST_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Guide:
    """What texts are allowed."""

    kind: str
    text: str
    """A JSON schema, a regular expression, or a grammar in Lark's form."""
    param: str = "response_format"
    """The field that asked for it."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What a chat may call."""

    functions: tuple[Mapping[str, Any], ...] = ()
    choice: str = NONE
    """`none`, `auto`, `required`, or the name of one that has to be called."""

    @property
    def names(self) -> list[str]:
        return [str(each["name"]) for each in self.functions]

    def guide(self) -> Guide | None:
        """Where a call has to come."""
        if self.choice in (NONE, AUTO):
            return None
        name = "" if self.choice == REQUIRED else self.choice
        return Guide(JSON, json.dumps(tools.schema_of(self.functions, name)), "tool_choice")

    def reader(self, parser: str, special: tuple[str, ...]) -> tools.Reading | tools.Named | None:
        """Of one text; None where it is text and no more."""
        if self.choice == NONE:
            return None
        if self.choice == AUTO:
            return tools.Reading(parser, self.names, special)
        return tools.Named("" if self.choice == REQUIRED else self.choice)


def guide_of(body: Mapping[str, Any]) -> Guide | None:
    """Raises ModelError."""
    found = [each for each in (_of_format(body), *_of_outputs(body)) if each is not None]
    if len(found) > 1:
        raise FormError(found[1].param, f"'{found[1].param}' and '{found[0].param}' exclude one another")
    if found and len(found[0].text) > _MOST_BYTES:
        raise FormError(found[0].param, f"'{found[0].param}' is longer than {_MOST_BYTES} bytes")
    return found[0] if found else None


def tools_of(body: Mapping[str, Any]) -> Tools:
    """Raises ModelError."""
    functions = tuple(tools.functions_of(body.get("tools")))
    told = body.get("tool_choice")
    if told is None:
        return Tools(functions, AUTO if functions else NONE)
    if told == NONE or (told == AUTO and not functions):
        return Tools(functions, NONE)
    if not functions:
        raise FormError("tool_choice", "When using `tool_choice`, `tools` must be set.")
    if told in (AUTO, REQUIRED):
        return Tools(functions, str(told))
    function = told.get("function") if isinstance(told, Mapping) else None
    name = function.get("name") if isinstance(function, Mapping) else None
    made = Tools(functions, str(name))
    if name not in made.names:
        raise FormError(
            "tool_choice", "'tool_choice' has to be none, auto, required, or name a function that `tools` has"
        )
    return made


def _of_format(body: Mapping[str, Any]) -> Guide | None:
    told = body.get("response_format")
    if told is None:
        return None
    kind = told.get("type") if isinstance(told, Mapping) else None
    if kind == "text":
        return None
    if kind == "json_object":
        return Guide(JSON, _ANY_OBJECT)
    if kind != "json_schema":
        raise FormError(
            "response_format", "the type of 'response_format' has to be text, json_object or json_schema"
        )
    named = told.get("json_schema")
    schema = named.get("schema", named.get("json_schema")) if isinstance(named, Mapping) else None
    if not isinstance(schema, Mapping | bool):
        raise FormError("response_format", "'response_format.json_schema.schema' has to be a JSON schema")
    return Guide(JSON, json.dumps(schema))


def _of_outputs(body: Mapping[str, Any]) -> list[Guide]:
    told = body.get("structured_outputs")
    if told is not None and not isinstance(told, Mapping):
        raise FormError("structured_outputs", "'structured_outputs' has to be an object")
    asked = [("structured_outputs", name, value) for name, value in (told or {}).items()]
    asked += [(name, name.removeprefix("guided_"), body[name]) for name in _OLD if name in body]
    return [found for each in asked if (found := _output(*each)) is not None]


def _output(param: str, name: str, value: Any) -> Guide | None:
    if value is None or value is False:
        return None
    if name == "json" and isinstance(value, Mapping | str):
        return Guide(JSON, value if isinstance(value, str) else json.dumps(value), param)
    if name == "json_object":
        return Guide(JSON, _ANY_OBJECT, param)
    if name == REGEX and isinstance(value, str):
        return Guide(REGEX, _with_plain_digits(value), param)
    if name == GRAMMAR and isinstance(value, str):
        return Guide(GRAMMAR, value, param)
    if (
        name == "choice"
        and isinstance(value, list)
        and value
        and all(isinstance(each, str) for each in value)
    ):
        return Guide(REGEX, "|".join(f"({re.escape(each)})" for each in value), param)
    if name in ("disable_any_whitespace", "disable_fallback", "disable_additional_properties"):
        return None
    raise FormError(param, f"'{param}': {name} cannot be what it is")


def _with_plain_digits(expression: str) -> str:
    """`\\d` is 0 to 9, as vLLM's libraries have it: the digits of every script would be written else."""
    found, in_class = [], False
    for each in re.findall(r"\\.|.", expression, re.DOTALL):
        if each == "\\d":
            found.append("0-9" if in_class else "[0-9]")
            continue
        in_class = each != "]" if in_class else each == "["
        found.append(each)
    return "".join(found)
