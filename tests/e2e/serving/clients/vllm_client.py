"""OpenAI's own client, unmodified, with a server that stands at vLLM's place: what it gets, as JSON.

Called with the address; the model has learned what `cases/taught_language_model.py` teaches.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import openai

client = openai.OpenAI(base_url=sys.argv[1], api_key="sesame", max_retries=0)
CITY = {"city": {"type": "string", "maxLength": 12}}
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": CITY,
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
NAMED: Any = {"type": "function", "function": {"name": "weather"}}
SCHEMA: Any = {
    "type": "object",
    "properties": {"count": {"type": "integer", "minimum": 0, "maximum": 99}, "unit": {"enum": ["C", "F"]}},
    "required": ["count", "unit"],
    "additionalProperties": False,
}


def chat(text: str, model: str = "tiny", **more: Any) -> Any:
    messages: Any = [{"role": "user", "content": text}]
    return client.chat.completions.create(model=model, messages=messages, temperature=0, **more)


def calls(answer: Any) -> list[Any]:
    choice = answer.choices[0]
    told = [
        [each.function.name, json.loads(each.function.arguments)] for each in choice.message.tool_calls or []
    ]
    return [choice.message.content, told, choice.finish_reason]


def streamed_calls() -> list[Any]:
    chunks = [each.choices[0] for each in chat("weather in paris", tools=[WEATHER], stream=True)]
    text = "".join(each.delta.content or "" for each in chunks)
    told = [each for chunk in chunks for each in chunk.delta.tool_calls or []]
    written = [[each.index, each.function.name, json.loads(each.function.arguments)] for each in told]
    return [text, written, chunks[-1].finish_reason]


def formed(**more: Any) -> Any:
    return chat("hello", **more).choices[0].message.content


def thought(**more: Any) -> list[Any]:
    message = chat("think", **more).choices[0].message
    assert message.reasoning == message.reasoning_content
    return [message.reasoning, message.content]


def streamed_thought() -> list[Any]:
    deltas = [each.choices[0].delta for each in chat("think", stream=True)]
    thought = "".join(getattr(each, "reasoning", None) or "" for each in deltas)
    return [thought, "".join(each.content or "" for each in deltas)]


def closed() -> Any:
    """It would write a call of a tool, which is JSON, too."""
    schema: Any = {"type": "object", "properties": {"unit": {"enum": ["C", "F"]}}}
    form: Any = {"type": "json_schema", "json_schema": {"name": "unit", "schema": schema}}
    return json.loads(
        chat("weather in paris", response_format=form, max_tokens=60).choices[0].message.content
    )


def stopped() -> list[Any]:
    choice = chat("hello", stop=["friend"]).choices[0]
    return [choice.message.content, choice.finish_reason, choice.stop_reason]


def beams() -> list[str]:
    more: Any = {"use_beam_search": True}
    return [each.message.content for each in chat("hello", n=2, max_tokens=40, extra_body=more).choices]


def counts() -> list[int]:
    options: Any = {"include_usage": True, "continuous_usage_stats": True}
    return [each.usage.completion_tokens for each in chat("hello", stream=True, stream_options=options)]


def responded() -> list[Any]:
    more: Any = {"model": "tiny", "temperature": 0}
    tool: Any = {"type": "function", **WEATHER["function"]}
    thought = client.responses.create(input="think", **more)
    call = client.responses.create(input="weather in paris", tools=[tool], **more)
    with client.responses.stream(input="hello", **more) as stream:
        kinds = [each.type for each in stream]
        last = stream.get_final_response()
    cut = client.responses.create(input="hello", max_output_tokens=2, instructions="speak", **more)
    return [
        [each.type for each in thought.output],
        thought.output_text,
        [[each.name, json.loads(each.arguments)] for each in call.output if each.type == "function_call"],
        [kinds[0], kinds[-1], kinds.count("response.output_text.delta") > 3],
        [last.output_text, last.usage.output_tokens > 3],
        [cut.status, cut.incomplete_details.reason],
    ]


def refused(make: Any) -> list[Any]:
    try:
        make()
    except openai.APIStatusError as error:
        return [error.status_code, (error.body or {}).get("param"), error.message]
    raise AssertionError("it was answered")


def main() -> None:
    schema: Any = {"type": "json_schema", "json_schema": {"name": "measure", "schema": SCHEMA}}
    nonsense: Any = {"type": "json_schema", "json_schema": {"name": "no", "schema": {"type": "nonsense"}}}
    stranger = openai.OpenAI(base_url=sys.argv[1], api_key="nobody", max_retries=0)
    parsed = [json.loads(formed(response_format=schema, max_tokens=60)) for _ in range(2)]
    found = {
        "models": [[each.id, each.parent] for each in client.models.list()],  # type: ignore[attr-defined]
        "hello": chat("hello").choices[0].message.content,
        "alias": chat("hello", "publishers/a/models/tiny").choices[0].message.content,
        "adapter": chat("hello", "polite", max_tokens=24).choices[0].message.content,
        "calls": calls(chat("weather in paris", tools=[WEATHER])),
        "no_tools": chat("weather in paris").choices[0].message.content,
        "streamed_calls": streamed_calls(),
        "named": calls(chat("hello", tools=[WEATHER], tool_choice=NAMED, max_tokens=80)),
        "parsed": parsed,
        "streamed_form": "".join(
            each.choices[0].delta.content or ""
            for each in chat("hello", response_format=schema, max_tokens=60, stream=True)
        ),
        "closed": closed(),
        "chosen": formed(extra_body={"structured_outputs": {"choice": ["red", "green"]}}),
        "matched": formed(extra_body={"guided_regex": "[0-9]{3}-[a-f]{2}"}),
        "drawn": [
            chat("zebras", max_tokens=16, extra_body={"temperature": 2.0}, seed=seed)
            .choices[0]
            .message.content
            for seed in (1, 1, 2, 3)
        ],
        "responded": responded(),
        "thought": thought(),
        "streamed_thought": streamed_thought(),
        "thought_form": thought(extra_body={"structured_outputs": {"choice": ["red", "green"]}}),
        "beams": beams(),
        "stopped": stopped(),
        "prompt": chat("hello", extra_body={"prompt_logprobs": 1}).prompt_logprobs,
        "counts": counts(),
        "nonsense": refused(lambda: chat("hello", response_format=nonsense)),
        "unknown": refused(lambda: chat("hello", "nobody")),
        "stranger": refused(lambda: stranger.models.list()),
    }
    print(json.dumps(found))


main()
