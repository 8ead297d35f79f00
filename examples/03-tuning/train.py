"""Fits a curve by gradient descent, and says after each epoch how well: what `sampan tune` runs for each trial."""

from __future__ import annotations

import argparse
import math
import random


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, required=True)
    parser.add_argument("--degree", type=int, default=3)
    parser.add_argument("--momentum", type=float, default=0.0)
    parser.add_argument("--epochs", type=int, default=30)
    options = parser.parse_args()

    source = random.Random(1)
    points = [source.uniform(-1, 1) for _ in range(200)]
    values = [math.sin(3 * x) + source.gauss(0, 0.1) for x in points]
    weights, speeds = [0.0] * (options.degree + 1), [0.0] * (options.degree + 1)
    for epoch in range(options.epochs):
        loss = 0.0
        slopes = [0.0] * len(weights)
        for x, y in zip(points, values, strict=True):
            powers = [x**power for power in range(len(weights))]
            error = sum(weight * power for weight, power in zip(weights, powers, strict=True)) - y
            loss += error * error / len(points)
            slopes = [
                slope + 2 * error * power / len(points) for slope, power in zip(slopes, powers, strict=True)
            ]
        if not math.isfinite(loss) or loss > 1e6:
            raise SystemExit(f"epoch {epoch}: it diverged, lr={options.lr} is too much")
        print(f"epoch {epoch}: loss={loss:.6f}", flush=True)
        speeds = [
            options.momentum * speed - options.lr * slope for speed, slope in zip(speeds, slopes, strict=True)
        ]
        weights = [weight + speed for weight, speed in zip(weights, speeds, strict=True)]


if __name__ == "__main__":
    main()
