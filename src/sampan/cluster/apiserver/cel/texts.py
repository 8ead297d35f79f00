"""Texts and patterns.

Source: cel-go/ext/strings.go, k8s.io/apiserver/pkg/cel/library/regex.go, v1.31.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from sampan.cluster.apiserver.cel import data, patterns
from sampan.cluster.apiserver.cel.conversions import to_string
from sampan.cluster.apiserver.cel.data import Budget, CelError
from sampan.cluster.apiserver.cel.registry import FUNCTIONS, Function, function, need_text

_REGEX_TEXT = 4096


def _on_text(name: str, work: Callable[..., Any], count: int = 1) -> None:
    def call(budget: Budget, *values: Any) -> Any:
        if len(values) != count:
            raise CelError(f"no matching overload for '{name.lstrip('.')}'")
        need_text(name, *values)
        budget.spend(len(values[0]) // 10)
        return work(*values)

    FUNCTIONS[name] = call


_on_text(".startsWith", str.startswith, 2)
_on_text(".endsWith", str.endswith, 2)
_on_text(".lowerAscii", lambda text: "".join(c.lower() if c.isascii() else c for c in text))
_on_text(".upperAscii", lambda text: "".join(c.upper() if c.isascii() else c for c in text))
_on_text(".trim", str.strip)
_on_text(".reverse", lambda text: text[::-1])
_on_text("strings.quote", lambda text: json.dumps(text, ensure_ascii=False))


@function(".contains")
def _contains(budget: Budget, value: Any, part: Any) -> bool:
    if isinstance(value, str):
        need_text("contains", value, part)
        budget.spend(len(value) // 10)
        return part in value
    raise data.no_overload("contains", value, part)


@function(".charAt")
def _char_at(_: Budget, text: str, at: int) -> str:
    if not 0 <= at <= len(text):
        raise CelError(f"index out of range: {at}")
    return text[at : at + 1]


def _finder(*, last: bool) -> Function:
    def find(budget: Budget, value: Any, part: Any, offset: int | None = None) -> int:
        budget.spend(len(value) // 10)
        if isinstance(value, list):
            places: Iterable[int] = range(len(value) - 1, -1, -1) if last else range(len(value))
            return next((at for at in places if data.equal(value[at], part, budget)), -1)
        need_text("indexOf", value, part)
        if offset is None:
            return int(value.rfind(part) if last else value.find(part))
        if not 0 <= offset <= len(value):
            raise CelError(f"index out of range: {offset}")
        return int(value.rfind(part, 0, offset + len(part)) if last else value.find(part, offset))

    return find


FUNCTIONS |= {".indexOf": _finder(last=False), ".lastIndexOf": _finder(last=True)}


@function(".replace")
def _replace(budget: Budget, text: str, old: str, new: str, limit: int = -1) -> str:
    need_text("replace", text, old, new)
    times = text.count(old) if limit < 0 else min(limit, text.count(old))
    size = len(text) + times * len(new)
    if size > data.MAX_TEXT:
        raise data.OverBudgetError("a text grows beyond what an expression may make")
    budget.spend(size // 10)
    return text.replace(old, new, limit)


@function(".split")
def _split(budget: Budget, text: str, by: str, limit: int = -1) -> list[str]:
    need_text("split", text, by)
    budget.spend(len(text) // 10)
    if limit == 0:
        return []
    if not by:
        return list(text) if limit < 0 else [*text[: limit - 1], text[limit - 1 :]]
    return text.split(by, -1 if limit < 0 else limit - 1)


@function(".join")
def _join(budget: Budget, parts: list[str], by: str = "") -> str:
    need_text("join", by, *parts)
    size = sum(map(len, parts)) + len(by) * len(parts)
    if size > data.MAX_TEXT:
        raise data.OverBudgetError("a text grows beyond what an expression may make")
    budget.spend(size // 10)
    return by.join(parts)


@function(".substring")
def _substring(budget: Budget, text: str, first: int, last: int | None = None) -> str:
    end = len(text) if last is None else last
    if not 0 <= first <= end <= len(text):
        raise CelError(f"invalid substring range. start: {first}, end: {end}")
    budget.spend(len(text) // 10)
    return text[first:end]


@function(".format")
def _format(budget: Budget, template: str, args: list[Any]) -> str:
    """As cel-go's strings.format: %s %d %f %e %x %X %o %b %%."""
    need_text("format", template)
    values = iter(args)

    def one(found: re.Match[str]) -> str:
        verb = found["verb"]
        if verb == "%":
            return "%"
        value: Any = next(values, None)
        precision = int(found["precision"] or 6)
        if verb == "s":
            return _shown(budget, value)
        if verb in "fe" and data.is_number(value):
            return f"{float(value):.{min(precision, 100)}{verb}}"
        if verb == "d" and data.is_number(value):
            return str(int(value))
        if verb in "xXob" and isinstance(value, int):
            return f"{int(value):{verb}}"
        if verb in "xX" and isinstance(value, str | bytes):
            raw = value if isinstance(value, bytes) else value.encode()
            return raw.hex().upper() if verb == "X" else raw.hex()
        raise CelError(f"could not parse formatting clause: {found.group()}")

    return str(data.sized(re.sub(r"%(?:\.(?P<precision>\d{1,3}))?(?P<verb>[a-zA-Z%])", one, template)))


def _shown(budget: Budget, value: Any) -> str:
    budget.spend(1)
    if isinstance(value, list):
        return f"[{', '.join(_shown(budget, each) for each in value)}]"
    if isinstance(value, dict):
        pairs = sorted((_shown(budget, key), _shown(budget, each)) for key, each in value.items())
        return f"{{{', '.join(f'{key}: {each}' for key, each in pairs)}}}"
    if value is None:
        return "null"
    return str(data.sized(to_string(budget, value)))


# Patterns.


@function("matches", ".matches")
def _matches(budget: Budget, text: str, pattern: str) -> bool:
    need_text("matches", text, pattern)
    budget.spend(20 + len(text) * max(1, len(pattern) // 4) // 10)
    try:
        return patterns.search(pattern, text)
    except ValueError as error:
        raise CelError(str(error)) from error


@lru_cache(maxsize=256)
def _simple_pattern(pattern: str) -> re.Pattern[str]:
    """For what needs the place of a match; only where Python's engine cannot be made to try for ever."""
    if len(re.findall(r"[*+}]", pattern)) > 3 or re.search(
        r"[*+}]\)?[*+{]|\([^)]*[*+}][^)]*\)[*+{]", pattern
    ):
        raise CelError(f"this server does not find places of {pattern!r}: too many repetitions")
    try:
        return re.compile(pattern)
    except re.error as error:
        raise CelError(f"error parsing regexp: {error}") from error


@function(".find")
def _find(budget: Budget, text: str, pattern: str) -> str:
    found = _found(budget, text, pattern, 1)
    return found[0] if found else ""


@function(".findAll")
def _find_all(budget: Budget, text: str, pattern: str, limit: int = -1) -> list[str]:
    return _found(budget, text, pattern, limit)


def _found(budget: Budget, text: str, pattern: str, limit: int) -> list[str]:
    need_text("find", text, pattern)
    if len(text) > _REGEX_TEXT:
        raise CelError(f"this server finds places in texts of at most {_REGEX_TEXT} characters")
    budget.spend(20 + len(text))
    found: list[str] = []
    for each in _simple_pattern(pattern).finditer(text):
        if 0 <= limit <= len(found):
            break
        found.append(each.group())
    return found
