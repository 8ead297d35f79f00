"""A toy for population based training: what `pbt_test.py` is in Katib's example image. Runs in a pod.

Its accuracy grows fastest with the learning rate that fits where the accuracy is: 0.001 at nothing and at a hundred,
0.01 half-way. No one rate gets far, but a population that goes on from checkpoints does. Options, the checkpoint's
folder and output are those of Katib 0.19 examples/v1beta1/trial-images/simple-pbt.
"""

from __future__ import annotations

import argparse
import json
import os
import random

_HALF_WAY, _LEAST, _MOST = 50.0, 0.001, 0.01
_TOLERANCE, _NOISE = 3.0, 2.0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=0.0001)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--checkpoint", default="/var/log/katib/checkpoints/")
    args = parser.parse_args()
    print("This is a small program of Sampan's: it stands for the image's own, which is not pulled here.")
    path = os.path.join(args.checkpoint, "training.json")
    state = {"step": 1, "accuracy": 0.0}
    if os.path.exists(path):
        with open(path) as file:
            state = json.load(file)
        print(f"goes on from epoch {state['step']}, accuracy {state['accuracy'] / 100:.4f}")
    for _ in range(args.epochs):
        state = {"step": state["step"] + 1, "accuracy": stepped(state["accuracy"], args.lr)}
    os.makedirs(args.checkpoint, exist_ok=True)
    with open(f"{path}.new", "w") as file:
        json.dump(state, file)
    os.replace(f"{path}.new", path)
    print(
        f"epoch {state['step']}:\nlr={args.lr:.4f}\nValidation-accuracy={state['accuracy'] / 100:.4f}",
        flush=True,
    )


def stepped(accuracy: float, rate: float) -> float:
    distance = abs(accuracy - _HALF_WAY) / _HALF_WAY
    best = min(max(_MOST * (1 - distance), _LEAST), _MOST)
    ratio = max(rate, best) / max(min(rate, best), 1e-12)
    if ratio < _TOLERANCE:
        accuracy += random.random() / ratio  # noqa: S311 - a game, no secret
    elif rate > best:
        # So large a rate destroys what was learnt.
        accuracy -= (ratio - _TOLERANCE) * random.random()  # noqa: S311 - a game, no secret
    return min(max(accuracy + _NOISE * random.gauss(0, 1), 0.0), 100.0)


if __name__ == "__main__":
    main()
