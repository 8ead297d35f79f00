"""What of all endpoints is shown, in which order: from the address, and back. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sampan.components.serving.api.summary import State
from sampan.components.serving.ui.figures import NONE, Figures
from sampan.components.serving.ui.places import KINDS
from sampan.components.serving.ui.summary import Endpoint
from sampan.ui.table.ordering import in_order

_STATES = {state.value: state for state in State}
_KINDS = {resource.kind for resource in KINDS}


@dataclass(frozen=True, slots=True)
class Listed:
    """An endpoint, and how it does."""

    endpoint: Endpoint
    figures: Figures = NONE


_KEYS: Mapping[str, Callable[[Listed], Any]] = {
    "name": lambda each: each.endpoint.name,
    "state": lambda each: each.endpoint.state,
    "created": lambda each: each.endpoint.created,
    "serves": lambda each: each.endpoint.serves.lower(),
    "copies": lambda each: each.endpoint.copies,
    "rate": lambda each: each.figures.requests_per_second,
    "p95": lambda each: each.figures.p95_seconds,
    "memory": lambda each: each.figures.memory,
}


@dataclass(frozen=True, slots=True)
class Wanted:
    text: str = ""
    states: tuple[str, ...] = ()
    kind: str = ""
    sort: str = "created"
    descending: bool = True


def from_address(query: Mapping[str, str]) -> Wanted:
    """What the address says that means nothing is left out."""
    states = tuple(each for each in query.get("state", "").split(",") if each in _STATES)
    kind, sort = query.get("kind", ""), query.get("sort", "")
    return Wanted(
        query.get("find", ""),
        states,
        kind if kind in _KINDS else "",
        sort if sort in _KEYS else "created",
        query.get("order", "desc") != "asc",
    )


def to_address(wanted: Wanted) -> dict[str, str]:
    """Empty where it is as usual."""
    return {
        "find": wanted.text,
        "state": ",".join(wanted.states),
        "kind": wanted.kind,
        "sort": "" if wanted.sort == "created" else wanted.sort,
        "order": "" if wanted.descending else "asc",
    }


def chosen(listed: Sequence[Listed], wanted: Wanted) -> list[Listed]:
    """Those that are wanted, in order: of two alike the newer first, and those without a value last."""
    text = wanted.text.lower()
    found = [
        each
        for each in listed
        if (not wanted.states or each.endpoint.state in wanted.states)
        and (not wanted.kind or each.endpoint.kind == wanted.kind)
        and (not text or any(text in word.lower() for word in _words(each.endpoint)))
    ]
    found.sort(key=lambda each: (each.endpoint.created, each.endpoint.name), reverse=True)
    return in_order(found, _KEYS, wanted.sort, descending=wanted.descending)


def _words(endpoint: Endpoint) -> tuple[str, ...]:
    return endpoint.name, endpoint.kind, endpoint.serves, endpoint.runtime, endpoint.source
