"""Curves with no more points than somebody can see."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sampan.components.tuning.rest.curves import thinned

VALUES = st.lists(st.floats(-1e6, 1e6), max_size=300)


@given(VALUES, st.integers(2, 60))
def test_the_ends_stay_and_so_do_the_extremes(values: list[float], points: int) -> None:
    line = [(float(at), value) for at, value in enumerate(values)]
    kept = thinned(line, points)
    assert len(kept) <= points
    assert list(kept) == sorted(kept)
    assert set(kept) <= set(line)
    if line:
        assert (kept[0], kept[-1]) == (line[0], line[-1])
    if points >= 4 and line:
        lowest, highest = min(value for _, value in kept), max(value for _, value in kept)
        assert (lowest, highest) == (min(values), max(values))


def test_a_short_line_stays_as_it_is() -> None:
    line = [(0.0, 1.0), (1.0, 2.0)]
    assert thinned(line, 1000) is line
