"""A value next to another in a parameter's space: what population based training perturbs by.

A number is multiplied by 0.8 or 1.2, and is rounded to what the space has, but never to where it came from; of a list
the next or the one before is taken. Upstream: kubeflow/katib 0.19 pkg/suggestion/v1beta1/pbt/service.py
(HyperParameterSampler.perturb), where whole numbers below five never grow and a step is not kept to.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from decimal import Decimal

from sampan.components.tuning.engine.algorithms.space import Choice, Dimension, Normal, Range

_FACTORS = (Decimal("0.8"), Decimal("1.2"))


def neighbour(dimension: Dimension, text: str, source: random.Random) -> str:
    if isinstance(dimension, Choice):
        place = dimension.listed.index(text) if text in dimension.listed else 0
        return dimension.listed[(place + source.choice((-1, 1))) % len(dimension.listed)]
    span = dimension.range if isinstance(dimension, Normal) else dimension
    assert isinstance(span, Range)
    return _number(span, Decimal(text), source.choice(_FACTORS))


def is_of(space: Sequence[Dimension], assignments: Mapping[str, str]) -> bool:
    """Whether these are values of the space: somebody may have made a trial of others."""
    try:
        for each in space:
            each.latent(assignments[each.name])
    except (KeyError, ValueError):
        return False
    return True


def _number(span: Range, value: Decimal, factor: Decimal) -> str:
    moved = min(max(value * factor, span.low), span.high)
    if value == 0:
        # Nothing times anything is where it was: a tenth of the range.
        share = (span.high - span.low) / 10
        moved = min(max(share if factor > 1 else -share, span.low), span.high)
    if span.step is None:
        return repr(float(moved))
    last = (span.values or 1) - 1
    before, after = round((value - span.low) / span.step), round((moved - span.low) / span.step)
    if after == before and moved != value:
        after = before + (1 if moved > value else -1)
    return span.nth(min(max(after, 0), last))
