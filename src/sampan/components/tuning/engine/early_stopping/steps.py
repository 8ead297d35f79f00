"""What pruners share: when a step is one to decide at, and which of two values is the better. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence


def is_due(step: int, warmup: int, interval: int) -> bool:
    """Whether this is a step to decide at: the first after the warm-up, then each `interval` later. Steps have no
    gaps, since a step is a value's place."""
    return step >= warmup and (step - warmup) % interval == 0


def best(values: Sequence[float], direction: str) -> float:
    """`nan` where none is a number."""
    numbers = [each for each in values if not math.isnan(each)]
    if not numbers:
        return math.nan
    return max(numbers) if direction == "maximize" else min(numbers)


def is_better(value: float, than: float, direction: str) -> bool:
    return value > than if direction == "maximize" else value < than


def said(value: float) -> str:
    return f"{value:.6g}"
