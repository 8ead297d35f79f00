"""What charts are told to draw, and the tables that say the same."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import pytest

from sampan.ui.charts import cartesian, figure, heat_map, parallel, points, surface
from sampan.ui.charts.cartesian import Axes
from sampan.ui.charts.figure import Figure, Series
from sampan.ui.charts.parallel import Line
from sampan.ui.charts.points import Path, Points
from sampan.ui.charts.surface import Direction, Spot

HOSTILE = "<img src=x onerror=alert(1)>"


def _every() -> list[Figure]:
    two = [Series(HOSTILE, [1.0, math.nan]), Series("b", [None, 2])]
    pairs = [Series(HOSTILE, [(0, 0.5), (1, math.inf)]), Series("b", [(0, 1)])]
    dimensions = [parallel.dimension("lr", [0.1, 0.2]), parallel.dimension("kind", ["x", HOSTILE])]
    lines = [Line("1", HOSTILE, [0.1, "x"]), Line("2", "b", [None, HOSTILE])]
    return [
        cartesian.line("a", two, Axes(), categories=["1", "2"]),
        cartesian.line("a", pairs, Axes(x_kind="value"), filled=True),
        cartesian.bars("a", two, [HOSTILE, "2"], Axes(), lying=True),
        cartesian.scatter("a", pairs, Axes("x", "y", x_kind="value")),
        cartesian.histogram("a", [1, 2, 3, math.nan]),
        cartesian.roc("a", [Series(HOSTILE, [(0, 0, math.inf), (1, 1, 0)])]),
        parallel.parallel("a", dimensions, lines),
        parallel.parallel("a", dimensions, lines * 6),
        heat_map.confusion_matrix("a", ["x", HOSTILE], [[1, 2], [None, 4]]),
        points.points(
            "a", _cloud(3), Axes(HOSTILE, "y", x_kind="value", shade="n"), paths=[Path(HOSTILE, [(0, 1)])]
        ),
        points.points("a", _cloud(points.DENSE + 1), Axes(HOSTILE, "y", x_kind="value", shade="n")),
        points.points("a", [Points("b", [(HOSTILE, math.nan)])], Axes("x", "y"), categories=[HOSTILE]),
        surface.surface(
            "a", Direction(HOSTILE, "category", ("x", HOSTILE)), Direction("y", "log", (), 1, 9), _SPOTS, "z"
        ),
    ]


_SPOTS = [Spot(HOSTILE, HOSTILE, 2, 0.5), Spot("b", "x", 8, 1.5)]


def _cloud(count: int) -> list[Points]:
    return [Points(HOSTILE, [(each, each / 2, each) for each in range(count)], "c", [HOSTILE] * count)]


def _texts(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    yield path, value
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _texts(each, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each, path)


@pytest.mark.parametrize("index", range(len(_every())))
def test_options_are_json_and_hold_no_markup_no_addresses_and_no_code(index: int) -> None:
    found = _every()[index]
    json.dumps(found.options, allow_nan=False)
    for path, value in _texts(found.options):
        key = path.rpartition(".")[2]
        assert not key.startswith(":")
        # Names that ECharts would follow or write into the page.
        assert key not in ("link", "sublink", "image", "extraCssText", "dataView", "toolbox", "rich")
        if key == "symbol":
            assert value in (*figure.SYMBOLS, "none")
        if key == "formatter":
            assert "<" not in value
    assert all(isinstance(cell, str) for row in found.table.rows for cell in row)
    assert all(len(row) == len(found.table.columns) for row in found.table.rows)


def test_colours_are_tokens() -> None:
    for found in _every():
        for path, value in _texts(found.options):
            if path.lower().endswith("color") and isinstance(value, str):
                assert value.startswith("var(--sp-"), path


def test_series_differ_in_more_than_colour() -> None:
    series = [Series(str(index), [index]) for index in range(6)]
    drawn = cartesian.line("a", series, Axes(), categories=["x"]).options["series"]
    looks = [(each["symbol"], each["lineStyle"]["type"]) for each in drawn]
    assert len(set(looks)) == len(looks)


def test_a_series_keeps_its_look_wherever_it_stands() -> None:
    drawn = cartesian.bars("a", [Series("b", [1], look=4)], ["x"], Axes()).options["series"]
    assert drawn[0]["color"] == figure.colour(4)


def test_dimensions_are_numbers_texts_or_logarithmic() -> None:
    assert parallel.dimension("a", [1, 2.5, None]).kind == "value"
    assert parallel.dimension("a", [1e-5, 1e-1]).kind == "log"
    assert parallel.dimension("a", [0, 5000]).kind == "value"
    assert parallel.dimension("a", [True, False]).categories == ["false", "true"]
    assert parallel.dimension("a", ["adam", 3, None]).categories == ["3", "adam"]
    assert parallel.dimension("a", []).kind == "category"


def test_a_missing_value_breaks_the_line_of_parallel_coordinates() -> None:
    dimensions = [parallel.dimension("a", [1]), parallel.dimension("b", ["x"])]
    drawn = parallel.parallel("p", dimensions, [Line("1", "one", [math.nan, None])]).options["series"]
    assert drawn[0]["data"][0]["value"] == ["-", "-"]


def test_a_histogram_counts_every_value_once() -> None:
    values = [0.0, 0.5, 1.0, 1.0, 2.0, 2.0, 2.0, 10.0, math.inf]
    drawn = cartesian.histogram("a", values).options["series"][0]["data"]
    assert sum(drawn) == 8
    assert cartesian.histogram("a", []).options["series"][0]["data"] == []
    assert cartesian.histogram("a", [3, 3]).options["series"][0]["data"] == [2]


def test_the_area_below_a_curve() -> None:
    assert cartesian.area_below([(0, 0), (0, 1), (1, 1)]) == 1
    assert cartesian.area_below([(1, 1), (0, 0)]) == 0.5
    assert cartesian.area_below([]) == 0


def test_the_numbers_of_a_large_matrix_are_not_written_into_its_cells() -> None:
    names = [str(index) for index in range(20)]
    found = heat_map.heat_map("a", names, names, [[1] * 20] * 20)
    assert found.options["series"][0]["label"]["show"] is False
    assert len(found.table.rows) == 20


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (True, "true"), (3.0, "3"), (0.123456789, "0.123457"), (math.nan, "not a number"),
     (-math.inf, "-∞"), ("x", "x"), (12, "12")],
)  # fmt: skip
def test_values_for_people(value: Any, text: str) -> None:
    assert figure.shown(value) == text


def test_of_many_points_none_has_words_of_its_own() -> None:
    axes = Axes("x", "y", x_kind="value", shade="n")
    few, many = (
        points.points("a", _cloud(points.DENSE), axes),
        points.points("a", _cloud(figure.MOST_ROWS + 1), axes),
    )
    assert not few.dense
    assert few.options["series"][0]["data"][4] == {
        "value": [4, 2.0, 4],
        "tip": f"{HOSTILE}\nx: 4\ny: 2\nn: 4",
    }
    assert many.dense
    assert many.options["series"][0]["data"][4] == [4, 2.0, 4]
    assert many.options["series"][0]["dimensions"] == ["x", "y", "n"]
    assert len(many.table.rows) == figure.MOST_ROWS


def test_a_path_has_no_points_to_pick() -> None:
    found = points.points(
        "a", _cloud(2), Axes("x", "y"), paths=[Path("best", [(0, 1)], step=True, dashed=True)]
    )
    path = found.options["series"][1]
    assert (path["silent"], path["symbol"], path["step"], path["lineStyle"]["type"]) == (
        True,
        "none",
        "end",
        "dashed",
    )


def test_a_surface_is_nearest_to_what_is_near() -> None:
    low, high = (0.125, 0.5, 1.0), (0.875, 0.5, 3.0)
    field = surface.guessed([low, high], 4, 1)
    heights = [height for _, _, height in field]
    assert heights == sorted(heights)
    assert heights[0] == pytest.approx(1.0, abs=1e-6)
    assert heights[1] + heights[2] == pytest.approx(4.0)
    assert surface.guessed([], 4, 4) == []


def test_directions_are_even_in_what_they_are_measured_by() -> None:
    log = Direction("lr", "log", (), 1e-4, 1.0)
    assert log.place(1e-2) == pytest.approx(0.5)
    assert Direction("a", "category", ("x", "y")).place("y") == 0.75
    assert Direction("a", "value", (), 3, 3).place(3) == 0.5
