"""The pod limit: kept, used to the full, and shared fairly."""

from __future__ import annotations

import random

import pytest

from sampan.components.pipelines.engine.slots import Slots


class Runs:
    """Runs with so many steps each; a step ends at random, a woken run takes its turn."""

    def __init__(self, limit: int, seed: int, **steps: int) -> None:
        self.slots, self.limit, self.random = Slots(limit), limit, random.Random(seed)
        self.left = dict(steps)
        self.used = dict.fromkeys(steps, 0)
        self.woken = list(steps)
        self.order: list[str] = []
        self.turns = 0

    def turn(self, run: str) -> None:
        self.turns += 1
        taken = min(self.slots.share(run), self.left[run])
        self.left[run] -= taken
        self.used[run] += taken
        self.order += [run] * taken
        assert sum(self.used.values()) <= self.limit
        waits = self.left[run] > 0
        self.slots.report(run, self.used[run], waits=waits, wake=lambda: self.woken.append(run))

    def play(self) -> None:
        while any(self.left.values()) or any(self.used.values()):
            while self.woken:
                self.turn(self.woken.pop(0))
                assert self.turns < 10_000, "runs wake each other for ever"
            if any(self.left.values()):
                assert sum(self.used.values()) == self.limit, "a slot is free while runs wait"
            busy = [run for run, count in self.used.items() if count]
            run = self.random.choice(busy)
            self.used[run] -= 1
            self.woken.append(run)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("limit", [1, 3, 4, 10])
def test_every_slot_is_used_and_every_run_ends(limit, seed):
    Runs(limit, seed, a=40, b=3, c=17, d=1, e=25).play()


def test_a_small_run_is_served_beside_a_large_one():
    runs = Runs(4, 1, large=200)
    while runs.woken:
        runs.turn(runs.woken.pop(0))
    runs.left["small"], runs.used["small"] = 3, 0
    runs.woken.append("small")
    runs.play()
    assert max(place for place, run in enumerate(runs.order) if run == "small") < 20
