"""Messages of a chat as a chat template takes them. Pure; used by `language_model`.

Source: kserve 0.20 python/huggingfaceserver/huggingfaceserver/generative_model.py (texts alone, parts joined by lines,
arguments of tool calls as objects).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sampan.components.serving.engine.programs.modelserver.contract import ParameterError

_PASSED_ON = ("name", "tool_call_id", "reasoning_content", "reasoning")


def messages_of(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Raises ModelError."""
    told = body.get("messages")
    if not isinstance(told, list) or not told:
        raise ParameterError("messages", "'messages' has to be a list with at least one message")
    return [_message(place, each) for place, each in enumerate(told)]


def without_developers(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What OpenAI calls the developer's, in the word of templates that do not know it: the system's."""
    return [{**each, "role": "system"} if each["role"] == "developer" else each for each in messages]


def template_arguments(body: Mapping[str, Any]) -> dict[str, Any]:
    """Of `apply_chat_template`. Raises ModelError."""
    tools, documents = body.get("tools"), body.get("documents")
    for name, value in (("tools", tools), ("documents", documents)):
        if value is not None and not (
            isinstance(value, list) and all(isinstance(each, dict) for each in value)
        ):
            raise ParameterError(name, f"'{name}' has to be a list of objects")
    more = body.get("chat_template_kwargs") or {}
    if not isinstance(more, dict):
        raise ParameterError("chat_template_kwargs", "'chat_template_kwargs' has to be an object")
    template = body.get("chat_template")
    if template is not None and not isinstance(template, str):
        raise ParameterError("chat_template", "'chat_template' has to be a text")
    continues = body.get("continue_final_message") or False
    adds = body.get("add_generation_prompt")
    adds = not continues if adds is None else adds
    if continues and adds:
        raise ParameterError(
            "continue_final_message",
            "'continue_final_message' and 'add_generation_prompt' exclude one another",
        )
    given = {**more, "tools": tools or None, "documents": documents, "chat_template": template}
    given |= {
        "add_generation_prompt": bool(adds),
        "continue_final_message": bool(continues),
        "tokenize": False,
    }
    return given


def _message(place: int, told: Any) -> dict[str, Any]:
    where = f"messages[{place}]"
    if not isinstance(told, Mapping) or not isinstance(told.get("role"), str):
        raise ParameterError(where, f"{where} has to be an object with a role")
    made = {"role": told["role"], "content": _content(where, told.get("content"))}
    made |= {name: told[name] for name in _PASSED_ON if isinstance(told.get(name), str)}
    if told.get("tool_calls"):
        made["tool_calls"] = _calls(where, told["tool_calls"])
    return made


def _content(where: str, told: Any) -> str:
    if told is None or isinstance(told, str):
        return told or ""
    if not isinstance(told, list):
        raise ParameterError(where, f"the content of {where} has to be a text or a list of parts")
    texts = []
    for part in told:
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind not in ("text", "input_text") or not isinstance(part.get("text"), str):
            raise ParameterError(where, f"Unknown part type: {kind}: {where} may have texts alone")
        texts.append(part["text"])
    return "\n".join(texts)


def _calls(where: str, told: Any) -> list[dict[str, Any]]:
    try:
        return [
            {**call, "function": {**call["function"], "arguments": _arguments(call["function"])}}
            for call in told
        ]
    except (KeyError, TypeError, ValueError):
        raise ParameterError(where, f"{where} has tool_calls that are none") from None


def _arguments(function: Mapping[str, Any]) -> Any:
    told = function["arguments"]
    return json.loads(told) if isinstance(told, str) else told
