"""OpenAI's Responses: which chat a request is, and which items and events come of what is written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sampan.components.serving.engine.programs.modelserver.contract import ModelError
from sampan.components.serving.engine.programs.modelserver.runtimes.language import conversations
from sampan.components.serving.engine.programs.modelserver.runtimes.language.answers import Usage
from sampan.components.serving.engine.programs.modelserver.runtimes.language.responses import (
    ResponseForm,
    chat_of,
)
from sampan.components.serving.engine.programs.modelserver.runtimes.language.rows import Piece
from sampan.components.serving.engine.programs.modelserver.runtimes.language.tools import Call


def test_a_request_is_a_chat() -> None:
    made = chat_of(
        {
            "model": "m",
            "instructions": "be short",
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "a"}]},
                {"type": "reasoning", "summary": []},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "b"}]},
                {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"},
                {"type": "function_call", "call_id": "2", "name": "g", "arguments": '{"x": 1}'},
                {"type": "function_call_output", "call_id": "1", "output": "c"},
            ],
            "max_output_tokens": 7,
            "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True}],
            "tool_choice": {"type": "function", "name": "f"},
            "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}},
            "temperature": 0,
            "store": True,
        }
    )
    roles = [each["role"] for each in made["messages"]]
    assert roles == ["system", "user", "assistant", "tool"]
    assert [each["function"]["name"] for each in made["messages"][2]["tool_calls"]] == ["f", "g"]
    assert made["messages"][3]["tool_call_id"] == "1"
    assert made["max_completion_tokens"] == 7
    assert made["tools"][0]["function"]["name"] == "f"
    assert made["tool_choice"] == {"type": "function", "function": {"name": "f"}}
    assert made["response_format"]["json_schema"] == {"name": "n", "schema": {"type": "object"}}
    assert conversations.messages_of(made)[2]["tool_calls"][1]["function"]["arguments"] == {"x": 1}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"input": []},
        {"input": [1]},
        {"input": [{"type": "image_generation_call"}]},
        {"input": [{"role": "user", "content": [{"type": "input_image"}]}]},
        {"input": "a", "previous_response_id": "resp_1"},
        {"input": "a", "background": True},
        {"input": "a", "tools": [{"type": "web_search"}]},
        {"input": "a", "instructions": 1},
    ],
)
def test_what_is_not_served_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(ModelError):
        chat_of(body)


def test_developers_are_the_system_where_a_template_does_not_know_them() -> None:
    told = conversations.without_developers(
        [{"role": "developer", "content": "a"}, {"role": "user", "content": "b"}]
    )
    assert [each["role"] for each in told] == ["system", "user"]


def test_thoughts_texts_and_calls_are_items() -> None:
    piece = Piece("said", (), 5, "tool_calls", thought="thought")
    made = ResponseForm("m", {"temperature": 0.5}).whole([piece], Usage(3, 5), [[Call("f", "{}", "c1")]])
    assert [each["type"] for each in made["output"]] == ["reasoning", "message", "function_call"]
    assert made["output"][2]["call_id"] == "c1"
    assert (made["status"], made["usage"]["total_tokens"], made["temperature"]) == ("completed", 8, 0.5)
    cut = ResponseForm("m", {}).whole([Piece("", (), 5, "length")], Usage(3, 5))
    assert (cut["status"], cut["incomplete_details"]["reason"]) == ("incomplete", "max_output_tokens")
    assert cut["output"][0]["content"][0]["text"] == ""


def events_of(form: ResponseForm, *pieces: Piece, calls: list[Call] | None = None) -> list[dict[str, Any]]:
    found = form.opening(1)
    for piece in pieces:
        found += form.part(0, piece)
    found += form.calls(0, calls) if calls else []
    found += [*form.closing(Usage(3, 5), is_wanted=False), *form.ending()]
    return [json.loads(each.split(b"data: ")[1]) for each in found]


def test_a_stream_is_of_events_in_their_order() -> None:
    pieces = [
        Piece("", thought="I "),
        Piece("", thought="think"),
        Piece("so"),
        Piece("", finish="tool_calls"),
    ]
    events = events_of(ResponseForm("m", {}), *pieces, calls=[Call("f", '{"x": 1}', "c1")])
    assert [each["sequence_number"] for each in events] == list(range(len(events)))
    assert [each["type"].removeprefix("response.") for each in events] == [
        *("created", "in_progress"),
        *("output_item.added", "content_part.added", "reasoning_text.delta", "reasoning_text.delta"),
        *("reasoning_text.done", "content_part.done", "output_item.done"),
        *("output_item.added", "content_part.added", "output_text.delta"),
        *("output_text.done", "content_part.done", "output_item.done"),
        *("output_item.added", "function_call_arguments.delta", "function_call_arguments.done"),
        *("output_item.done", "completed"),
    ]
    places = [each["output_index"] for each in events if "output_index" in each]
    assert places == sorted(places)
    last = events[-1]["response"]
    assert [each["type"] for each in last["output"]] == ["reasoning", "message", "function_call"]
    assert last["output"][0]["content"][0]["text"] == "I think"
    assert last["usage"]["output_tokens"] == 5


def test_a_stream_of_nothing_has_an_empty_message_and_one_that_is_cut_says_so() -> None:
    events = events_of(ResponseForm("m", {}), Piece("", finish="length"))
    assert events[-1]["type"] == "response.incomplete"
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == ""


def test_a_stream_that_fails_says_why() -> None:
    (event,) = ResponseForm("m", {}).failure("no memory")
    told = json.loads(event.split(b"data: ")[1])
    assert (told["type"], told["response"]["error"]["message"]) == ("response.failed", "no memory")
