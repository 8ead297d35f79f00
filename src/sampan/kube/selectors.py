"""Label and field selectors: parsing their text forms, and matching.

Source: k8s.io/apimachinery/pkg/labels/selector.go and pkg/fields/selector.go, v1.31.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sampan.kube import names
from sampan.kube.errors import BadRequestError
from sampan.kube.requirements import Requirement

_TOKEN = re.compile(r"\s*(==|!=|=|!|>|<|\(|\)|,|[^\s=!<>(),]+)")
_SYMBOLS = frozenset({"==", "!=", "=", "!", ">", "<", "(", ")", ","})


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """All requirements must hold; none matches everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(requirement.matches(labels) for requirement in self.requirements)

    def __bool__(self) -> bool:
        return bool(self.requirements)


@dataclass(frozen=True, slots=True)
class FieldRequirement:
    path: str
    equal: bool
    value: str


@dataclass(frozen=True, slots=True)
class FieldSelector:
    requirements: tuple[FieldRequirement, ...] = ()

    def matches(self, fields: Mapping[str, str]) -> bool:
        """`fields` holds the value, as text, of every path that the kind supports."""
        return all((fields.get(r.path, "") == r.value) == r.equal for r in self.requirements)

    def __bool__(self) -> bool:
        return bool(self.requirements)

    def exact(self, path: str) -> str | None:
        """The value that `path` must have, where the selector says so."""
        return next((r.value for r in self.requirements if r.path == path and r.equal), None)


def parse_labels(text: str) -> LabelSelector:
    """`app=web,tier in (a, b),!legacy`. Raises BadRequestError."""
    tokens = _tokens(text)
    requirements = []
    while tokens:
        requirements.append(_requirement(text, tokens))
        if tokens and tokens.pop(0) != ",":
            raise _unparsable(text, "found two requirements without a ',' between them")
        if not tokens and text.rstrip().endswith(","):
            raise _unparsable(text, "found '', expected: identifier after ','")
    return LabelSelector(tuple(requirements))


def parse_fields(text: str) -> FieldSelector:
    """`metadata.name=web,status.phase!=Running`. Raises BadRequestError."""
    requirements = []
    for term in _split_terms(text):
        match = re.match(r"([^=!]*)(==|!=|=)(.*)", term, re.DOTALL)
        if match is None:
            raise BadRequestError(f'invalid selector: "{text}"; can\'t understand "{term}"')
        path, operator, value = match.groups()
        requirements.append(FieldRequirement(path.strip(), operator != "!=", _unescape(value)))
    return FieldSelector(tuple(requirements))


def from_object(selector: Mapping[str, Any] | None) -> LabelSelector:
    """A `LabelSelector` object (matchLabels, matchExpressions). None matches everything. BadRequestError."""
    if not selector:
        return LabelSelector()
    requirements = [
        Requirement(key, "In", frozenset({value}))
        for key, value in (selector.get("matchLabels") or {}).items()
    ]
    for expression in selector.get("matchExpressions") or ():
        operator = expression.get("operator")
        if operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
            raise BadRequestError(f'"{operator}" is not a valid label selector operator')
        requirements.append(
            Requirement(str(expression.get("key", "")), operator, frozenset(expression.get("values") or ()))
        )
    return LabelSelector(tuple(requirements))


def format_labels(labels: Mapping[str, str]) -> str:
    """The text form of an equality selector, sorted as Kubernetes prints it."""
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def format_selector(selector: Mapping[str, Any]) -> str:
    """The text form of a `LabelSelector` object, sorted by key as Kubernetes prints it."""
    terms = [(key, f"{key}={value}") for key, value in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or ():
        key, operator = str(expression.get("key", "")), expression.get("operator")
        if operator in ("In", "NotIn"):
            values = ",".join(sorted(map(str, expression.get("values") or ())))
            terms.append((key, f"{key} {operator.lower()} ({values})"))
        else:
            terms.append((key, f"!{key}" if operator == "DoesNotExist" else key))
    return ",".join(term for _, term in sorted(terms))


def _requirement(text: str, tokens: list[str]) -> Requirement:
    negated = tokens[0] == "!"
    if negated:
        tokens.pop(0)
    key = _word(text, tokens)
    if problems := names.qualified_name(key):
        raise _unparsable(text, f'key: Invalid value: "{key}": {problems[0]}')
    if negated:
        return Requirement(key, "DoesNotExist")
    if not tokens or tokens[0] == ",":
        return Requirement(key, "Exists")
    operator = tokens.pop(0)
    if operator in ("=", "==", "!="):
        value = "" if not tokens or tokens[0] == "," else _word(text, tokens)
        return Requirement(key, "NotIn" if operator == "!=" else "In", _checked(text, [value]))
    if operator in ("in", "notin"):
        return Requirement(key, "In" if operator == "in" else "NotIn", _checked(text, _values(text, tokens)))
    if operator in (">", "<"):
        bound = _word(text, tokens)
        if not re.fullmatch(r"-?\d+", bound):
            raise _unparsable(
                text, f"for 'Gt', 'Lt' operators, the value must be an integer, not \"{bound}\""
            )
        return Requirement(key, "Gt" if operator == ">" else "Lt", frozenset({bound}))
    raise _unparsable(text, f"found '{operator}', expected: in, notin, =, ==, !=, gt, lt")


def _values(text: str, tokens: list[str]) -> list[str]:
    if not tokens or tokens.pop(0) != "(":
        raise _unparsable(text, "expected: '('")
    values = [""] if tokens and tokens[0] in (")", ",") else []
    while tokens and tokens[0] != ")":
        if tokens[0] == ",":
            tokens.pop(0)
            if tokens and tokens[0] in (",", ")"):
                values.append("")
        else:
            values.append(_word(text, tokens))
    if not tokens:
        raise _unparsable(text, "expected: ')'")
    tokens.pop(0)
    return values


def _checked(text: str, values: Sequence[str]) -> frozenset[str]:
    for value in values:
        if problems := names.label_value(value):
            raise _unparsable(text, f'values: Invalid value: "{value}": {problems[0]}')
    return frozenset(values)


def _word(text: str, tokens: list[str]) -> str:
    if not tokens or tokens[0] in _SYMBOLS:
        found = tokens[0] if tokens else ""
        raise _unparsable(text, f"found '{found}', expected: identifier")
    return tokens.pop(0)


def _tokens(text: str) -> list[str]:
    tokens, at, end = [], 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            raise _unparsable(text, f"unexpected character at position {at}")
        tokens.append(match.group(1))
        at = match.end()
    return tokens


def _unparsable(text: str, why: str) -> BadRequestError:
    return BadRequestError(f'unable to parse requirement in selector "{text}": {why}')


def _split_terms(text: str) -> list[str]:
    """At commas that are not escaped by a backslash; empty terms are skipped."""
    return [term for term in re.split(r"(?<!\\),", text) if term.strip()]


def _unescape(value: str) -> str:
    return re.sub(r"\\([\\,=])", r"\1", value)
