"""Go's text templates, as far as LLMInferenceServiceConfigs have them: fields, conditions, three functions. Pure.

Each text of a configuration is a template of its own: upstream executes the whole as one document of JSON, where what
is filled in may break it; here it stays the text's. Known are `.A.B`, texts and numbers, `if`, `else`, `else if`,
`end`, `and`, `or`, `not`, `eq`, `ne`, parentheses, and `ChildName`, `shutdownTimeout`, `kvTransferConfig`. Source: Go
1.24 text/template; kserve/kserve 0.20 pkg/controller/v1alpha2/llmisvc/config_merge.go (ReplaceVariables).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sampan.components.serving.engine.language_models import names
from sampan.kube import quantities

_ACTION = re.compile(r"\{\{(-\s)?(.*?)(\s-)?\}\}", re.DOTALL)
_TOKEN = re.compile(r'\s*(?:(?P<text>"(?:[^"\\]|\\.)*"|`[^`]*`)|(?P<other>[()]|[^\s()]+))', re.DOTALL)
_GRACE = 60


class TemplateError(Exception):
    """What is not understood, or not there."""


def filled(value: Any, data: Mapping[str, Any]) -> Any:
    """All texts in it, filled in. Raises TemplateError."""
    if isinstance(value, str):
        return _text(value, data) if "{{" in value else value
    if isinstance(value, dict):
        return {key: filled(each, data) for key, each in value.items()}
    if isinstance(value, list):
        return [filled(each, data) for each in value]
    return value


def checked(value: Any) -> None:
    """Whether all texts in it can be read. Raises TemplateError."""
    if isinstance(value, str) and "{{" in value:
        _, rest = _block(_split(value), {}, is_on=False)
        if rest:
            raise TemplateError(f"{{{{ {rest[0][1]} }}}} without an if, in {_short(value)}")
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            checked(each)


def _text(template: str, data: Mapping[str, Any]) -> str:
    pieces = _split(template)
    made, rest = _block(pieces, data, is_on=True)
    if rest:
        raise TemplateError(f"{{{{ {rest[0][1]} }}}} without an if, in {_short(template)}")
    return made


def _split(template: str) -> list[tuple[bool, str]]:
    """Texts, and actions (True), with the blanks gone that actions take away."""
    found: list[tuple[bool, str]] = []
    at, trims = 0, False
    for match in _ACTION.finditer(template):
        plain = template[at : match.start()]
        plain = plain.lstrip() if trims else plain
        found.append((False, plain.rstrip() if match[1] else plain))
        found.append((True, match[2].strip()))
        at, trims = match.end(), bool(match[3])
    last = template[at:]
    if "{{" in last:
        raise TemplateError(f"an action does not end, in {_short(template)}")
    found.append((False, last.lstrip() if trims else last))
    return found


def _block(
    pieces: list[tuple[bool, str]], data: Mapping[str, Any], *, is_on: bool
) -> tuple[str, list[tuple[bool, str]]]:
    """What the pieces say, up to an `else` or `end` that is not theirs, and what is left from there."""
    made: list[str] = []
    while pieces:
        is_action, content = pieces[0]
        if not is_action:
            made.append(content if is_on else "")
            pieces = pieces[1:]
            continue
        word = content.partition(" ")[0]
        if word in ("end", "else"):
            return "".join(made), pieces
        if word == "if":
            told, pieces = _condition(content[2:], pieces[1:], data, is_on=is_on)
            made.append(told)
            continue
        if is_on and not content.startswith("/*"):
            made.append(_written(_value(content, data)))
        pieces = pieces[1:]
    return "".join(made), []


def _condition(
    asked: str, pieces: list[tuple[bool, str]], data: Mapping[str, Any], *, is_on: bool
) -> tuple[str, list[tuple[bool, str]]]:
    """From after an `if` to after its `end`."""
    is_met = is_on and _truth(_value(asked, data))
    told, rest = _block(pieces, data, is_on=is_met)
    if not rest:
        raise TemplateError(f"an if without an end: {asked.strip()}")
    content = rest[0][1]
    if content == "end":
        return told, rest[1:]
    otherwise = is_on and not is_met
    if content.startswith("else if"):
        more, rest = _condition(content[7:], rest[1:], data, is_on=otherwise)
        return told + more, rest
    more, rest = _block(rest[1:], data, is_on=otherwise)
    if not rest or rest[0][1] != "end":
        raise TemplateError(f"an else without an end: {asked.strip()}")
    return told + more, rest[1:]


def _value(action: str, data: Mapping[str, Any]) -> Any:
    tokens = [match["text"] or match["other"] for match in _TOKEN.finditer(action)]
    value, rest = _call(tokens, data)
    if rest:
        raise TemplateError(f"{{{{ {action} }}}} is not understood")
    return value


def _call(tokens: Sequence[str], data: Mapping[str, Any]) -> tuple[Any, Sequence[str]]:
    """A function with its arguments, or one value."""
    if not tokens:
        raise TemplateError("an action is empty")
    function = _FUNCTIONS.get(tokens[0])
    if function is None:
        return _operand(tokens, data)
    arguments: list[Any] = []
    rest = tokens[1:]
    while rest and rest[0] != ")":
        if tokens[0] in ("and", "or") and arguments and _truth(arguments[-1]) is (tokens[0] == "or"):
            # What comes after need not be there.
            rest = _skipped(rest)
            continue
        found, rest = _operand(rest, data)
        arguments.append(found)
    try:
        return function(*arguments), rest
    except (TypeError, ValueError, IndexError) as error:
        raise TemplateError(f"{tokens[0]}: {error}") from None


def _operand(tokens: Sequence[str], data: Mapping[str, Any]) -> tuple[Any, Sequence[str]]:
    word, rest = tokens[0], tokens[1:]
    if word == "(":
        value, rest = _call(rest, data)
        if not rest or rest[0] != ")":
            raise TemplateError("a parenthesis is not closed")
        return value, rest[1:]
    if word.startswith("`"):
        return word[1:-1], rest
    if word.startswith('"'):
        return json.loads(word), rest
    if word == "." or (word.startswith(".") and len(word) > 1):
        return _field(word, data), rest
    if word in ("true", "false", "nil"):
        return {"true": True, "false": False, "nil": None}[word], rest
    try:
        return int(word), rest
    except ValueError:
        raise TemplateError(f"{word} is not understood") from None


def _skipped(tokens: Sequence[str]) -> Sequence[str]:
    """After one operand."""
    depth = 0
    for place, word in enumerate(tokens):
        depth += (word == "(") - (word == ")")
        if depth == 0:
            return tokens[place + 1 :]
    raise TemplateError("a parenthesis is not closed")


def _field(path: str, data: Mapping[str, Any]) -> Any:
    """By Go's names of fields, which begin with a capital; keys of maps are as they are."""
    value: Any = data
    for part in path.split(".")[1:]:
        if not part:
            continue
        if value is None:
            raise TemplateError(f"{path}: there is nothing before .{part}")
        if not isinstance(value, Mapping):
            raise TemplateError(f"{path}: .{part} is no field")
        value = (
            value.get(part) if part in value else value.get(_KEYS.get(part) or part[:1].lower() + part[1:])
        )
    return value


# Fields of Go that JSON calls otherwise than with a small first letter.
_KEYS = {
    "ObjectMeta": "metadata", "UID": "uid", "URI": "uri", "LoRA": "lora", "HTTP": "http", "CPU": "cpu",
    "KVCacheOffloading": "kvCacheOffloading", "DataRPCPort": "dataRPCPort", "WVA": "wva",
}  # fmt: skip


def _truth(value: Any) -> bool:
    return bool(value)


def _written(value: Any) -> str:
    if value is None:
        return "<no value>"
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else json.dumps(value)


def _and(*values: Any) -> Any:
    return next((each for each in values if not _truth(each)), values[-1])


def _or(*values: Any) -> Any:
    return next((each for each in values if _truth(each)), values[-1])


def _shutdown_timeout(pod: Any, before_stop: int) -> int:
    """What is left of the pod's grace after the hook, but for five seconds."""
    told = pod.get("terminationGracePeriodSeconds") if isinstance(pod, Mapping) else None
    grace = _GRACE if told is None else int(told)
    return max(grace - before_stop - min(5, grace), 0)


def _transfer_config(offloading: Any) -> str:
    if not isinstance(offloading, Mapping) or not offloading:
        return ""
    more: dict[str, Any] = {
        "spec_name": "TieringOffloadingSpec",
        "cpu_bytes_to_use": quantities.whole(offloading.get("cpu") or 0),
    }
    if offloading.get("evictionPolicy"):
        more["eviction_policy"] = offloading["evictionPolicy"]
    tiers = [
        {"type": "fs", "root_dir": f"/mnt/kv-cache-{place}"}
        for place, each in enumerate(offloading.get("secondary") or ())
        if isinstance(each, Mapping) and each.get("fileSystem")
    ]
    if tiers:
        more["secondary_tiers"] = tiers
    told = {
        "kv_connector": "OffloadingConnector",
        "kv_role": "kv_both",
        "kv_connector_extra_config": more,
    }
    # It stands between quotes of a shell.
    return "--kv-transfer-config '" + json.dumps(told).replace('"', '\\"') + "'"


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "and": _and,
    "or": _or,
    "not": lambda value: not _truth(value),
    "eq": lambda first, *others: any(first == each for each in others),
    "ne": lambda first, other: first != other,
    "ChildName": names.child,
    "shutdownTimeout": _shutdown_timeout,
    "kvTransferConfig": _transfer_config,
}


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:80]}…"
