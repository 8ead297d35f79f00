"""What can be asked of the list of endpoints. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sampan.components.serving.api.summary import State
from sampan.components.serving.ui.figures import NONE, Figures
from sampan.components.serving.ui.places import KINDS
from sampan.components.serving.ui.summary import Endpoint
from sampan.ui.table.narrowing import Narrowing


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


def _words(listed: Listed) -> tuple[str, ...]:
    endpoint = listed.endpoint
    return endpoint.name, endpoint.kind, endpoint.serves, endpoint.runtime, endpoint.source


NARROWING = Narrowing(
    _KEYS,
    states=frozenset(map(str, State)),
    kinds=frozenset(each.kind for each in KINDS),
    kind_of=lambda each: each.endpoint.kind,
    words=_words,
)
