"""What GJSON does to values once they are found: modifiers but `@dig`, which is a path, comparisons in queries,
patterns. For `paths`.

Source: tidwall/gjson v1.18 gjson.go (queryMatches, modifiers), tidwall/match v1.1.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda left, right: bool(left == right),
    "!=": lambda left, right: bool(left != right),
    "<": lambda left, right: bool(left < right),
    "<=": lambda left, right: bool(left <= right),
    ">": lambda left, right: bool(left > right),
    ">=": lambda left, right: bool(left >= right),
}


def apply(value: Any, step: str, missing: Any) -> Any:
    """`step` is `@name` or `@name:argument`."""
    name, _, argument = step[1:].partition(":")
    modifier = _MODIFIERS.get(name)
    return missing if modifier is None else modifier(value, _argument(argument), missing)


def check(step: str, error: type[ValueError]) -> None:
    """Raises `error` for a modifier that there is not."""
    name = step[1:].partition(":")[0]
    if name not in _MODIFIERS:
        raise error(
            f"there is no modifier @{name}; there are: {', '.join(f'@{each}' for each in (*_MODIFIERS, 'dig'))}"
        )


def holds(found: Any, operator: str, value: str, missing: Any) -> bool:
    """Whether what a query has found compares so with its value, which stands as it was written."""
    if value.startswith("~"):
        ish = _like(found, value[1:], missing)
        if ish is None:
            return False
        found, value = ish, "true"
    if found is missing:
        return False
    if not operator:
        return True
    if isinstance(found, bool):
        return _bools(found, operator, value)
    if isinstance(found, str):
        if operator in ("%", "!%"):
            return matches(found, value) is (operator == "%")
        return _ORDERS[operator](found, value)
    if isinstance(found, int | float) and operator in _ORDERS:
        return _ORDERS[operator](float(found), _number(value))
    return False


def matches(text: str, pattern: str) -> bool:
    """Whether the whole text is what the pattern says, `*` for any characters and `?` for one. Linear but for stars."""
    tokens = list(_tokens(pattern))
    at = token = 0
    star, mark = -1, 0
    while at < len(text):
        if token < len(tokens) and tokens[token] == (True, "*"):
            star, mark, token = token, at, token + 1
        elif token < len(tokens) and tokens[token] in ((True, "?"), (False, text[at])):
            at, token = at + 1, token + 1
        elif star >= 0:
            mark, token = mark + 1, star + 1
            at = mark
        else:
            return False
    return all(each == (True, "*") for each in tokens[token:])


def _tokens(pattern: str) -> Iterator[tuple[bool, str]]:
    """Characters, and whether each is a wildcard."""
    escaped = False
    for character in pattern:
        if escaped:
            yield False, character
            escaped = False
        elif character == "\\":
            escaped = True
        else:
            yield character in "*?", character


def _bools(found: bool, operator: str, value: str) -> bool:
    own, other = str(found).lower(), {True: "false", False: "true"}[found]
    if operator == "=":
        return value == own
    if operator == "!=":
        return value != own
    if operator == (">" if found else "<"):
        return value == other
    return operator == (">=" if found else "<=")


def _like(found: Any, kind: str, missing: Any) -> bool | None:
    """`~true`, `~false`, `~null` and `~*`."""
    if kind == "*":
        return found is not missing
    if kind == "null":
        return found is missing or found is None
    truth = _truth(found, missing)
    if kind == "true":
        return truth is True
    if kind == "false":
        return truth is False or found is missing or found is None
    return None


def _truth(found: Any, missing: Any) -> bool | None:
    if found is missing or isinstance(found, dict | list):
        return None
    if isinstance(found, str):
        return {"1": True, "t": True, "true": True, "0": False, "f": False, "false": False}.get(found.lower())
    return bool(found)


def _number(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        return 0.0


def _argument(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _reverse(value: Any, _argument: dict[str, Any], _missing: Any) -> Any:
    if isinstance(value, list):
        return value[::-1]
    return dict(reversed(value.items())) if isinstance(value, dict) else value


def _flatten(value: Any, argument: dict[str, Any], _missing: Any) -> Any:
    if not isinstance(value, list):
        return value
    found: list[Any] = []
    for each in value:
        if isinstance(each, list):
            found.extend(_flatten(each, argument, _missing) if argument.get("deep") else each)
        else:
            found.append(each)
    return found


def _join(value: Any, _argument: dict[str, Any], _missing: Any) -> Any:
    if not isinstance(value, list):
        return value
    found: dict[str, Any] = {}
    for each in value:
        found.update(each if isinstance(each, dict) else {})
    return found


def _keys(value: Any, _argument: dict[str, Any], _missing: Any) -> Any:
    return list(value) if isinstance(value, dict) else [None] * len(value) if isinstance(value, list) else []


def _values(value: Any, _argument: dict[str, Any], _missing: Any) -> Any:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else [value]


def _group(value: Any, _argument: dict[str, Any], _missing: Any) -> Any:
    """An object of lists becomes a list of objects."""
    if not isinstance(value, dict):
        return _missing
    found: list[dict[str, Any]] = []
    for key, many in value.items():
        for number, each in enumerate(many if isinstance(many, list) else ()):
            if number == len(found):
                found.append({})
            found[number][key] = each
    return found


def _to_text(value: Any, _argument: dict[str, Any], _missing: Any) -> Any:
    return json.dumps(value, separators=(",", ":"))


def _from_text(value: Any, _argument: dict[str, Any], missing: Any) -> Any:
    try:
        return json.loads(value) if isinstance(value, str) else missing
    except ValueError:
        return missing


def _same(value: Any, _argument: dict[str, Any], _missing: Any) -> Any:
    return value


_MODIFIERS: dict[str, Callable[[Any, dict[str, Any], Any], Any]] = {
    "this": _same,
    "valid": _same,
    "pretty": _same,
    "ugly": _same,
    "reverse": _reverse,
    "flatten": _flatten,
    "join": _join,
    "keys": _keys,
    "values": _values,
    "group": _group,
    "tostr": _to_text,
    "fromstr": _from_text,
}
