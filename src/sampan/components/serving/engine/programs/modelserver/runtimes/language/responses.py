"""OpenAI's Responses: a request as a chat, and what is written as its items, whole or as a stream of events. Pure.

Nothing is stored: a request has the whole talk in `input`, as with vLLM unless it is told otherwise. Source:
openai/openai-openapi openapi.yaml (CreateResponse, Response, ResponseStreamEvent); vllm-project/vllm 0.19
vllm/entrypoints/openai/responses/{protocol,serving}.py.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from sampan.components.serving.engine.programs.modelserver.contract import FormError, ParameterError
from sampan.components.serving.engine.programs.modelserver.runtimes.language.answers import Usage
from sampan.components.serving.engine.programs.modelserver.runtimes.language.rows import LENGTH, Piece
from sampan.components.serving.engine.programs.modelserver.runtimes.language.tools import Call

_SAME = (
    *("model", "temperature", "top_p", "stream", "tool_choice", "parallel_tool_calls", "seed", "stop"),
    *("top_k", "min_p", "repetition_penalty", "chat_template_kwargs", "structured_outputs", "ignore_eos"),
    *("min_tokens", "stop_token_ids", "frequency_penalty", "presence_penalty"),
)
"""Fields of a chat's, too."""
_TOLD = (
    "temperature",
    "top_p",
    "tools",
    "tool_choice",
    "instructions",
    "metadata",
    "reasoning",
    "text",
    "user",
)
_STORED = "'{}' is not supported: no response is stored here. Send the whole talk in 'input'"
Item = Mapping[str, Any]


def chat_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """The request as one of a chat. Raises ModelError."""
    for name in ("previous_response_id", "conversation", "prompt"):
        if body.get(name):
            raise ParameterError(name, _STORED.format(name))
    if body.get("background"):
        raise ParameterError("background", "'background' is not supported: no response is stored here")
    made = {key: body[key] for key in _SAME if body.get(key) is not None}
    made["messages"] = [*_instructions(body), *_messages(body.get("input"))]
    if body.get("max_output_tokens") is not None:
        made["max_completion_tokens"] = body["max_output_tokens"]
    if body.get("tools"):
        made["tools"] = _tools(body["tools"])
    if isinstance(choice := body.get("tool_choice"), Mapping):
        made["tool_choice"] = {"type": "function", "function": {"name": choice.get("name")}}
    if (form := _format(body.get("text"))) is not None:
        made["response_format"] = form
    return made


def _instructions(body: Mapping[str, Any]) -> list[Item]:
    told = body.get("instructions")
    if told is None:
        return []
    if not isinstance(told, str):
        raise FormError("instructions", "'instructions' has to be a text")
    return [{"role": "system", "content": told}]


def _messages(told: Any) -> Sequence[Item]:
    if isinstance(told, str):
        return [{"role": "user", "content": told}]
    if not isinstance(told, list) or not told or not all(isinstance(each, Mapping) for each in told):
        raise FormError("input", "'input' has to be a text, or a list of items")
    found: list[dict[str, Any]] = []
    for place, item in enumerate(told):
        kind = item.get("type", "message")
        if kind == "message":
            found.append({"role": item.get("role"), "content": _content(place, item.get("content"))})
        elif kind == "function_call":
            _add_call(found, item)
        elif kind == "function_call_output":
            output = item.get("output")
            text = output if isinstance(output, str) else _content(place, output)
            found.append({"role": "tool", "tool_call_id": str(item.get("call_id")), "content": text})
        elif kind != "reasoning":
            raise ParameterError(
                f"input[{place}]", f"input[{place}] is of the type {kind}, which is not served"
            )
    return found


def _add_call(found: list[dict[str, Any]], item: Item) -> None:
    """Calls of one turn stand together."""
    function = {"name": item.get("name"), "arguments": item.get("arguments") or "{}"}
    call = {"id": item.get("call_id"), "type": "function", "function": function}
    if not found or found[-1]["role"] != "assistant":
        found.append({"role": "assistant", "content": ""})
    found[-1].setdefault("tool_calls", []).append(call)


def _content(place: int, told: Any) -> Any:
    if told is None or isinstance(told, str):
        return told or ""
    texts = []
    for part in told if isinstance(told, list) else [told]:
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind not in ("input_text", "output_text", "text") or not isinstance(part.get("text"), str):
            raise ParameterError(f"input[{place}]", f"input[{place}] may have texts alone, not {kind}")
        texts.append({"type": "text", "text": part["text"]})
    return texts


def _tools(told: Any) -> list[Item]:
    """A chat's have one level more."""
    if not isinstance(told, list) or not all(isinstance(each, Mapping) for each in told):
        raise FormError("tools", "'tools' has to be a list of objects")
    for each in told:
        if each.get("type") != "function":
            raise ParameterError(
                "tools", f"tools of the type {each.get('type')} are not served: functions are"
            )
    return [
        {"type": "function", "function": {key: value for key, value in each.items() if key != "type"}}
        for each in told
    ]


def _format(told: Any) -> Item | None:
    found = told.get("format") if isinstance(told, Mapping) else None
    if not isinstance(found, Mapping):
        return None
    if found.get("type") != "json_schema":
        return found
    return {"type": "json_schema", "json_schema": {key: found[key] for key in found if key != "type"}}


class ResponseForm:
    """Of one response. A `speaking.Form`."""

    def __init__(self, model: str, body: Mapping[str, Any]) -> None:
        self._body = body
        self._head = {
            "id": f"resp_{uuid.uuid4().hex}",
            "object": "response",
            "created_at": int(time.time()),
            "model": model,
        }
        self._number = 0
        self._done: list[dict[str, Any]] = []
        self._open: dict[str, Any] | None = None
        self._finish: str | None = None

    def whole(
        self, texts: Sequence[Piece], usage: Usage, calls: Sequence[Sequence[Call]] = ()
    ) -> dict[str, Any]:
        piece = texts[0]
        items = [_thought(piece.thought)] if piece.thought else []
        own = calls[0] if calls else ()
        if piece.text or not own:
            items.append(_message(piece.text))
        items += [_call(each) for each in own]
        return self._response(items, piece.finish, usage)

    def opening(self, count: int) -> list[bytes]:
        begun = {**self._response([], None, None), "status": "in_progress"}
        return [
            self._event("response.created", response=begun),
            self._event("response.in_progress", response=begun),
        ]

    def part(self, index: int, piece: Piece) -> list[bytes]:
        found: list[bytes] = []
        if piece.thought:
            found += self._begun("reasoning")
            found.append(self._delta("response.reasoning_text.delta", piece.thought))
        if piece.text:
            found += self._begun("message")
            found.append(self._delta("response.output_text.delta", piece.text, logprobs=[]))
        self._finish = piece.finish or self._finish
        return found

    def calls(self, index: int, calls: Sequence[Call]) -> list[bytes]:
        found = list(self._closed())
        for each in calls:
            item = _call(each)
            at = {"output_index": len(self._done), "item_id": item["id"]}
            empty = {**item, "arguments": "", "status": "in_progress"}
            told = item["arguments"]
            found += [
                self._event("response.output_item.added", output_index=len(self._done), item=empty),
                self._event("response.function_call_arguments.delta", delta=told, **at),
                self._event("response.function_call_arguments.done", arguments=told, name=item["name"], **at),
                self._event("response.output_item.done", output_index=len(self._done), item=item),
            ]
            self._done.append(item)
        return found

    def closing(self, usage: Usage, *, is_wanted: bool) -> list[bytes]:
        """A response always says how many tokens there were."""
        found = (
            list(self._closed()) if self._open or self._done else [*self._begun("message"), *self._closed()]
        )
        made = self._response(self._done, self._finish, usage)
        kind = "response.incomplete" if made["status"] == "incomplete" else "response.completed"
        return [*found, self._event(kind, response=made)]

    def failure(self, message: str) -> list[bytes]:
        made = {
            **self._response(self._done, None, None),
            "status": "failed",
            "error": {"code": "server_error", "message": message},
        }
        return [self._event("response.failed", response=made)]

    def ending(self) -> list[bytes]:
        """The last event says that it is the last."""
        return []

    def _response(self, items: Sequence[Item], finish: str | None, usage: Usage | None) -> dict[str, Any]:
        body = self._body
        is_cut = finish == LENGTH
        return {
            **self._head,
            "status": "incomplete" if is_cut else "completed",
            "incomplete_details": {"reason": "max_output_tokens"} if is_cut else None,
            "error": None,
            "output": list(items),
            **{key: body.get(key) for key in _TOLD},
            "tools": body.get("tools") or [],
            "tool_choice": body.get("tool_choice") or "auto",
            "parallel_tool_calls": body.get("parallel_tool_calls") is not False,
            "max_output_tokens": body.get("max_output_tokens"),
            "previous_response_id": None,
            "store": False,
            "truncation": body.get("truncation") or "disabled",
            "text": body.get("text") or {"format": {"type": "text"}},
            "usage": None if usage is None else _usage(usage),
        }

    def _begun(self, kind: str) -> Iterator[bytes]:
        if self._open is not None and self._open["type"] == kind:
            return
        yield from self._closed()
        self._open = {**(_thought("") if kind == "reasoning" else _message("")), "status": "in_progress"}
        at = {"output_index": len(self._done), "item_id": self._open["id"], "content_index": 0}
        empty = {**self._open, "content": []}
        yield self._event("response.output_item.added", output_index=len(self._done), item=empty)
        yield self._event("response.content_part.added", part=dict(self._open["content"][0]), **at)

    def _delta(self, kind: str, text: str, **more: Any) -> bytes:
        assert self._open is not None
        self._open["content"][0]["text"] += text
        at = {"output_index": len(self._done), "item_id": self._open["id"], "content_index": 0}
        return self._event(kind, delta=text, **at, **more)

    def _closed(self) -> Iterator[bytes]:
        item = self._open
        if item is None:
            return
        self._open = None
        item["status"] = "completed"
        part = item["content"][0]
        at = {"output_index": len(self._done), "item_id": item["id"], "content_index": 0}
        if item["type"] == "reasoning":
            yield self._event("response.reasoning_text.done", text=part["text"], **at)
        else:
            yield self._event("response.output_text.done", text=part["text"], logprobs=[], **at)
        yield self._event("response.content_part.done", part=part, **at)
        yield self._event("response.output_item.done", output_index=len(self._done), item=item)
        self._done.append(item)

    def _event(self, kind: str, **more: Any) -> bytes:
        told = {"type": kind, "sequence_number": self._number, **more}
        self._number += 1
        return b"event: " + kind.encode() + b"\ndata: " + orjson.dumps(told) + b"\n\n"


def _message(text: str) -> dict[str, Any]:
    return {
        "id": f"msg_{uuid.uuid4().hex}",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}],
    }


def _thought(text: str) -> dict[str, Any]:
    return {
        "id": f"rs_{uuid.uuid4().hex}",
        "type": "reasoning",
        "summary": [],
        "status": "completed",
        "content": [{"type": "reasoning_text", "text": text}],
    }


def _call(call: Call) -> dict[str, Any]:
    return {
        "id": f"fc_{uuid.uuid4().hex}",
        "type": "function_call",
        "call_id": call.id,
        "name": call.name,
        "arguments": call.arguments,
        "status": "completed",
    }


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": usage.written,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.prompt + usage.written,
    }
