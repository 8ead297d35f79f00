"""OpenAI's own client, unmodified: what it gets of a model, as JSON. Called with the address, and the model's name."""

from __future__ import annotations

import json
import sys
from typing import Any

import openai

client = openai.OpenAI(base_url=sys.argv[1], api_key="none", max_retries=0)
MODEL = sys.argv[2]
MESSAGES: Any = [
    {"role": "user", "content": [{"type": "text", "text": "hello"}, {"type": "text", "text": "paris"}]}
]


def chat(**more: Any) -> Any:
    return client.chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=12, **more)


def streamed() -> dict[str, Any]:
    chunks = list(chat(stream=True, stream_options={"include_usage": True}))
    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    return {
        "role": choices[0].delta.role,
        "text": "".join(each.delta.content or "" for each in choices),
        "finish": [each.finish_reason for each in choices],
        "usage": chunks[-1].usage.model_dump(exclude_none=True),
        "chunks": len(choices),
    }


def refused(**wrong: Any) -> list[Any]:
    try:
        chat(**wrong)
    except openai.APIStatusError as error:
        return [error.status_code, error.body["param"], error.message]
    raise AssertionError(wrong)


def of_model(name: str) -> int:
    try:
        client.chat.completions.create(model=name, messages=MESSAGES)
    except openai.APIStatusError as error:
        return error.status_code
    return 200


def main() -> None:
    whole = chat(logprobs=True, top_logprobs=2)
    drawn = [
        [each.message.content for each in chat(n=3, temperature=1.0, top_p=0.9, seed=seed).choices]
        for seed in (5, 5, 6)
    ]
    completion = client.completions.create(
        model=MODEL, prompt=["the quick", "paris"], max_tokens=8, echo=True, logprobs=1
    )
    text = whole.choices[0].message.content
    stopped = chat(stop=[text[4:6]])
    found = {
        "models": [each.id for each in client.models.list()],
        "model": client.models.retrieve(MODEL).id,
        "text": text,
        "finish": whole.choices[0].finish_reason,
        "logprobs": [
            [each.logprob, [one.logprob for one in each.top_logprobs]]
            for each in whole.choices[0].logprobs.content
        ],
        "usage": whole.usage.model_dump(exclude_none=True),
        "streamed": streamed(),
        "drawn": drawn,
        "echoed": [each.text for each in completion.choices],
        "prompt_logprobs": completion.choices[0].logprobs.token_logprobs,
        "stopped": [stopped.choices[0].message.content, stopped.choices[0].finish_reason],
        "refused": [
            refused(temperature=3.0),
            refused(tool_choice="required"),
            refused(extra_body={"stop": 7}),
        ],
        "unknown": of_model("nobody"),
        "too_long": refused(extra_body={"max_tokens": 4000})[0],
    }
    print(json.dumps(found))


main()
