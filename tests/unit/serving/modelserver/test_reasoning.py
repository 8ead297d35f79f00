"""What a model thinks, told apart from what it says, however the text comes."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.components.serving.engine.programs.modelserver.runtimes.language.reasoning import (
    thinking,
    thoughts,
)
from sampan.components.serving.engine.programs.modelserver.runtimes.language.rows import Piece
from sampan.components.serving.engine.programs.modelserver.runtimes.language.speaking import Listener
from sampan.components.serving.engine.programs.modelserver.runtimes.language.tools import HERMES, Reading

OFF = {"chat_template_kwargs": {"enable_thinking": False}}
CALL = '<tool_call>{"name": "f", "arguments": {}}</tool_call>'


def told(parser: str, text: str, size: int, body: dict[str, Any]) -> tuple[str, str]:
    found = thinking(parser, body)
    assert found is not None
    pairs = [found.add(text[place : place + size]) for place in range(0, len(text), size)]
    pairs.append(found.rest())
    return "".join(thought for thought, _ in pairs), "".join(said for _, said in pairs)


@pytest.mark.parametrize("size", [1, 2, 5, 100])
@pytest.mark.parametrize(
    ("parser", "text", "body", "wanted"),
    [
        ("deepseek_r1", "<think>one</think>two", {}, ("one", "two")),
        ("deepseek_r1", "one</think>two", {}, ("one", "two")),
        ("deepseek_r1", "one", {}, ("one", "")),
        ("deepseek_r1", "one </thin", {}, ("one </thin", "")),
        ("deepseek_r1", "<", {}, ("<", "")),
        ("qwen3", "\n<think>\none\n</think>\n\ntwo <think>", {}, ("\none\n", "\n\ntwo <think>")),
        ("qwen3", "two", OFF, ("", "two")),
        ("qwen3", "<think></think>two", OFF, ("", "two")),
        ("deepseek_v3", "two", {}, ("", "two")),
        ("deepseek_v3", "a</think>b", {"chat_template_kwargs": {"thinking": True}}, ("a", "b")),
        ("mistral", "[THINK]one[/THINK]two", {}, ("one", "two")),
        ("mistral", "two [THINK]", {}, ("", "two [THINK]")),
        ("granite", "Here is my thought process: a Here is my response: b", {}, (" a ", " b")),
    ],
)
def test_thoughts_are_told_apart(
    size: int, parser: str, text: str, body: dict[str, Any], wanted: tuple[str, str]
) -> None:
    assert told(parser, text, size, body) == wanted


def test_where_nothing_is_told_apart_nobody_listens() -> None:
    assert thinking("", {}) is None


def test_a_call_comes_after_the_thought() -> None:
    listener = Listener(thinking("deepseek_r1", {}), Reading(HERMES, ["f"]))
    first, none = listener.hear(Piece("maybe <tool_call>", tokens=3))
    assert (first.thought, first.text, none) == ("maybe <tool_call>", "", [])
    last, calls = listener.hear(Piece(f"</think>well {CALL}", tokens=9, finish="stop"))
    assert (last.thought, last.text, last.finish) == ("", "well ", "tool_calls")
    assert [each.name for each in calls] == ["f"]


@pytest.mark.parametrize(
    ("parser", "body", "heard", "next_", "goes_on"),
    [
        ("deepseek_r1", {}, "", "x", True),
        ("qwen3", OFF, "", "{", False),
        ("qwen3", OFF, "", "<thi", True),
        ("mistral", {}, "", "[", True),
        ("mistral", {}, "[", "1", False),
        ("mistral", {}, "[THINK]", "1", True),
    ],
)
def test_thoughts_have_no_form(
    parser: str, body: dict[str, Any], heard: str, next_: str, goes_on: bool
) -> None:
    found = thoughts(parser, body)
    assert found is not None
    assert not found.hear(heard)
    assert found.may_go_on(next_) is goes_on


def test_the_form_begins_where_the_thought_ends() -> None:
    found = thoughts("mistral", {})
    assert found is not None
    assert [found.hear(each) for each in ("[THI", "NK]a", "[/THI", "NK]")] == [False, False, False, True]
    assert thoughts("", {}) is None
