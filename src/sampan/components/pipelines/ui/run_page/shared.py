"""What follows from one answer of the API, made once for all tabs that were handed it. Pure.

Live answers are one object for all tabs (`ui.live`): an answer is known by being the same, not by what is in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sampan.components.pipelines.ui.blueprint import Blueprint
from sampan.components.pipelines.ui.run_page import model
from sampan.components.pipelines.ui.run_page.model import Step
from sampan.components.pipelines.ui.timeline_model import timeline_of
from sampan.ui.timeline.model import Timeline


class _Same:
    """Equal only to what holds the very same object."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


def steps(tasks: Sequence[Mapping[str, Any]]) -> Sequence[Step]:
    return _steps(_Same(tasks))


def timeline(plan: Blueprint, tasks: Sequence[Mapping[str, Any]], state: str) -> Timeline:
    return _timeline(_Same(plan), _Same(tasks), state)


@lru_cache(maxsize=8)
def _steps(tasks: _Same) -> Sequence[Step]:
    return model.steps(tasks.value)


@lru_cache(maxsize=4)
def _timeline(plan: _Same, tasks: _Same, state: str) -> Timeline:
    return timeline_of(plan.value, tasks.value, state)
