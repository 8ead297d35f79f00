"""The best parameters of a Python function, from Python: needs a running server (`sampan up`)."""

from __future__ import annotations

import math
import random

from sampan.sdk import search, tune

DATA_SEED = 1


def neighbours(k: int, power: float, weights: str) -> float:
    """How well the `k` nearest points foretell a value: the error over five parts, which is reported part by part."""
    source = random.Random(DATA_SEED)
    points = [(source.uniform(0, 6), source.uniform(0, 6)) for _ in range(150)]
    values = [math.sin(x) + math.cos(y) + source.gauss(0, 0.1) for x, y in points]
    errors = []
    for part in range(5):
        known = [at for at in range(len(points)) if at % 5 != part]
        for at in range(part, len(points), 5):
            x, y = points[at]
            near = sorted(
                (abs(x - points[other][0]) ** power + abs(y - points[other][1]) ** power, other)
                for other in known
            )[:k]
            shares = [1.0 if weights == "uniform" else 1 / (distance + 1e-9) for distance, _ in near]
            guess = sum(share * values[other] for share, (_, other) in zip(shares, near, strict=True)) / sum(
                shares
            )
            errors.append((guess - values[at]) ** 2)
        tune.report(error=sum(errors) / len(errors), step=part)
    return sum(errors) / len(errors)


def main() -> None:
    tuning = tune(
        neighbours,
        {
            "k": search.int(1, 40),
            "power": search.uniform(0.5, 4),
            "weights": search.choice(["uniform", "distance"]),
        },
        objective="error",
        direction="minimize",
        algorithm="tpe",
        trials=30,
        parallel=2,
        seed=7,
        early_stopping="medianstop",
    ).follow()
    print("best:", tuning.best, "error:", tuning.best_value)
    stopped = [each for each in tuning.trials() if each["state"] == "EarlyStopped"]
    print(len(stopped), "trials were not worth going on with")


if __name__ == "__main__":
    main()
