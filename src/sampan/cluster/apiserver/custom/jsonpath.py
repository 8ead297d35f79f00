"""The JSONPath of printer columns and sub-resources: fields, indexes, wildcards and simple filters.

Source: k8s.io/client-go/util/jsonpath, v1.31. Called by `columns`, `definitions` and `scale`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

_TOKEN = re.compile(
    r"""
    \.\.(?P<deep>[A-Za-z_][\w-]*)
  | \.(?P<field>(?:\\.|[^.\[\]\\])+)
  | \[(?P<index>-?\d+)\]
  | \[(?P<slice>-?\d*:-?\d*)\]
  | \[(?P<star>\*)\]
  | \[(?P<quoted>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")\]
  | \[\?\((?P<filter>[^()]*)\)\]
    """,
    re.VERBOSE,
)
_FILTER = re.compile(r"""\s*@\.?(?P<path>[^\s=!<>]*)\s*(?:(?P<op>==|!=|>=|<=|>|<)\s*(?P<value>.+?))?\s*""")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
}
Step = Callable[[list[Any]], list[Any]]
_LIMIT = 10_000


@lru_cache(maxsize=2048)
def parse(path: str) -> tuple[Step, ...]:
    """Raises ValueError. `.spec.x`, also written `{.spec.x}`."""
    text = path.strip()
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1].strip()
    text = text.removeprefix("$").replace("[*]", "[*]")
    if text and text[0] not in ".[":
        raise ValueError(
            f"unexpected path string, expected a 'name1.name2' or '.name1.name2' or ..., got {path!r}"
        )
    steps: list[Step] = []
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            if text[at:] == ".":
                break
            raise ValueError(f"unrecognized character in the path at {text[at:]!r}")
        steps.append(_step(found))
        at = found.end()
    return tuple(steps)


def find(path: str, obj: Any) -> list[Any]:
    """Everything the path names; nothing for a path that cannot be read."""
    try:
        steps = parse(path)
    except ValueError:
        return []
    values = [obj]
    for step in steps:
        values = step(values)[:_LIMIT]
    return values


def _step(found: re.Match[str]) -> Step:
    kind = found.lastgroup
    text = found[str(kind)]
    if kind == "field":
        name = re.sub(r"\\(.)", r"\1", text)
        return _star if name == "*" else _field(name)
    if kind == "quoted":
        return _field(re.sub(r"\\(.)", r"\1", text[1:-1]))
    if kind == "index":
        at = int(text)
        return lambda values: [v[at] for v in values if isinstance(v, list) and -len(v) <= at < len(v)]
    if kind == "slice":
        first, _, last = text.partition(":")
        part = slice(int(first) if first else None, int(last) if last else None)
        return lambda values: [item for v in values if isinstance(v, list) for item in v[part]]
    if kind == "star":
        return _star
    if kind == "deep":
        return _deep(text)
    return _filter(text)


def _field(name: str) -> Step:
    return lambda values: [v[name] for v in values if isinstance(v, dict) and name in v]


def _star(values: list[Any]) -> list[Any]:
    return [
        item
        for v in values
        if isinstance(v, list | dict)
        for item in (v.values() if isinstance(v, dict) else v)
    ]


def _deep(name: str) -> Step:
    def step(values: list[Any]) -> list[Any]:
        found: list[Any] = []
        level = list(values)
        while level and len(found) < _LIMIT:
            found += [v[name] for v in level if isinstance(v, dict) and name in v]
            level = _star(level)[:_LIMIT]
        return found

    return step


def _filter(text: str) -> Step:
    parsed = _FILTER.fullmatch(text)
    if parsed is None:
        raise ValueError(f"unrecognized filter {text!r}")
    path, op, wanted = parsed["path"], parsed["op"], parsed["value"]
    steps = parse(f".{path}") if path else ()
    value = None if wanted is None else _literal(wanted)

    def keeps(item: Any) -> bool:
        found = [item]
        for step in steps:
            found = step(found)
        if op is None:
            return bool(found)
        try:
            return bool(found) and _COMPARE[op](found[0], value)
        except TypeError:
            return False

    return lambda values: [item for v in values if isinstance(v, list) for item in v if keeps(item)]


def _literal(text: str) -> Any:
    if text[:1] == "'" and text[-1:] == "'":
        return text[1:-1]
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"cannot convert {text!r} to a value") from error
