"""Lists, sets, optional values, encodings, formats; and with them the whole table of functions.

Source: k8s.io/apiserver/pkg/cel/library/{lists,format}.go, cel-go/ext/{sets,lists}.go, v1.31.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from sampan.cluster.apiserver.cel import authorization, conversions, data, formats, networking, texts
from sampan.cluster.apiserver.cel.data import Budget, CelError, Optional
from sampan.cluster.apiserver.cel.registry import FUNCTIONS, Function, function, need_text
from sampan.kube import names

__all__ = ["FUNCTIONS", "authorization", "conversions", "texts"]


# Lists and sets.


def _list(name: str, *values: Any) -> None:
    if not all(isinstance(each, list) for each in values):
        raise data.no_overload(name, *values)


@function(".isSorted")
def _is_sorted(budget: Budget, items: list[Any]) -> bool:
    _list("isSorted", items)
    budget.spend(len(items))
    return all(data.compare("isSorted", a, b) <= 0 for a, b in pairwise(items))


@function(".sum")
def _sum(budget: Budget, items: list[Any]) -> Any:
    _list("sum", items)
    budget.spend(len(items))
    total: Any = None
    for each in items:
        total = each if total is None else data.add(total, each, budget)
    return 0 if total is None else total


def _extreme(name: str, sign: int) -> Function:
    def find(budget: Budget, *given: Any) -> Any:
        items = given[0] if len(given) == 1 and isinstance(given[0], list) else list(given)
        budget.spend(len(items))
        if not items:
            raise CelError(f"{name} called on empty list")
        best = items[0]
        for each in items[1:]:
            if data.compare(name, each, best) * sign < 0:
                best = each
        return best

    return find


FUNCTIONS |= {
    ".min": _extreme("min", 1),
    ".max": _extreme("max", -1),
    "math.least": _extreme("math.least", 1),
    "math.greatest": _extreme("math.greatest", -1),
}


@function(".flatten")
def _flatten(budget: Budget, items: list[Any], depth: int = 1) -> list[Any]:
    _list("flatten", items)
    found: list[Any] = []
    for each in items:
        budget.spend(1)
        if isinstance(each, list) and depth > 0:
            found += _flatten(budget, each, depth - 1)
        else:
            found.append(each)
    return found


@function(".slice")
def _slice(budget: Budget, items: list[Any], first: int, last: int) -> list[Any]:
    _list("slice", items)
    if not 0 <= first <= last <= len(items):
        raise CelError("cannot slice: out of bounds")
    budget.spend(last - first)
    return items[first:last]


@function(".distinct")
def _distinct(budget: Budget, items: list[Any]) -> list[Any]:
    _list("distinct", items)
    found: list[Any] = []
    for each in items:
        if not any(data.equal(each, other, budget) for other in found):
            found.append(each)
    return found


@function("sets.contains")
def _set_contains(budget: Budget, whole: list[Any], part: list[Any]) -> bool:
    _list("sets.contains", whole, part)
    return all(any(data.equal(each, other, budget) for other in whole) for each in part)


@function("sets.equivalent")
def _set_equivalent(budget: Budget, left: list[Any], right: list[Any]) -> bool:
    return bool(_set_contains(budget, left, right) and _set_contains(budget, right, left))


@function("sets.intersects")
def _set_intersects(budget: Budget, left: list[Any], right: list[Any]) -> bool:
    _list("sets.intersects", left, right)
    return any(data.equal(each, other, budget) for each in left for other in right)


# Optional values.


@function("optional.of")
def _optional_of(_: Budget, value: Any) -> Optional:
    return data.some(value)


@function("optional.none")
def _optional_none(_: Budget) -> Optional:
    return data.NONE


@function("optional.ofNonZeroValue")
def _optional_of_non_zero(_: Budget, value: Any) -> Optional:
    return data.some(value) if value else data.NONE


@function(".hasValue")
def _has_value(_: Budget, value: Optional) -> bool:
    return bool(value.present)


@function(".value")
def _value(_: Budget, value: Optional) -> Any:
    return value.get()


@function(".orValue")
def _or_value(_: Budget, value: Optional, other: Any) -> Any:
    return value.value if value.present else other


@function(".or")
def _or(_: Budget, value: Optional, other: Optional) -> Optional:
    return value if value.present else other


# Encodings and formats.


@function("base64.encode")
def _encode(budget: Budget, value: bytes) -> str:
    budget.spend(len(value) // 10)
    return base64.b64encode(value).decode()


@function("base64.decode")
def _decode(budget: Budget, text: str) -> bytes:
    budget.spend(len(text) // 10)
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise CelError("illegal base64 data") from error


class _Format:
    cel_type = "kubernetes.NamedFormat"

    def __init__(self, rule: Callable[[str], list[str]]) -> None:
        self.rule = rule


def _by_format(name: str) -> _Format:
    return _Format(lambda text: [] if formats.is_of(name, text) else [f"must be a valid {name}"])


_FORMATS: dict[str, _Format] = {
    "dns1123Label": _Format(names.dns_label),
    "dns1123Subdomain": _Format(names.dns_subdomain),
    "dns1035Label": _Format(names.dns_1035_label),
    "qualifiedName": _Format(names.qualified_name),
    "labelValue": _Format(names.label_value),
    "uri": _by_format("uri"),
    "uuid": _by_format("uuid"),
    "byte": _by_format("byte"),
    "date": _by_format("date"),
    "datetime": _by_format("date-time"),
}


@function("format.named")
def _named(_: Budget, name: str) -> Optional:
    found = _FORMATS.get(name)
    return data.NONE if found is None else data.some(found)


@function(".validate")
def _validate(budget: Budget, format_: _Format, text: str) -> Optional:
    need_text("validate", text)
    budget.spend(5 + len(text) // 10)
    problems = format_.rule(text)
    return data.some(problems) if problems else data.NONE


FUNCTIONS |= {f"format.{name}": lambda _, found=found: found for name, found in _FORMATS.items()}
FUNCTIONS |= networking.FUNCTIONS
