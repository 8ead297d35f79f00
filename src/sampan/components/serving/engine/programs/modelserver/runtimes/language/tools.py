"""Calls of tools that a model has written into its text, as OpenAI's clients get them. Pure; used by `speaking`.

A family of models has a way to write them, which its chat template tells. What is none of it stays text. Source:
vllm-project/vllm 0.19 docs/features/tool_calling.md, vllm/tool_parsers/{hermes,llama,mistral,pythonic}_tool_parser.py;
meta-llama/llama-models models/llama3_1/prompt_format.md.
"""

from __future__ import annotations

import ast
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sampan.components.serving.engine.programs.modelserver.runtimes.language.texts import beginning

HERMES, LLAMA, MISTRAL, PYTHONIC = "hermes", "llama3_json", "mistral", "pythonic"
PARSERS: Mapping[str, str] = {
    HERMES: HERMES, "qwen": HERMES, "qwen2": HERMES, "qwen3": HERMES, "longcat": HERMES,
    LLAMA: LLAMA, "llama4_json": LLAMA, "granite": LLAMA, "xlam": LLAMA, "internlm": LLAMA,
    MISTRAL: MISTRAL,
    PYTHONIC: PYTHONIC, "llama4_pythonic": PYTHONIC, "olmo3": PYTHONIC,
}  # fmt: skip
"""Those that may be asked for, and which reads them."""
_OPEN, _CLOSE = "<tool_call>", "</tool_call>"
_PYTHON = "<|python_tag|>"
_MISTRAL = "[TOOL_CALLS]"
# What a text begins with, or has in it, that is about to call.
_MARKS: Mapping[str, tuple[str, ...]] = {
    HERMES: (_OPEN,),
    LLAMA: (_PYTHON,),
    MISTRAL: (_MISTRAL,),
    PYTHONIC: (),
}
MARKS = (_OPEN, _CLOSE, _PYTHON, _MISTRAL)
_FIRST: Mapping[str, str] = {HERMES: "", LLAMA: "{", MISTRAL: "", PYTHONIC: "["}
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    arguments: str
    """JSON."""
    id: str = field(default_factory=lambda: f"call_{uuid.uuid4().hex[:24]}")

    def document(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "type": "function",
            "function": {"name": self.name, "arguments": self.arguments},
        }


def parser_of(told: str, template: str) -> str:
    """The one that is asked for, or that the chat template speaks of."""
    if told:
        return PARSERS[told]
    if _OPEN in template:
        return HERMES
    if _MISTRAL in template:
        return MISTRAL
    return LLAMA


def needs_special(parser: str) -> bool:
    """Whether what marks a call is a token that texts are told without."""
    return parser in (LLAMA, MISTRAL)


class Reading:
    """One text, as it comes: what of it may be told at once, and what it calls."""

    def __init__(self, parser: str, names: Sequence[str], special: Sequence[str] = ()) -> None:
        """`special` are tokens that no text is told with."""
        self._parser, self._names = parser, frozenset(names)
        self._special = tuple(special)
        self._held, self._seen = "", False

    def add(self, text: str) -> str:
        """What is no part of a call."""
        self._held += text
        marks, first = _MARKS[self._parser], _FIRST[self._parser]
        places = [self._held.find(each) for each in marks if each in self._held]
        if places:
            place = min(places)
            told, self._held = self._held[:place], self._held[place:]
            self._seen = self._seen or bool(told.strip())
            return self._plain(told)
        if first and not self._seen:
            begin = self._held.lstrip()
            if not begin or begin.startswith(first):
                return ""
        kept = max((beginning(self._held, each) for each in (*marks, *self._special)), default=0)
        cut = len(self._held) - kept
        told, self._held = self._held[:cut], self._held[cut:]
        self._seen = self._seen or bool(told.strip())
        return self._plain(told)

    def rest(self) -> tuple[str, list[Call]]:
        """What is left to tell, and the calls."""
        text, self._held = self._held, ""
        calls, left = _READERS[self._parser](text)
        if not calls or (self._parser in (LLAMA, PYTHONIC) and not all(c.name in self._names for c in calls)):
            return self._plain(text), []
        return self._plain(left).strip(), calls

    def _plain(self, text: str) -> str:
        for each in self._special:
            text = text.replace(each, "")
        return text


class Named:
    """A text that is written as the arguments of one function, or as a list of calls."""

    def __init__(self, name: str) -> None:
        self._name, self._text = name, ""

    @property
    def is_named(self) -> bool:
        return bool(self._name)

    def add(self, text: str) -> str:
        self._text += text
        return ""

    def rest(self) -> tuple[str, list[Call]]:
        if self._name:
            return "", [Call(self._name, self._text)]
        try:
            found = [_call(each) for each in json.loads(self._text)]
        except (ValueError, TypeError):
            # It was cut short.
            return self._text, []
        return "", [each for each in found if each is not None]


def functions_of(tools: Any) -> list[Mapping[str, Any]]:
    """Of a request's `tools`."""
    listed = tools if isinstance(tools, list) else []
    found = [each.get("function") for each in listed if isinstance(each, Mapping)]
    return [each for each in found if isinstance(each, Mapping) and isinstance(each.get("name"), str)]


def schema_of(functions: Sequence[Mapping[str, Any]], name: str) -> dict[str, Any]:
    """Of the arguments of one, or of a list of calls of any."""
    if name:
        return next(_parameters(each) for each in functions if each["name"] == name)
    calls = [
        {
            "type": "object",
            "properties": {"name": {"const": each["name"]}, "parameters": _parameters(each)},
            "required": ["name", "parameters"],
            "additionalProperties": False,
        }
        for each in functions
    ]
    return {"type": "array", "minItems": 1, "items": {"anyOf": calls}}


def _parameters(function: Mapping[str, Any]) -> dict[str, Any]:
    told = function.get("parameters")
    return dict(told) if isinstance(told, Mapping) and told else {"type": "object", "properties": {}}


def _hermes(text: str) -> tuple[list[Call], str]:
    calls, left = [], ""
    while (place := text.find(_OPEN)) >= 0:
        left += text[:place]
        inner, found, text = text[place + len(_OPEN) :].partition(_CLOSE)
        call = _call(_object(inner.strip()))
        if call is None:
            left += _OPEN + inner + found
        else:
            calls.append(call)
    return calls, left + text


def _llama(text: str) -> tuple[list[Call], str]:
    """One object, or several with semicolons or in a list; nothing else may stand around them."""
    rest = text.replace(_PYTHON, "").strip()
    calls = []
    while rest:
        try:
            found, end = _DECODER.raw_decode(rest)
        except ValueError:
            return [], text
        made = [_call(each) for each in (found if isinstance(found, list) else [found])]
        if not all(made):
            return [], text
        calls += [each for each in made if each is not None]
        rest = rest[end:].lstrip().removeprefix(";").lstrip()
    return calls, ""


def _mistral(text: str) -> tuple[list[Call], str]:
    """A list of objects, or, since version 11, each by its name: `[TOOL_CALLS]name{…}`."""
    before, *parts = text.split(_MISTRAL)
    calls = []
    for part in parts:
        name, brace, arguments = part.partition("{")
        if brace and name.strip() and not name.strip().startswith("["):
            found = _object(brace + arguments)
            call = None if found is None else Call(name.strip(), json.dumps(found, ensure_ascii=False))
            made = [call]
        else:
            found = _object(part.strip())
            made = [_call(each) for each in (found if isinstance(found, list) else [found])]
        if not all(made):
            return [], text
        calls += [each for each in made if each is not None]
    return calls, before


def _pythonic(text: str) -> tuple[list[Call], str]:
    """`[name(argument=1), other()]`."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        nodes = tree.elts if isinstance(tree, ast.List) else [tree]
        calls = [_of_node(each) for each in nodes]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return [], text
    return calls, ""


def _of_node(node: ast.expr) -> Call:
    """Raises ValueError."""
    if not isinstance(node, ast.Call) or node.args or not isinstance(node.func, ast.Name):
        raise ValueError(node)
    given = {each.arg: ast.literal_eval(each.value) for each in node.keywords if each.arg}
    return Call(node.func.id, json.dumps(given, ensure_ascii=False))


_READERS: Mapping[str, Callable[[str], tuple[list[Call], str]]] = {
    HERMES: _hermes,
    LLAMA: _llama,
    MISTRAL: _mistral,
    PYTHONIC: _pythonic,
}


def _object(text: str) -> Any:
    try:
        return _DECODER.raw_decode(text)[0]
    except ValueError:
        return None


def _call(found: Any) -> Call | None:
    if not isinstance(found, Mapping) or not isinstance(found.get("name"), str):
        return None
    given = found.get("arguments", found.get("parameters", {}))
    # Some write the arguments as a text that is JSON.
    written = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
    return Call(found["name"], written)
