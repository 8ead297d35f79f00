"""One condition on one label or field: what selectors, node affinity and topology rules are made of. Pure.

`selectors` reads them from the text and object forms of label selectors, the scheduler from node selector terms.

Source: k8s.io/apimachinery/pkg/labels/selector.go (Requirement.Matches), v1.34.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")


@dataclass(frozen=True, slots=True)
class Requirement:
    """`operator` is of In, NotIn, Exists, DoesNotExist, Gt, Lt; any other matches nothing."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

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
        """Gt and Lt have one value; with none, or several, nothing is known to be greater."""
        if value is None or len(self.values) != 1:
            return False
        (bound,) = self.values
        if not _INTEGER.fullmatch(value) or not _INTEGER.fullmatch(bound):
            return False
        return int(value) > int(bound) if self.operator == "Gt" else int(value) < int(bound)


def requirement(key: str, operator: str, values: Iterable[object] | None = None) -> Requirement:
    """Of values as an object holds them."""
    return Requirement(key, operator, frozenset(map(str, values or ())))
