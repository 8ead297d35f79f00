"""GJSON paths: what a path finds in a value as JSON has them, and what is wrong with one.

Conditions of Katib's trials and of KServe's inference graphs are such paths.

Source of the language: tidwall/gjson v1.18 SYNTAX.md and gjson.go (the version that kubeflow/katib 0.19 and
kserve/kserve 0.20 use): keys with wildcards and escapes, indexes, `#`, queries, dots against pipes, modifiers,
multipaths, literals, and paths over JSON lines (`..`): a value is the only line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sampan.lib.extent import extent
from sampan.lib.gjson import modifiers

MISSING: Any = type("Missing", (), {"__repr__": lambda _self: "MISSING"})()
"""What a path gives that finds nothing."""
MAX_PATH = 2048
_MAX_DEPTH = 16
_MOST_FOUND = 4_000_000
_LINES, _DIG = "..", "@dig"
_OPEN, _CLOSE = "([{", ")]}"
_OPERATORS = ("!=", "!%", "==", "<=", ">=", "=", "<", ">", "%")
_WILD = re.compile(r"(?<!\\)[*?]")


class PathError(ValueError):
    """What is no path. The message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class _Step:
    """One component of a path, and whether a pipe stood before it."""

    text: str
    piped: bool


def get(value: Any, path: str) -> Any:
    """What the path finds; MISSING when it finds nothing. Raises PathError."""
    if len(path) > MAX_PATH:
        raise PathError(f"the path has more than {MAX_PATH} characters")
    if not path:
        # As in GJSON: there is no key without a name.
        return MISSING
    return _walk(value, _parsed(path), 0)


def problem(path: str) -> str:
    """What is wrong with the path; empty when nothing is."""
    try:
        _check(path, 0)
    except PathError as error:
        return str(error)
    return ""


def _check(path: str, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise PathError(f"it is nested more than {_MAX_DEPTH} times")
    if len(path) > MAX_PATH:
        raise PathError(f"the path has more than {MAX_PATH} characters")
    if not path.strip():
        raise PathError("the path is empty")
    for step in _parsed(path):
        _check_step(step.text, depth)


def _check_step(text: str, depth: int) -> None:
    if _is_dig(text):
        if path := text[len(_DIG) + 1 :]:
            if _DIG in path:
                raise PathError(f"{_DIG} is within {_DIG}, which already looks everywhere")
            _check(path, depth + 1)
    elif text.startswith("@"):
        modifiers.check(text, PathError)
    elif text[:1] in ("[", "{"):
        for _, inner in _selected(text):
            _check(inner, depth + 1)
    elif text.startswith("!"):
        _literal(text)
    elif text.startswith(("#(", "#[")):
        query = _query(text)
        if query.path:
            _check(query.path, depth + 1)
    elif text.startswith("#") and text != "#":
        raise PathError(f"after # comes a dot, a pipe or a query in parentheses, not {text[1:]!r}")
    elif not text:
        raise PathError("a dot or pipe has nothing beside it")


def _walk(value: Any, steps: Sequence[_Step], depth: int) -> Any:
    """`steps` applied to `value`, one after the other."""
    if depth > _MAX_DEPTH:
        raise PathError(f"it is nested more than {_MAX_DEPTH} times")
    for number, step in enumerate(steps):
        if value is MISSING:
            return MISSING
        rest = steps[number + 1 :]
        if isinstance(value, list) and rest and not rest[0].piped:
            # A dot after `#` or `#(…)#` goes on in each element, as far as the next pipe.
            many = _each(value, step.text, depth)
            if many is not None:
                inner = next((i for i, each in enumerate(rest) if each.piped), len(rest))
                found = [_walk(one, rest[:inner], depth + 1) for one in many]
                some = _bounded([each for each in found if each is not MISSING])
                return _walk(some, rest[inner:], depth + 1)
        value = _apply(value, step.text, depth)
        if step.text[0] in "@[{":
            value = _bounded(value)
    return value


def _bounded(value: Any) -> Any:
    """Each step may double what it was given, and there may be hundreds. Raises PathError."""
    try:
        is_large = extent(value, _MOST_FOUND) > _MOST_FOUND
    except RecursionError:
        is_large = True
    if is_large:
        raise PathError(f"it makes more than {_MOST_FOUND} characters of the object")
    return value


def _each(value: list[Any], step: str, depth: int) -> list[Any] | None:
    """The elements that a step means which means many; None for one that does not."""
    if step == "#":
        return value
    if step.startswith(("#(", "#[")):
        query = _query(step)
        if query.all:
            return [each for each in value if _matches(query, each, depth)]
    return None


def _apply(value: Any, step: str, depth: int) -> Any:
    if step == _LINES:
        return [value]
    if _is_dig(step):
        return list(_dug(value, step[len(_DIG) + 1 :], depth))
    if step.startswith("@"):
        return modifiers.apply(value, step, MISSING)
    if step[:1] in ("[", "{"):
        return _select(value, step, depth)
    if step.startswith("!"):
        return _literal(step)
    if isinstance(value, dict):
        return _member(value, step)
    if isinstance(value, list):
        return _element(value, step, depth)
    return MISSING


def _is_dig(step: str) -> bool:
    return step == _DIG or step.startswith(f"{_DIG}:")


def _dug(value: Any, path: str, depth: int) -> Iterator[Any]:
    """What the path finds in the value and in all within it, from the outside to the inside."""
    if _DIG in path:
        raise PathError(f"{_DIG} is within {_DIG}, which already looks everywhere")
    steps, left, room = _parsed(path) if path else (), [value], _MOST_FOUND
    while left:
        one = left.pop()
        found = _walk(one, steps, depth + 1) if steps else MISSING
        if found is not MISSING:
            room -= extent(_bounded(found), _MOST_FOUND)
            if room < 0:
                raise PathError(f"it makes more than {_MOST_FOUND} characters of the object")
            yield found
        within = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        left.extend(reversed(list(within)))


def _member(value: dict[str, Any], step: str) -> Any:
    if _WILD.search(step):
        matches = _pattern(step)
        return next((value[key] for key in value if matches(key)), MISSING)
    return value.get(_unescaped(step), MISSING)


def _element(value: list[Any], step: str, depth: int) -> Any:
    if step == "#":
        return len(value)
    if step.startswith(("#(", "#[")):
        query = _query(step)
        found = (each for each in value if _matches(query, each, depth))
        return list(found) if query.all else next(found, MISSING)
    if step.isdecimal() and step.isascii():
        index = int(step)
        return value[index] if index < len(value) else MISSING
    return MISSING


# Queries.


@dataclass(frozen=True, slots=True)
class _Query:
    path: str
    operator: str
    value: str
    all: bool


def _matches(query: _Query, element: Any, depth: int) -> bool:
    if not query.path:
        found = element
    elif isinstance(element, dict | list):
        found = _walk(element, _parsed(query.path), depth + 1)
    else:
        return False
    return modifiers.holds(found, query.operator, query.value, MISSING)


@lru_cache(maxsize=512)
def _query(step: str) -> _Query:
    end = _closing(step, 1)
    rest = step[end + 1 :]
    if rest not in ("", "#"):
        raise PathError(f"after the query {step[: end + 1]} comes #, a dot or a pipe, not {rest!r}")
    inner = step[2:end].strip()
    path, operator, value = _split_query(inner)
    if operator and not value and not inner.endswith('""'):
        raise PathError(f"the query ({inner}) compares with nothing")
    if value.startswith('"'):
        value = _text(value)
    return _Query(path, "=" if operator == "==" else operator, value, rest == "#")


def _split_query(inner: str) -> tuple[str, str, str]:
    for position, depth in _outside(inner):
        if depth == 0 and inner[position] in "!=<>%":
            if inner[position] == "!" and position == 0 and not inner.startswith(("!=", "!%")):
                continue
            operator = next((each for each in _OPERATORS if inner.startswith(each, position)), "")
            if operator:
                after = position + len(operator)
                return inner[:position].strip(), operator, inner[after:].strip()
    return inner, "", ""


# Multipaths and literals.


def _select(value: Any, step: str, depth: int) -> Any:
    found = [(name, _walk(value, _parsed(path), depth + 1)) for name, path in _selected(step)]
    there = [(name, each) for name, each in found if each is not MISSING]
    return dict(there) if step.startswith("{") else [each for _, each in there]


@lru_cache(maxsize=256)
def _selected(step: str) -> tuple[tuple[str, str], ...]:
    end = _closing(step, 0)
    if end != len(step) - 1:
        raise PathError(f"after {step[: end + 1]} comes a dot or a pipe, not {step[end + 1 :]!r}")
    parts = list(_split(step[1:end], ","))
    return tuple(_named(part.strip()) for part in parts if part.strip())


def _named(part: str) -> tuple[str, str]:
    if part.startswith('"'):
        end = _string_end(part, 0)
        if part[end + 1 : end + 2] == ":":
            return _text(part[: end + 1]), part[end + 2 :]
    last = _parsed(part)[-1].text
    return (_unescaped(last) if re.match(r"[\w]", last) else "_"), part


def _literal(step: str) -> Any:
    try:
        return json.loads(step[1:])
    except ValueError as error:
        raise PathError(f"{step!r} is no literal: after ! comes a value in JSON") from error


# Reading paths.


@lru_cache(maxsize=512)
def _parsed(path: str) -> tuple[_Step, ...]:
    steps: list[_Step] = []
    start, piped = 0, False
    if path.startswith(_LINES):
        steps.append(_Step(_LINES, False))
        start = len(_LINES)
    for position in _separators(path):
        if position < start:
            continue
        steps.append(_Step(path[start:position], piped))
        piped, start = path[position] == "|", position + 1
        if piped and path.startswith(_LINES, start):
            steps.append(_Step(_LINES, piped))
            piped, start = False, start + len(_LINES)
    steps.append(_Step(path[start:], piped))
    if any(not step.text for step in steps):
        raise PathError("a dot or pipe has nothing beside it")
    return tuple(steps)


def _separators(path: str) -> Iterator[int]:
    """Where components end: dots and pipes that are in no brackets and no string, and not escaped."""
    at = 0
    while at < len(path):
        character = path[at]
        if character == "\\":
            at += 2
            continue
        starts = at == 0 or path[at - 1] in ".|"
        if starts and character in "@!":
            at = _argument_end(path, at)
            continue
        if character in _OPEN and (starts or (path[at - 1] == "#" and (at < 2 or path[at - 2] in ".|"))):
            at = _closing(path, at) + 1
            continue
        if character in ".|":
            yield at
        at += 1


def _argument_end(path: str, at: int) -> int:
    """Where a modifier with its argument, or a literal, ends: an argument that is no JSON, at the next pipe."""
    argument = re.compile(r"@[^:.|]*:(?![{[\"])").match(path, at)
    ends, at = ("|", argument.end()) if argument else (".|", at)
    while at < len(path) and path[at] not in ends:
        if path[at] == '"':
            at = _string_end(path, at)
        elif path[at] in "[{" or (argument and path[at] == "("):
            at = _closing(path, at)
        at += 1
    return at


def _closing(text: str, start: int) -> int:
    """Where the bracket at `start` closes."""
    for position, depth in _outside(text, start):
        if depth == 0 and text[position] in _CLOSE:
            return position
    raise PathError(f"{text[start:]!r} has a bracket that never closes")


def _outside(text: str, start: int = 0) -> Iterator[tuple[int, int]]:
    """Characters that are in no string, with the depth of brackets after them."""
    depth, at = 0, start
    while at < len(text):
        character = text[at]
        if character == "\\":
            at += 2
            continue
        if character == '"':
            at = _string_end(text, at) + 1
            continue
        depth += (character in _OPEN) - (character in _CLOSE)
        yield at, depth
        at += 1


def _string_end(text: str, start: int) -> int:
    at = start + 1
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == '"':
            return at
        at += 1
    raise PathError(f"{text[start:]!r} has a quotation mark that never closes")


def _split(text: str, separator: str) -> Iterator[str]:
    start = 0
    for position, depth in _outside(text):
        if depth == 0 and text[position] == separator:
            yield text[start:position]
            start = position + 1
    yield text[start:]


def _text(quoted: str) -> str:
    try:
        found = json.loads(quoted)
    except ValueError as error:
        raise PathError(f"{quoted} is no string") from error
    return str(found)


def _unescaped(key: str) -> str:
    return re.sub(r"\\(.)", r"\1", key) if "\\" in key else key


@lru_cache(maxsize=512)
def _pattern(step: str) -> Callable[[str], bool]:
    """Whether a key matches: `*` for any characters, `?` for one."""
    return lambda key: modifiers.matches(key, step)
