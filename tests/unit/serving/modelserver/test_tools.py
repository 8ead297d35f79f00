"""Calls of tools in texts, as families of models write them, whole and in pieces of any size; and forms of texts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sampan.components.serving.engine.programs.modelserver.contract import ParameterError
from sampan.components.serving.engine.programs.modelserver.runtimes.language import structure, tools
from sampan.components.serving.engine.programs.modelserver.runtimes.language.structure import Guide

PARIS = ["weather", {"city": "Paris"}]
NAMES = ("weather", "time")
FUNCTION: dict[str, Any] = {"name": "weather", "parameters": {"type": "object", "properties": {"city": {}}}}
TOOLS = [{"type": "function", "function": FUNCTION}]


def read(parser: str, text: str, size: int, special: tuple[str, ...] = ()) -> tuple[str, str, list[Any]]:
    reading = tools.Reading(parser, NAMES, special)
    begun = "".join(reading.add(text[place : place + size]) for place in range(0, len(text), size))
    rest, calls = reading.rest()
    return begun, rest, [[each.name, json.loads(each.arguments)] for each in calls]


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(
    ("parser", "text", "told", "calls"),
    [
        (
            "hermes",
            'Let me look. <tool_call>\n{"name": "weather", "arguments": {"city": "Paris"}}\n</tool_call>\n'
            '<tool_call>{"name": "time", "arguments": {}}</tool_call>',
            "Let me look. ",
            [PARIS, ["time", {}]],
        ),
        ("hermes", "2 < 3 and <tool is no call", "2 < 3 and <tool is no call", []),
        ("hermes", '<tool_call>{"name": "weather", "arg', '<tool_call>{"name": "weather", "arg', []),
        ("llama3_json", '{"name": "weather", "parameters": {"city": "Paris"}}', "", [PARIS]),
        (
            "llama3_json",
            '<|python_tag|>{"name": "weather", "parameters": {"city": "Paris"}}; {"name": "time", "parameters": {}}',
            "",
            [PARIS, ["time", {}]],
        ),
        ("llama3_json", '{"answer": 42}', '{"answer": 42}', []),
        ("llama3_json", '{"name": "nobody", "parameters": {}}', '{"name": "nobody", "parameters": {}}', []),
        ("llama3_json", "It is {sunny}.", "It is {sunny}.", []),
        ("mistral", '[TOOL_CALLS] [{"name": "weather", "arguments": {"city": "Paris"}}]', "", [PARIS]),
        ("mistral", '[TOOL_CALLS]weather{"city": "Paris"}', "", [PARIS]),
        ("pythonic", "[weather(city='Paris'), time()]", "", [PARIS, ["time", {}]]),
        ("pythonic", "[1, 2, 3]", "[1, 2, 3]", []),
        ("pythonic", "__import__('os').system('ls')", "__import__('os').system('ls')", []),
    ],
)
def test_calls(parser: str, text: str, told: str, calls: list[Any], size: int) -> None:
    begun, rest, found = read(parser, text, size)
    assert (begun + rest, found) == (told, calls)


def test_a_text_that_is_no_call_is_told_as_it_comes() -> None:
    reading = tools.Reading("hermes", NAMES)
    assert [reading.add(each) for each in ("It ", "rains <", "b> now")] == ["It ", "rains ", "<b> now"]
    reading = tools.Reading("llama3_json", NAMES)
    assert [reading.add(each) for each in ("\n", "It", " rains")] == ["", "\nIt", " rains"]


def test_special_tokens_are_not_told_though_they_come_in_pieces() -> None:
    assert read("mistral", "hello</s>", 2, ("</s>",))[:2] == ("hello", "")


@pytest.mark.parametrize(
    ("template", "parser"),
    [
        ("… <tool_call>{{ x }}</tool_call>", "hermes"),
        ("[TOOL_CALLS]{{ x }}", "mistral"),
        ("{{ '<|python_tag|>' }}", "llama3_json"),
    ],
)
def test_the_chat_template_tells_how_calls_are_written(template: str, parser: str) -> None:
    assert tools.parser_of("", template) == parser
    assert tools.parser_of("qwen", template) == "hermes"


def test_what_has_to_be_called() -> None:
    named = structure.tools_of(
        {"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "weather"}}}
    )
    guide = named.guide()
    assert guide is not None
    assert json.loads(guide.text) == FUNCTION["parameters"]
    reader = named.reader("hermes", ())
    assert isinstance(reader, tools.Named)
    reader.add('{"city": "Paris"}')
    assert [(each.name, each.arguments) for each in reader.rest()[1]] == [("weather", '{"city": "Paris"}')]
    required = structure.tools_of({"tools": TOOLS, "tool_choice": "required"})
    guide = required.guide()
    assert guide is not None
    schema = json.loads(guide.text)
    assert (schema["type"], schema["minItems"]) == ("array", 1)
    reader = required.reader("hermes", ())
    assert isinstance(reader, tools.Named)
    reader.add('[{"name": "weather", "parameters": {"city": "Paris"}}]')
    assert [[each.name, json.loads(each.arguments)] for each in reader.rest()[1]] == [PARIS]


def test_who_may_choose() -> None:
    assert structure.tools_of({}).choice == "none"
    assert structure.tools_of({"tools": TOOLS}).choice == "auto"
    assert structure.tools_of({"tools": TOOLS, "tool_choice": "none"}).reader("hermes", ()) is None
    for body in (
        {"tool_choice": "required"},
        {"tools": TOOLS, "tool_choice": "always"},
        {"tools": TOOLS, "tool_choice": {"function": {"name": "nobody"}}},
    ):
        with pytest.raises(ParameterError) as found:
            structure.tools_of(body)
        assert found.value.param == "tool_choice"


@pytest.mark.parametrize(
    ("body", "guide"),
    [
        ({}, None),
        ({"response_format": {"type": "text"}}, None),
        ({"response_format": {"type": "json_object"}}, Guide("json", '{"type": "object"}')),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "n", "schema": {"const": 1}},
                }
            },
            Guide("json", '{"const": 1}'),
        ),
        ({"structured_outputs": {"regex": "a+"}}, Guide("regex", "a+", "structured_outputs")),
        ({"guided_choice": ["a", "b.c"]}, Guide("regex", r"(a)|(b\.c)", "guided_choice")),
        ({"guided_json": {"const": 1}}, Guide("json", '{"const": 1}', "guided_json")),
        ({"guided_grammar": "start: /a/"}, Guide("grammar", "start: /a/", "guided_grammar")),
    ],
)
def test_forms(body: dict[str, Any], guide: Guide | None) -> None:
    assert structure.guide_of(body) == guide


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"response_format": {"type": "table"}}, "response_format"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"structured_outputs": {"choice": []}}, "structured_outputs"),
        ({"structured_outputs": "json"}, "structured_outputs"),
        ({"response_format": {"type": "json_object"}, "guided_regex": "a"}, "guided_regex"),
    ],
)
def test_forms_that_cannot_be(body: dict[str, Any], param: str) -> None:
    with pytest.raises(ParameterError) as found:
        structure.guide_of(body)
    assert found.value.param == param
