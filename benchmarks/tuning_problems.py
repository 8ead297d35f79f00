"""What tuning's algorithms are measured on: functions with a known best value, and a model that is really trained.

Imported by the benchmark and by the programs of other libraries, so it needs no more than numpy and scikit-learn.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Axis:
    low: float
    high: float
    log: bool = False
    whole: bool = False


@dataclass(frozen=True)
class Problem:
    axes: dict[str, Axis]
    value: Callable[[Mapping[str, Any]], float]
    """To be made small."""
    best: float
    trials: int
    """That an experiment has."""


def _branin(x: Mapping[str, Any]) -> float:
    a, b = float(x["x0"]), float(x["x1"])
    bowl = b - 5.1 / (4 * math.pi**2) * a**2 + 5 / math.pi * a - 6
    return bowl**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(a) + 10


_ALPHA = (1.0, 1.2, 3.0, 3.2)
_A = (
    (10, 3, 17, 3.5, 1.7, 8),
    (0.05, 10, 17, 0.1, 8, 14),
    (3, 3.5, 1.7, 10, 17, 8),
    (17, 8, 0.05, 10, 0.1, 14),
)
_P = (
    (0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886),
    (0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991),
    (0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650),
    (0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381),
)


def _hartmann6(x: Mapping[str, Any]) -> float:
    point = [float(x[f"x{place}"]) for place in range(6)]
    return -sum(
        alpha * math.exp(-sum(a * (v - p) ** 2 for a, v, p in zip(row_a, point, row_p, strict=True)))
        for alpha, row_a, row_p in zip(_ALPHA, _A, _P, strict=True)
    )


def _rosenbrock(x: Mapping[str, Any]) -> float:
    point = [float(x[f"x{place}"]) for place in range(10)]
    return sum(
        100 * (after - before**2) ** 2 + (1 - before) ** 2 for before, after in itertools.pairwise(point)
    )


@functools.cache
def _digits() -> tuple[Any, Any, Any, Any]:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    data = load_digits()
    parts = train_test_split(data.data / 16, data.target, train_size=300, test_size=700, random_state=0)
    return tuple(parts)


def _svm(x: Mapping[str, Any]) -> float:
    from sklearn.svm import SVC

    train, test, train_digits, test_digits = _digits()
    model = SVC(C=float(x["C"]), gamma=float(x["gamma"]), tol=float(x["tol"]), degree=int(x["degree"]))
    return 1 - float(model.fit(train, train_digits).score(test, test_digits))


PROBLEMS: dict[str, Problem] = {
    "Branin": Problem({"x0": Axis(-5, 10), "x1": Axis(0, 15)}, _branin, 0.397887, 50),
    "Hartmann 6": Problem({f"x{place}": Axis(0, 1) for place in range(6)}, _hartmann6, -3.32237, 80),
    "Rosenbrock 10": Problem({f"x{place}": Axis(-5, 10) for place in range(10)}, _rosenbrock, 0.0, 150),
    "digits (SVM)": Problem(
        {
            "C": Axis(0.01, 1000, log=True),
            "gamma": Axis(1e-5, 10, log=True),
            "tol": Axis(1e-5, 0.1, log=True),
            "degree": Axis(2, 5, whole=True),
        },
        _svm,
        0.0,
        30,
    ),
}
