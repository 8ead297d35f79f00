"""Logistic regression, trained on as many nodes as there are: each has its share of the data, all step together.

The figures are the same with one node and with many, since the mean of the nodes' gradients is that of all the data.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
from pathlib import Path

from together import Together


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--lr", type=float, default=1.0)
    options = parser.parse_args()
    nodes = Together()
    mine = data()[nodes.rank :: nodes.size]
    print(f"node {nodes.rank} of {nodes.size} has {len(mine)} rows")

    weights = [0.0, 0.0, 0.0]
    for step in range(1, options.steps + 1):
        *gradient, loss, right = nodes.mean(look(mine, weights))
        weights = [weight - options.lr * slope for weight, slope in zip(weights, gradient, strict=True)]
        if nodes.rank == 0:
            print(f"step={step} loss={loss:.4f} accuracy={right:.3f}")

    if nodes.rank == 0 and (folder := os.environ.get("SAMPAN_OUTPUT")):
        Path(folder, "weights.json").write_text(json.dumps(weights), encoding="utf-8")


def data() -> list[tuple[list[float], float]]:
    """Points right of a line, and left of it."""
    source = random.Random(7)
    points = [(source.uniform(-1, 1), source.uniform(-1, 1)) for _ in range(2400)]
    return [([x, y, 1.0], float(2 * x - y > 0.25)) for x, y in points]


def look(rows: list[tuple[list[float], float]], weights: list[float]) -> list[float]:
    """Means over rows: the gradient, the loss, and how many are right."""
    total = [0.0] * (len(weights) + 2)
    for values, label in rows:
        score = sum(weight * value for weight, value in zip(weights, values, strict=True))
        guess = 1 / (1 + math.exp(-score))
        slopes = [(guess - label) * value for value in values]
        loss = -math.log(max(guess if label else 1 - guess, 1e-12))
        for at, value in enumerate([*slopes, loss, float((guess > 0.5) == bool(label))]):
            total[at] += value
    return [value / len(rows) for value in total]


main()
