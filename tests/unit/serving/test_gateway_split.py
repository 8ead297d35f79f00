"""How requests are split between backends."""

from __future__ import annotations

from collections import Counter

import pytest

from sampan.components.serving.engine.gateway.split import Split


@pytest.mark.parametrize(
    "weights", [(90, 10), (99, 1), (50, 50), (34, 33, 33), (1, 1, 98), (80, 20), (0, 100)]
)
@pytest.mark.parametrize("start", [0.0, 0.25, 0.5, 0.999])
def test_the_split_holds_within_a_hundredth(weights: tuple[int, ...], start: float) -> None:
    for count in (1000, 1500, 5000):
        split = Split(weights, start)
        found = Counter(split.next() for _ in range(count))
        for index, weight in enumerate(weights):
            assert abs(found[index] / count - weight / 100) < 0.005


def test_a_client_that_alternates_gets_both() -> None:
    split = Split((50, 50))
    chosen = [split.next() for _ in range(1000)]
    for every in (2, 3, 5):
        for offset in range(every):
            part = chosen[offset::every]
            assert abs(sum(part) / len(part) - 0.5) < 0.05


def test_weights_that_say_nothing() -> None:
    assert Split((0, 0)).next() == 0
    assert [Split((0, 7)).next() for _ in range(3)] == [1, 1, 1]
    assert Split((100,)).next() == 0


def test_a_change_of_weights_goes_on_where_it_was() -> None:
    split, counts = Split((90, 10)), Counter[int]()
    for _ in range(1000):
        # A new state of the route with every request, as while pods come and go.
        split = Split((90, 10), split.at)
        counts[split.next()] += 1
    assert abs(counts[1] - 100) <= 5
