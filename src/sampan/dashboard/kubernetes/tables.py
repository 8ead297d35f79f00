"""What `kubectl get` prints, as rows of our tables: the API's own Table answers, with states that have a colour. Pure.

A server that knows no Table of a kind answers with objects; they become name, namespace and age. Source of the form:
k8s.io/apimachinery/pkg/apis/meta/v1/types.go (Table), v1.31.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sampan.ui.table import cells
from sampan.ui.table.table import Column, Row

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
METADATA = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"

_NAMESPACE = "namespace"
_STATE_COLUMNS = frozenset({"status", "phase", "state", "type"})
_OK = frozenset(
    [
        "running",
        "active",
        "bound",
        "ready",
        "complete",
        "completed",
        "succeeded",
        "available",
        "healthy",
        "true",
    ]
)
_BAD = frozenset({"error", "failed", "lost", "notready", "evicted", "oomkilled", "degraded", "unknown"})
_BUSY = frozenset(
    ["pending", "containercreating", "podinitializing", "terminating", "released", "suspended", "creating"]
)
_NONE = ("<none>", "<unset>", "")


@dataclass(frozen=True, slots=True)
class Line:
    """One object of a list."""

    name: str
    namespace: str
    created: str
    uid: str
    values: Mapping[str, Any]
    """By the column's key, as the API gave them."""
    labels: Mapping[str, str]
    owners: Sequence[str] = ()
    """The uids of what it belongs to."""

    @property
    def id(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Found:
    """An answer to a list, whatever form it had."""

    columns: Sequence[tuple[str, str, bool]]
    """Key, label, and whether only a wide list shows it."""
    lines: Sequence[Line]
    continues: str = ""
    """What the next page is asked for with."""
    left: int = 0
    """How many come after these, where the server says so."""


def read(answer: Mapping[str, Any]) -> Found:
    metadata = answer.get("metadata") or {}
    continues, left = metadata.get("continue") or "", metadata.get("remainingItemCount") or 0
    if answer.get("kind") != "Table":
        lines = [_line(item, {}) for item in answer.get("items") or ()]
        return Found((("name", "Name", False), ("age", "Age", False)), lines, continues, left)
    columns = [
        (_key(each["name"]), each["name"], bool(each.get("priority")))
        for each in answer.get("columnDefinitions") or ()
    ]
    lines = [
        _line(
            row.get("object") or {},
            {key: value for (key, _, _), value in zip(columns, row.get("cells") or (), strict=False)},
        )
        for row in answer.get("rows") or ()
    ]
    return Found(columns, lines, continues, left)


def _line(item: Mapping[str, Any], values: Mapping[str, Any]) -> Line:
    metadata = item.get("metadata") or {}
    return Line(
        str(metadata.get("name") or values.get("name") or ""),
        metadata.get("namespace") or "",
        metadata.get("creationTimestamp") or "",
        metadata.get("uid") or "",
        values,
        metadata.get("labels") or {},
        tuple(str(each.get("uid")) for each in metadata.get("ownerReferences") or ()),
    )


def _key(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def columns(found: Found, *, wide: bool, namespaces: bool) -> list[Column]:
    """With the namespace beside the name where several are shown."""
    shown: list[Column] = []
    for key, label, is_wide in found.columns:
        if is_wide and not wide:
            continue
        shown.append(Column(key, label, sort=key))
        if key == "name" and namespaces:
            shown.append(Column(_NAMESPACE, "Namespace", sort=_NAMESPACE))
    return shown


def matching(lines: Iterable[Line], text: str) -> list[Line]:
    """Those that say `text` anywhere: in a column, a label, the namespace. Several words must all be there."""
    words = text.lower().split()
    if not words:
        return list(lines)

    def said(line: Line) -> str:
        labels = (f"{key}={value}" for key, value in line.labels.items())
        return " ".join((line.name, line.namespace, *map(str, line.values.values()), *labels)).lower()

    return [line for line in lines if all(word in said(line) for word in words)]


def in_order(lines: Sequence[Line], by: str, *, descending: bool) -> list[Line]:
    """By a column: numbers as numbers, ages by the moment, `a2` before `a10`. By name among equals."""
    if by == "age":
        # The oldest has the largest age.
        return sorted(lines, key=lambda line: (line.created, line.name), reverse=not descending)
    by_name = sorted(lines, key=lambda line: (_natural(line.name), line.namespace))
    if not by:
        return by_name

    def value(line: Line) -> Any:
        if by == _NAMESPACE:
            return _natural(line.namespace)
        return _natural(line.name if by == "name" else str(line.values.get(by, "")))

    return sorted(by_name, key=value, reverse=descending)


_PARTS = re.compile(r"(\d+)")
_SPAN = re.compile(r"(?:\d+[ydhms])+")
_SPAN_PART = re.compile(r"(\d+)([ydhms])")
_SECONDS = {"y": 31_536_000, "d": 86_400, "h": 3600, "m": 60, "s": 1}


def _natural(text: str) -> list[tuple[int, int, str]]:
    if _SPAN.fullmatch(text):
        return [(0, sum(int(count) * _SECONDS[unit] for count, unit in _SPAN_PART.findall(text)), "")]
    return [
        (0, int(part), "") if part.isdigit() else (1, 0, part.lower()) for part in _PARTS.split(text) if part
    ]


def row(line: Line, href: Callable[[Line], str], of_event: Callable[[str, str], str] | None = None) -> Row:
    """`of_event` gives the address of what an event is about, from how it is told (`pod/web`) and its namespace."""
    drawn: dict[str, Any] = {key: _cell(key, value) for key, value in line.values.items()}
    drawn["name"] = cells.link(line.name, href(line))
    if of_event is not None and (about := str(line.values.get("object") or "")):
        drawn["object"] = cells.link(about, of_event(about, line.namespace) or href(line))
    drawn[_NAMESPACE] = line.namespace
    if line.created:
        drawn["age"] = cells.time(line.created)
    return Row(line.id, drawn, name=line.name)


def _cell(key: str, value: Any) -> Any:
    text = "" if value is None else str(value)
    if text in _NONE:
        return ""
    if key in _STATE_COLUMNS and (tone := tone_of(text)):
        return cells.state(text, tone)
    if key == "ready" and "/" in text:
        return text
    return _shortened(text)


def tone_of(text: str) -> str:
    """Of a word for a state; nothing for one that is not known to be one."""
    first = text.lower().split(",")[0].strip()
    if first in _OK or first == "normal":
        return "idle" if first == "normal" else "ok"
    if first in _BUSY:
        return "busy"
    if first == "warning":
        return "warn"
    if (
        first in _BAD
        or first.endswith(("error", "backoff", "failed"))
        or first.startswith(("err", "invalid", "oom"))
    ):
        return "bad"
    return "bad" if first.startswith("init:") and first.endswith(("error", "backoff")) else ""


def _shortened(text: str) -> str:
    return text if len(text) <= 300 else text[:297] + "…"
