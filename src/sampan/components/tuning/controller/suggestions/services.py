"""Whom a suggestion asks: the algorithms that come with the platform."""

from __future__ import annotations

from dataclasses import dataclass

from sampan.components.tuning.api.suggesting import Algorithms, EarlyStoppingService, SuggestionService


@dataclass(frozen=True, slots=True)
class Asked:
    suggestions: SuggestionService
    early_stopping: EarlyStoppingService


class BuiltInServices:
    def __init__(self, algorithms: Algorithms) -> None:
        self._algorithms = algorithms

    def of(self, algorithm: str) -> Asked | None:
        if not self._algorithms.knows(algorithm):
            return None
        return Asked(self._algorithms.suggestions, self._algorithms.early_stopping)
