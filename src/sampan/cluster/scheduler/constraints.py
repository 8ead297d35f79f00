"""Taints, tolerations and node selector terms, read once from objects into a form that cannot surprise.

Whoever reads an object here gets a ValueError, TypeError or AttributeError for what no API server should have
taken; what comes out can be matched without any.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Taint:
    key: str
    value: str
    effect: str

    @classmethod
    def read(cls, taint: Mapping[str, Any]) -> Taint:
        return cls(_text(taint, "key"), _text(taint, "value"), _text(taint, "effect"))


@dataclass(frozen=True, slots=True)
class Toleration:
    """An empty key or effect stands for any."""

    key: str
    operator: str
    value: str
    effect: str

    @classmethod
    def read(cls, toleration: Mapping[str, Any]) -> Toleration:
        return cls(
            _text(toleration, "key"),
            _text(toleration, "operator") or "Equal",
            _text(toleration, "value"),
            _text(toleration, "effect"),
        )

    def tolerates(self, taint: Taint) -> bool:
        if self.effect and self.effect != taint.effect:
            return False
        if self.key and self.key != taint.key:
            return False
        if self.operator == "Exists":
            return True
        return bool(self.key) and self.value == taint.value


@dataclass(frozen=True, slots=True)
class Expression:
    """`operator` is of In, NotIn, Exists, DoesNotExist, Gt, Lt; any other matches nothing."""

    key: str
    operator: str
    values: tuple[str, ...]

    @classmethod
    def read(cls, expression: Mapping[str, Any]) -> Expression:
        values = tuple(map(str, expression.get("values") or ()))
        return cls(_text(expression, "key"), _text(expression, "operator"), values)

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case "In":
                return value is not None and value in self.values
            case "NotIn":
                return value is None or value not in self.values
            case "Exists":
                return value is not None
            case "DoesNotExist":
                return value is None
            case "Gt" | "Lt":
                return self._compares(value)
        return False

    def _compares(self, value: str | None) -> bool:
        try:
            actual, bound = int(value or ""), int(self.values[0])
        except (ValueError, IndexError):
            return False
        return actual > bound if self.operator == "Gt" else actual < bound


@dataclass(frozen=True, slots=True)
class Term:
    """All expressions must hold; a term without any matches no node."""

    labels: tuple[Expression, ...]
    fields: tuple[Expression, ...]

    @classmethod
    def read(cls, term: Mapping[str, Any]) -> Term:
        return cls(_read_all(term.get("matchExpressions")), _read_all(term.get("matchFields")))

    def matches(self, name: str, labels: Mapping[str, str]) -> bool:
        if not self.labels and not self.fields:
            return False
        fields = {"metadata.name": name}
        return all(each.matches(labels) for each in self.labels) and all(
            each.matches(fields) for each in self.fields
        )


def _read_all(expressions: Iterable[Mapping[str, Any]] | None) -> tuple[Expression, ...]:
    return tuple(map(Expression.read, expressions or ()))


def _text(mapping: Mapping[str, Any], key: str) -> str:
    return str(mapping.get(key) or "")
