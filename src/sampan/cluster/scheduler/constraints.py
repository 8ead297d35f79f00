"""Taints, tolerations and node selector terms, read once from objects into a form that cannot surprise.

Whoever reads an object here gets a ValueError, TypeError or AttributeError for what no API server should have
taken; what comes out can be matched without any.

Source: k8s.io/component-helpers/scheduling/corev1/nodeaffinity, k8s.io/api/core/v1/toleration.go, v1.34.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sampan.kube.requirements import Requirement, requirement


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
    seconds: int | None = None
    """How long a NoExecute taint is tolerated. None: for ever."""

    @classmethod
    def read(cls, toleration: Mapping[str, Any]) -> Toleration:
        seconds = toleration.get("tolerationSeconds")
        return cls(
            _text(toleration, "key"),
            _text(toleration, "operator") or "Equal",
            _text(toleration, "value"),
            _text(toleration, "effect"),
            None if seconds is None else max(int(seconds), 0),
        )

    def tolerates(self, taint: Taint) -> bool:
        if self.effect and self.effect != taint.effect:
            return False
        if self.key and self.key != taint.key:
            return False
        if self.operator == "Exists":
            return True
        return bool(self.key) and self.value == taint.value


def tolerated(taint: Taint, tolerations: Iterable[Toleration]) -> bool:
    return any(toleration.tolerates(taint) for toleration in tolerations)


@dataclass(frozen=True, slots=True)
class Term:
    """All expressions must hold; a term without any matches no node."""

    labels: tuple[Requirement, ...]
    fields: tuple[Requirement, ...]

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


def read_terms(selector: Mapping[str, Any] | None) -> tuple[Term, ...] | None:
    """A NodeSelector: alternatives, none of which matches nothing. None: there is no selector."""
    return tuple(map(Term.read, selector.get("nodeSelectorTerms") or ())) if selector else None


def _read_all(expressions: Iterable[Mapping[str, Any]] | None) -> tuple[Requirement, ...]:
    return tuple(
        requirement(_text(each, "key"), _text(each, "operator"), each.get("values"))
        for each in expressions or ()
    )


def _text(mapping: Mapping[str, Any], key: str) -> str:
    return str(mapping.get(key) or "")
