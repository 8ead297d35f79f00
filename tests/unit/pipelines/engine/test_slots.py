"""The pod limit: kept, used to the full, and shared fairly by namespaces and runs."""

from __future__ import annotations

import random
from collections import deque

import pytest

from sampan.components.pipelines.api.settings import read_weights
from sampan.components.pipelines.engine.slots import Slots


class Runs:
    """Runs with so many steps each, `NAMESPACE_NAME`; a step ends at random, a woken run takes its turn."""

    def __init__(self, limit: int, seed: int, shares: dict[str, float] | None = None, **steps: int) -> None:
        self.slots, self.limit, self.random = Slots(limit, shares), limit, random.Random(seed)
        self.left: dict[str, int] = {}
        self.used: dict[str, int] = {}
        self.busy: list[str] = []
        """A run for each of its steps that run."""
        self.woken: deque[str] = deque()
        self.order: list[str] = []
        self.turns = 0
        for run, count in steps.items():
            self.add(run, count)

    def add(self, run: str, steps: int) -> None:
        self.left[run], self.used[run] = steps, 0
        self.woken.append(run)

    def turn(self, run: str) -> None:
        self.turns += 1
        namespace = run.partition("_")[0]
        taken = min(self.slots.share(run, namespace), self.left[run])
        self.left[run] -= taken
        self.used[run] += taken
        self.busy += [run] * taken
        self.order += [run] * taken
        assert len(self.busy) <= self.limit
        waits = self.left[run] > 0
        self.slots.report(
            run, self.used[run], waits=waits, wake=lambda: self.woken.append(run), namespace=namespace
        )

    def settle(self) -> None:
        before = self.turns
        while self.woken:
            self.turn(self.woken.popleft())
            assert self.turns - before < 20 * len(self.left) + 1000, "runs wake each other for ever"
        if any(self.left.values()):
            assert len(self.busy) == self.limit, "a slot is free while runs wait"

    def step(self) -> None:
        """One of the steps that run ends."""
        place = self.random.randrange(len(self.busy))
        self.busy[place], self.busy[-1] = self.busy[-1], self.busy[place]
        run = self.busy.pop()
        self.used[run] -= 1
        self.woken.append(run)
        self.settle()

    def play(self) -> None:
        self.settle()
        while self.busy:
            self.step()
        assert not any(self.left.values())

    def used_by(self, namespace: str) -> int:
        return sum(used for run, used in self.used.items() if run.startswith(f"{namespace}_"))


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("limit", [1, 3, 4, 10])
def test_every_slot_is_used_and_every_run_ends(limit: int, seed: int) -> None:
    Runs(limit, seed, x_a=40, x_b=3, y_c=17, y_d=1, z_e=25).play()


def test_a_small_run_is_served_beside_a_large_one() -> None:
    runs = Runs(4, 1, x_large=200)
    runs.settle()
    runs.add("x_small", 3)
    runs.play()
    assert max(place for place, run in enumerate(runs.order) if run == "x_small") < 20


def test_a_namespace_with_a_thousand_runs_starves_no_other() -> None:
    runs = Runs(20, 3, **{f"crowd_{number}": 5 for number in range(1000)})
    runs.settle()
    runs.add("single_run", 300)
    for _ in range(80):
        runs.step()
    assert runs.used_by("single") == 10, "half of the slots for each of two namespaces"
    runs.play()
    # In the crowd, nearly nobody was served twice before everybody was once.
    first = [run for run in runs.order if run.startswith("crowd_")][:1000]
    assert len(set(first)) >= 950


def test_weights_divide_the_slots() -> None:
    runs = Runs(40, 5, {"heavy": 3.0}, heavy_a=4000, heavy_b=4000, light_a=8000)
    runs.settle()
    for _ in range(400):
        runs.step()
    assert runs.used_by("heavy") == 30
    assert runs.used_by("light") == 10
    assert runs.used["heavy_a"] == runs.used["heavy_b"] == 15


def test_runs_are_not_woken_in_vain() -> None:
    runs = Runs(50, 7, **{f"n{number % 5}_{number}": 2 for number in range(5000)})
    runs.play()
    # Each of the 10,000 steps begins in a turn and ends in one, and each run comes once to ask.
    assert runs.turns < 40_000


@pytest.mark.parametrize("text", ["a", "a=", "=1", "a=0", "a=-1", "a=nan", "a=1e9", ""])
def test_a_weight_that_is_none_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="NAMESPACE=WEIGHT"):
        read_weights((text,))
    assert read_weights(("a=2", "b=0.5")) == {"a": 2.0, "b": 0.5}
