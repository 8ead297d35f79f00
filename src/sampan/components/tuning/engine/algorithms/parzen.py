"""Parzen estimators: mixtures of kernels, one around each point that was observed, and a wide one over all of the axis.

Called by `tpe`. Bergstra et al. 2011, "Algorithms for Hyper-Parameter Optimization", section 4; bandwidths, clipping
and weights as hyperopt and Optuna 5 have them (Watanabe 2023, arXiv 2304.11127, sections 3.3 and 3.4). Arrays: n
points, k kernels (n and the prior), d axes, m samples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from sampan.components.tuning.engine.algorithms.space import Latent, Span

_FLAT = 25
"""So many of the newest points weigh the same; those before fade with their age (hyperopt's linear forgetting)."""
_FINEST = 100.0
"""No kernel is narrower than the space divided by this (the "magic clip" of hyperopt)."""
_SMALLEST = 1e-300


@dataclass(frozen=True, slots=True)
class Axis:
    """One parameter in the scale in which it is searched."""

    low: float
    high: float
    """With half a step to each side, where there are steps."""
    step: float = 0.0
    """Of whole numbers; 0 for real ones."""
    log: bool = False
    choices: int = 0
    """How many; 0 for numbers."""

    @classmethod
    def of(cls, span: Span) -> Axis:
        if span.choices:
            return cls(0.0, float(len(span.choices)), choices=len(span.choices))
        step = float(span.step) if span.whole else 0.0
        low, high = span.low - step / 2, span.high + step / 2
        if span.log:
            low, high = math.log(low), math.log(high)
        return cls(low, high, step, span.log)

    @property
    def single(self) -> bool:
        return self.choices == 1 or (not self.choices and self.high - self.low <= self.step * (not self.log))

    def rounded(self, at: Any) -> Any:
        """To whole numbers, where they are. Shape (m)."""
        if not self.step:
            return np.clip(at, self.low, self.high)
        value = np.exp(at) if self.log else at
        least, most = self._ends()
        value = np.clip(least + np.round((value - least) / self.step) * self.step, least, most)
        return np.log(value) if self.log else value

    def cells(self, at: Any) -> tuple[Any, Any]:
        """From where to where what is rounded to these goes. Shapes (m)."""
        value = np.exp(at) if self.log else at
        left, right = value - self.step / 2, value + self.step / 2
        return (np.log(left), np.log(right)) if self.log else (left, right)

    def _ends(self) -> tuple[float, float]:
        low, high = (math.exp(self.low), math.exp(self.high)) if self.log else (self.low, self.high)
        return round(low + self.step / 2), round(high - self.step / 2)


def coordinate(span: Span, latent: Latent) -> float:
    """Where a value lies on its axis."""
    if span.choices:
        return float(span.choices.index(str(latent)))
    return math.log(float(latent)) if span.log else float(latent)


def latent(span: Span, at: float) -> Latent:
    """The inverse of `coordinate`."""
    if span.choices:
        return span.choices[int(at)]
    value = min(max(math.exp(at) if span.log else at, span.low), span.high)
    return round(value) if span.whole else value


class Mixture:
    """Of products over axes: its kernels are the points', then the prior's."""

    def __init__(self, axes: Sequence[Axis], points: Any, weights: Any, prior_weight: float) -> None:
        """`points` (n, d), `weights` (n)."""
        total = np.append(weights, prior_weight if len(points) else 1.0)
        self._weights = total / total.sum()
        self._kernels = [
            _choice_kernels(axis, points[:, place], prior_weight)
            if axis.choices
            else _number_kernels(axis, points[:, place])
            for place, axis in enumerate(axes)
        ]

    def sample(self, source: np.random.Generator, size: int) -> Any:
        """Shape (m, d)."""
        chosen = source.choice(len(self._weights), p=self._weights, size=size)
        return np.stack([each.sample(source, chosen) for each in self._kernels], axis=1)

    def log_density(self, samples: Any) -> Any:
        """Of (m, d): (m)."""
        # In place: the arrays are of samples times kernels, and making one costs as much as filling it.
        each = self._kernels[0].log_density(samples[:, 0])
        for place, kernel in enumerate(self._kernels[1:], start=1):
            each += kernel.log_density(samples[:, place])
        each += np.log(np.maximum(self._weights, _SMALLEST))
        most = each.max(axis=1)
        each -= most[:, None]
        return np.log(np.exp(each, out=each).sum(axis=1)) + most


def ages(count: int) -> Any:
    """Weights of points from the oldest to the newest. Shape (n)."""
    if count < _FLAT:
        return np.ones(count)
    return np.concatenate([np.linspace(1.0 / count, 1.0, num=count - _FLAT), np.ones(_FLAT)])


@dataclass(frozen=True, slots=True)
class _Choices:
    table: Any
    """The probability of each choice, by kernel. Shape (k, choices)."""

    def sample(self, source: np.random.Generator, chosen: Any) -> Any:
        reached = np.cumsum(self.table[chosen], axis=1)
        reached[:, -1] = 1.0
        return (reached < source.random(len(chosen))[:, None]).sum(axis=1).astype(float)

    def log_density(self, at: Any) -> Any:
        return np.log(np.maximum(self.table, _SMALLEST)).T[at.astype(int)]


@dataclass(frozen=True, slots=True)
class _Numbers:
    """Normal distributions, cut off at the ends of the axis."""

    axis: Axis
    means: Any
    widths: Any
    """Both of shape (k)."""

    def sample(self, source: np.random.Generator, chosen: Any) -> Any:
        mean, width = self.means[chosen], self.widths[chosen]
        least = ndtr((self.axis.low - mean) / width)
        most = ndtr((self.axis.high - mean) / width)
        drawn = mean + width * ndtri(least + source.random(len(chosen)) * (most - least))
        return self.axis.rounded(np.clip(drawn, self.axis.low, self.axis.high))

    def log_density(self, at: Any) -> Any:
        within = ndtr((self.axis.high - self.means) / self.widths) - ndtr(
            (self.axis.low - self.means) / self.widths
        )
        if self.axis.step:
            # The same few values come again and again.
            different, back = np.unique(at, return_inverse=True)
            left, right = self.axis.cells(different)
            mass = ndtr((right[:, None] - self.means) / self.widths) - ndtr(
                (left[:, None] - self.means) / self.widths
            )
            return np.log(np.maximum(mass / within, _SMALLEST))[back]
        distance = at[:, None] - self.means
        distance /= self.widths
        found = -0.5 * distance
        found *= distance
        found -= np.log(self.widths * within)
        found -= 0.5 * math.log(2 * math.pi)
        return found


def _choice_kernels(axis: Axis, observed: Any, prior_weight: float) -> _Choices:
    count = len(observed)
    table = np.full((count + 1, axis.choices), prior_weight / (count + 1))
    table[np.arange(count), observed.astype(int)] += 1
    return _Choices(table / table.sum(axis=1, keepdims=True))


def _number_kernels(axis: Axis, observed: Any) -> _Numbers:
    """As wide as the way to the farther neighbour."""
    whole = axis.high - axis.low
    count = len(observed)
    order = np.argsort(observed, kind="stable")
    ends = np.concatenate([[axis.low], observed[order], [axis.high]])
    gaps = np.diff(ends)
    widths = np.maximum(gaps[:-1], gaps[1:])
    if count >= 2:
        # The ends of the axis are nobody's neighbours.
        widths[0], widths[-1] = gaps[1], gaps[-2]
    spread = np.empty(count)
    spread[order] = np.clip(widths, whole / min(_FINEST, 2.0 + count), whole)
    return _Numbers(axis, np.append(observed, (axis.low + axis.high) / 2), np.append(spread, whole))
