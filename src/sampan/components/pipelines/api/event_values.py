"""What `{{event.body.ref}}` in a trigger's parameters stands for, and whether an event meets conditions. Pure.

A parameter that is one placeholder and nothing else takes the value as it is, a number as a number and an object as an
object; within other text it becomes text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.api.events import EventKind
from sampan.components.pipelines.api.globs import LONGEST, matches_name

_PLACEHOLDER = re.compile(r"\{\{\s*event\.([^{}]*?)\s*\}\}")
_LONGEST_TEXT = 10 * 1024 * 1024
_MOST_CONDITIONS = 20

ROOTS: Mapping[EventKind, tuple[str, ...]] = {
    EventKind.WEBHOOK: ("body", "headers", "query", "delivery_id", "time"),
    EventKind.FILE: ("path", "name", "folder", "relative_path", "size", "version", "time"),
    EventKind.OBJECT: ("uri", "key", "name", "version", "time"),
    EventKind.ARTIFACT: (
        "artifact_id", "name", "type", "uri", "metadata", "run_id", "pipeline_id", "experiment_id", "time",
    ),
    EventKind.RUN: (
        "run_id", "name", "state", "error", "pipeline_id", "pipeline_version_id", "experiment_id", "outputs",
        "parameters", "artifacts", "tasks", "time",
    ),
}  # fmt: skip
"""What an event of each kind has."""

LATE_ROOTS = ("outputs", "parameters", "artifacts", "tasks")
"""Of a run that ended: looked up when they are asked for, since they may be large."""


class _MissingError(Exception):
    """Where the way ended."""


def check_placeholders(parameters: Mapping[str, Any], kind: EventKind, path: str) -> None:
    """Raises InvalidArgumentError for one that no event of this kind could fill."""
    for name, value in parameters.items():
        for found in _paths(value):
            root = found.partition(".")[0]
            if root not in ROOTS[kind]:
                raise InvalidArgumentError(
                    f"{path}.{name}: {{{{event.{found[:60]}}}}} is nothing that a {kind} event has; "
                    f"there are event.{', event.'.join(ROOTS[kind])}"
                )


def check_conditions(conditions: Mapping[str, str], kind: EventKind, path: str) -> None:
    """Raises InvalidArgumentError."""
    if len(conditions) > _MOST_CONDITIONS:
        raise InvalidArgumentError(
            f"{path} has {len(conditions)} entries; at most {_MOST_CONDITIONS} are allowed"
        )
    for name, pattern in conditions.items():
        if name.partition(".")[0] not in ROOTS[kind]:
            raise InvalidArgumentError(
                f"{path}: {name[:60]!r} is nothing that a {kind} event has; there are {', '.join(ROOTS[kind])}"
            )
        if len(pattern) > LONGEST:
            raise InvalidArgumentError(f"{path}.{name}: a pattern has at most {LONGEST} characters")


def roots_asked_for(parameters: Mapping[str, Any], conditions: Mapping[str, str]) -> set[str]:
    """First words of all placeholders and conditions."""
    names = [*conditions, *(path for value in parameters.values() for path in _paths(value))]
    return {name.partition(".")[0] for name in names}


def unmet(conditions: Mapping[str, str], data: Mapping[str, Any]) -> str:
    """The first condition that the event does not meet, in words; empty when it meets all."""
    for name, pattern in conditions.items():
        try:
            value = _text(_find(data, name))
        except _MissingError:
            return f"the event has no {name}"
        if not matches_name(value, pattern):
            return f"{name} is {value[:100]!r}, which does not match {pattern[:100]!r}"
    return ""


@dataclass(frozen=True, slots=True)
class Filled:
    """Parameters of a run, with what the event says in them."""

    parameters: dict[str, Any]
    from_event: frozenset[str]
    """Names of those that are the event's text as it came."""


def fill(parameters: Mapping[str, Any], data: Mapping[str, Any]) -> Filled:
    """Raises InvalidArgumentError naming the parameter whose value the event does not have."""
    filled, whole = {}, set()
    for name, value in parameters.items():
        try:
            filled[name] = _filled(value, data)
        except _MissingError as error:
            raise InvalidArgumentError(f"parameter {name!r}: the event has no {error}") from None
        if isinstance(value, str) and _PLACEHOLDER.fullmatch(value.strip()):
            whole.add(name)
    return Filled(filled, frozenset(whole))


def typed(value: Any, kind: str) -> Any:
    """A text of the event as the type that the pipeline declares; as it is where it is no such thing."""
    if not isinstance(value, str):
        return _text(value) if kind == "STRING" else value
    try:
        match kind:
            case "NUMBER_INTEGER" if len(value) < 20:
                return int(value)
            case "NUMBER_DOUBLE" if len(value) < 40:
                return float(value)
            case "BOOLEAN" if value.lower() in ("true", "false"):
                return value.lower() == "true"
            case "LIST" | "STRUCT":
                found = json.loads(value)
                return found if isinstance(found, list if kind == "LIST" else dict) else value
    except (ValueError, RecursionError):
        return value
    return value


def sample(value: Any, kind: str) -> Any:
    """Something of the declared type in place of a value with placeholders, to check the others by."""
    if next(_paths(value), None) is None:
        return value
    samples = {"NUMBER_INTEGER": 1, "NUMBER_DOUBLE": 1.0, "BOOLEAN": True, "LIST": [], "STRUCT": {}}
    return samples.get(kind, value)


def _paths(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from (found.group(1) for found in _PLACEHOLDER.finditer(value))
    elif isinstance(value, dict):
        for item in value.values():
            yield from _paths(item)
    elif isinstance(value, list):
        for item in value:
            yield from _paths(item)


def _filled(value: Any, data: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(item, data) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, data) for item in value]
    if not isinstance(value, str):
        return value
    whole = _PLACEHOLDER.fullmatch(value.strip())
    if whole is not None:
        return _find(data, whole.group(1))
    text = _PLACEHOLDER.sub(lambda found: _text(_find(data, found.group(1))), value)
    if len(text) > _LONGEST_TEXT:
        raise _MissingError(f"room: the text would be longer than {_LONGEST_TEXT // 2**20} MiB")
    return text


def _find(data: Any, path: str) -> Any:
    """By keys and, in lists, by numbers. A key may hold dots: the longest that is there counts."""
    names = path.split(".")
    at = 0
    while at < len(names):
        if isinstance(data, Mapping):
            for end in range(len(names), at, -1):
                if (key := ".".join(names[at:end])) in data:
                    data, at = data[key], end
                    break
            else:
                raise _MissingError(".".join(names[: at + 1]))
        elif (
            isinstance(data, list)
            and names[at].isascii()
            and names[at].isdecimal()
            and int(names[at]) < len(data)
        ):
            data, at = data[int(names[at])], at + 1
        else:
            raise _MissingError(".".join(names[: at + 1]))
    return data


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
