"""`when`: a condition whose tags are replaced already, in the language of govaluate.

A bare word counts as a text, so that `{{steps.flip.outputs.result}} == heads` needs no quotes.
Source: shouldExecute of workflow/controller, argo-workflows v3.7; Knetic/govaluate v3.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from sampan.components.pipelines.api.argo.errors import ArgoError
from sampan.components.pipelines.api.argo.expressions.functions import matches

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<number>0x[0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.]))
  | (?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
  | \[(?P<bracket>[^\]]*)\]
  | (?P<operator>&&|\|\||==|!=|>=|<=|=~|!~|>>|<<|\*\*|\?\?|[-+*/%<>!&|^~?:(),])
  | (?P<word>[^\W\d][\w.]*)
    )""",
    re.VERBOSE | re.DOTALL,
)
_BINDING = {
    "?": 1,
    "??": 1,
    "||": 2,
    "&&": 3,
    **dict.fromkeys(("==", "!=", ">", "<", ">=", "<=", "=~", "!~", "in"), 4),
    **dict.fromkeys(("&", "|", "^"), 5),
    **dict.fromkeys((">>", "<<"), 6),
    **dict.fromkeys(("+", "-"), 7),
    **dict.fromkeys(("*", "/", "%"), 8),
    "**": 9,
}
_DEEPEST = 100


def holds(when: str) -> bool:
    """Raises ArgoError for what is no condition."""
    if not when.strip():
        return True
    try:
        value = _Condition(when).whole()
    except (TypeError, ValueError, ArithmeticError) as error:
        raise ArgoError(f"Invalid 'when' expression '{when}': {error}") from None
    if not isinstance(value, bool):
        raise ArgoError(f"Expected boolean evaluation for '{when}'. Got {value}")
    return value


class _Condition:
    """Reads and evaluates at once: a condition is evaluated once. What && and || need not look at is still read."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._read()
        self._at = 0
        self._depth = 0

    def _read(self) -> list[tuple[str, Any]]:
        found: list[tuple[str, Any]] = []
        at, text = 0, self._text.rstrip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise self._wrong(f"invalid token at {text[at:].strip()[:20]!r}")
            kind = str(match.lastgroup)
            found.append(_token(kind, match[kind]))
            at = match.end()
        return [*found, ("end", "")]

    def _wrong(self, why: str) -> ArgoError:
        return ArgoError(
            f"Invalid 'when' expression '{self._text}': {why} "
            '(hint: try wrapping the affected expression in quotes ("))'
        )

    def whole(self) -> Any:
        value = self._expression(0)
        if self._tokens[self._at][0] != "end":
            raise self._wrong(f"unexpected {self._tokens[self._at][1]!r}")
        return value

    def _expression(self, least: int) -> Any:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._wrong("it is nested too deeply")
        left = self._operand()
        while True:
            kind, operator = self._tokens[self._at]
            binding = _BINDING.get(operator) if kind == "operator" else None
            if binding is None or binding < least or binding == 0:
                break
            self._at += 1
            left = self._applied(operator, binding, left)
        self._depth -= 1
        return left

    def _applied(self, operator: str, binding: int, left: Any) -> Any:
        if operator == "?":
            yes = self._expression(1)
            if self._tokens[self._at] != ("operator", ":"):
                return yes if left is True else None
            self._at += 1
            no = self._expression(1)
            return yes if self._boolean(left, operator) else no
        right = self._expression(binding + (operator != "**"))
        if operator == "&&":
            return self._boolean(left, operator) and self._boolean(right, operator)
        if operator == "||":
            return self._boolean(left, operator) or self._boolean(right, operator)
        return self._binary(operator, left, right)

    def _operand(self) -> Any:
        kind, value = self._tokens[self._at]
        self._at += 1
        if kind == "value":
            return value
        if kind == "operator" and value == "(":
            return self._parenthesis()
        if kind == "operator" and value == "!":
            return not self._boolean(self._expression(10), "!")
        if kind == "operator" and value == "-":
            return -self._number(self._expression(10), "-")
        if kind == "operator" and value == "~":
            return float(~int(self._number(self._expression(10), "~")))
        raise self._wrong(f"unexpected {value!r}" if value else "something is missing at its end")

    def _parenthesis(self) -> Any:
        items = [self._expression(0)]
        while self._tokens[self._at] == ("operator", ","):
            self._at += 1
            items.append(self._expression(0))
        if self._tokens[self._at] != ("operator", ")"):
            raise self._wrong("a parenthesis is not closed")
        self._at += 1
        return items[0] if len(items) == 1 else items

    def _binary(self, operator: str, left: Any, right: Any) -> Any:
        if operator in ("==", "!="):
            same = type(left) is type(right) and left == right
            return same is (operator == "==")
        if operator == "in":
            return any(
                type(left) is type(item) and left == item
                for item in (right if isinstance(right, list) else [right])
            )
        if operator in ("=~", "!~"):
            if not isinstance(left, str) or not isinstance(right, str):
                raise self._wrong(f"{operator} wants texts")
            return matches(left, right) is (operator == "=~")
        if operator == "??":
            return left if left is not None else right
        if operator == "+" and (isinstance(left, str) or isinstance(right, str)):
            return f"{_shown(left)}{_shown(right)}"
        if operator in _ORDER:
            both_text = isinstance(left, str) and isinstance(right, str)
            if not both_text:
                left, right = self._number(left, operator), self._number(right, operator)
            return _ORDER[operator](left, right)
        return _ARITHMETIC[operator](self._number(left, operator), self._number(right, operator))

    def _boolean(self, value: Any, operator: str) -> bool:
        if not isinstance(value, bool):
            raise self._wrong(f"{operator} wants true or false, not {_shown(value)!r}")
        return value

    def _number(self, value: Any, operator: str) -> float:
        if isinstance(value, bool) or not isinstance(value, float):
            raise self._wrong(f"{operator} wants numbers, or two texts, not {_shown(value)!r}")
        return value


def _token(kind: str, text: str) -> tuple[str, Any]:
    if kind == "operator" or (kind == "word" and text in ("in", "IN")):
        return "operator", text.lower()
    if kind == "number":
        return "value", float(int(text, 16)) if text.startswith("0x") else float(text)
    if kind == "string":
        return "value", re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
    if text in ("true", "false"):
        return "value", text == "true"
    return "value", text


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return str(value)


_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": lambda left, right: left < right,
    ">": lambda left, right: left > right,
    "<=": lambda left, right: left <= right,
    ">=": lambda left, right: left >= right,
}
_ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right,
    "%": lambda left, right: left % right,
    "**": lambda left, right: left**right,
    "&": lambda left, right: float(int(left) & int(right)),
    "|": lambda left, right: float(int(left) | int(right)),
    "^": lambda left, right: float(int(left) ^ int(right)),
    ">>": lambda left, right: float(int(left) >> min(int(right), 64)),
    "<<": lambda left, right: float(int(left) << min(int(right), 64)),
}
