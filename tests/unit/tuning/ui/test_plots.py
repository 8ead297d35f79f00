"""Charts of trials: what they say is what the trials have found."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from tests.unit.tuning.ui.tuning_objects import columns, experiment

from sampan.components.tuning.api.reading import parameters_of
from sampan.components.tuning.ui import trials
from sampan.components.tuning.ui.plots import axes, curves, front, progress, space, times
from sampan.components.tuning.ui.trials import Trials

PARAMETERS = parameters_of(experiment()["spec"]["parameters"])


def _trials(*losses: float | None, kind: str = "minimize", **more: Any) -> Trials:
    rows = [
        (
            f"t-{place}",
            "Succeeded" if loss is not None else "Running",
            loss,
            {"lr": f"{10.0 ** -(place % 4)}", "kind": "ab"[place % 2]},
        )
        for place, loss in enumerate(losses, 1)
    ]
    objective = {"metric": "loss", "type": kind, "goal": 0.05}
    return trials.of_columns(columns(rows, objective=objective, objectives=[objective], **more))


def test_the_best_so_far_only_gets_better_and_goes_to_the_last() -> None:
    found = _trials(0.5, 0.7, 0.2, None, 0.4)
    assert progress.best_so_far(found, found.measured) == [(1, 0.5), (3, 0.2), (5, 0.2)]
    found = _trials(0.5, 0.7, 0.2, kind="maximize")
    assert progress.best_so_far(found, found.measured) == [(1, 0.5), (2, 0.7), (3, 0.7)]


def test_the_history_leads_from_points_to_trials() -> None:
    drawn = progress.history(_trials(0.5, 0.7, 0.2))
    assert drawn.places == {"Trials": ["t-1", "t-2", "t-3"]}
    names = [series["name"] for series in drawn.figure.options["series"]]
    assert names == ["Trials", "Best so far", "Goal"]
    assert progress.history(_trials()).places == {}


def test_a_wide_span_is_shown_by_logarithms() -> None:
    assert progress.history(_trials(1000.0, 0.5)).figure.options["yAxis"]["type"] == "log"
    assert progress.history(_trials(-1.0, 5000.0)).figure.options["yAxis"]["type"] == "value"


def test_parameters_become_axes() -> None:
    lr, kind = axes.of(PARAMETERS, _trials(0.5, 0.7, 0.2))
    assert (lr.kind, lr.value("0.01"), lr.value("-1"), lr.value("x"), lr.value(None)) == (
        "log",
        0.01,
        None,
        None,
        None,
    )
    assert (kind.kind, kind.categories, kind.value("b"), kind.value("z")) == (
        "category",
        ("a", "b"),
        "b",
        None,
    )


def test_an_axis_is_as_its_parameter_is_searched() -> None:
    answer = columns(
        [(f"t-{at}", "Succeeded", 1.0, {"x": x, "d": x, "new": x}) for at, x in enumerate(("0.0001", "1"))]
    )
    found = trials.of_columns(answer)
    declared = [
        {"name": "x", "parameterType": "double", "feasibleSpace": {"min": "0", "max": "1"}},
        {"name": "d", "parameterType": "discrete", "feasibleSpace": {"list": ["0.0001", "1"]}},
    ]
    kinds = {axis.name: axis.kind for axis in axes.of(parameters_of(declared), found)}
    assert kinds == {"x": "value", "d": "log", "new": "log"}


def test_of_many_trials_the_best_are_always_drawn() -> None:
    losses = list(range(5000))
    random.Random(3).shuffle(losses)
    found = _trials(*(float(each) for each in losses))
    kept = axes.sampled(found, 500)
    assert len(kept) == 500
    assert {float(each) for each in range(250)} <= {each.metrics["loss"] for each in kept}
    assert [each.number for each in kept] == sorted(each.number for each in kept)


def test_every_chart_of_nothing_of_little_and_of_much_is_json() -> None:
    for found in (_trials(), _trials(None), _trials(0.5), _trials(*[1.0] * 3000)):
        figures = [
            progress.history(found).figure,
            progress.distribution(found),
            space.coordinates(PARAMETERS, found),
            *(drawn.figure for _, drawn in space.slices(PARAMETERS, found)),
            front.pareto(found, ["t-1"], "loss", "loss").figure,
        ]
        if (drawn := space.contour(PARAMETERS, found, "lr", "kind")) is not None:
            figures.append(drawn.figure)
        for figure in figures:
            json.dumps(figure.options, allow_nan=False)


def test_a_contour_needs_two_parameters() -> None:
    found = _trials(0.5, 0.7, 0.2)
    assert space.pairs(PARAMETERS, found) == ["lr", "kind"]
    assert space.contour(PARAMETERS, found, "lr", "lr") is None
    assert space.contour(PARAMETERS, found, "lr", "nothing") is None
    drawn = space.contour(PARAMETERS, found, "lr", "kind")
    assert drawn is not None
    assert drawn.places == {"spots": ["t-1", "t-2", "t-3"]}


def test_the_distribution_ends_at_all() -> None:
    found = progress.distribution(_trials(*(float(each) for each in range(1, 1002))))
    data = found.options["series"][0]["data"]
    assert data[-1] == [1001.0, 1.0]
    assert len(data) < 600


def test_the_front_is_apart_from_the_others() -> None:
    goals = [{"metric": "loss", "type": "minimize"}, {"metric": "size", "type": "minimize"}]
    rows = [(f"t-{each}", "Succeeded", float(each), {}) for each in range(4)]
    answer = columns(rows) | {
        "objectives": goals,
        "metrics": {"loss": [0.0, 1.0, 2.0, 3.0], "size": [9.0, 4.0, 5.0, None]},
    }
    found = trials.of_columns(answer)
    drawn = front.pareto(found, ["t-0", "t-1"], "loss", "size")
    assert drawn.places == {"Others": ["t-2"], "Front": ["t-0", "t-1"]}
    assert drawn.figure.options["series"][-1]["data"] == [[0.0, 9.0], [1.0, 4.0]]


def test_importances_are_bars_or_nothing() -> None:
    assert front.importances({"importances": [], "why": "too few"}) is None
    found = front.importances({"metric": "loss", "importances": [{"parameter": "lr", "importance": 0.75}]})
    assert found is not None
    assert found.table.rows == [["lr", "0.75"]]


@pytest.mark.parametrize(
    ("state", "spans"), [("Created", ["queue"]), ("Running", ["queue", "run"]), ("Failed", ["queue", "run"])]
)
def test_the_timeline_of_a_trial(state: str, spans: list[str]) -> None:
    found = times.timeline(trials.of_columns(columns([("t-1", state, 0.5, {})])))
    assert [span.kind for span in found.rows[0].spans] == spans
    assert (found.end == 0) == (state != "Failed")


def test_curves_are_over_the_time_or_over_the_reports() -> None:
    answer = {
        "trials": {
            "t": {
                "loss": {"time": [1000.0, 1002.5], "value": [0.5, None], "of": 7},
                "size": {"time": [1000.0, 1000.0], "value": [1.0, 2.0], "of": 2},
            }
        }
    }
    loss, size = curves.of_trial(answer, "t")
    assert curves.figure(loss, 999.0).options["series"][0]["data"] == [[1.0, 0.5], [3.5, None]]
    assert curves.figure(size, 999.0).options["series"][0]["data"] == [[1.0, 1.0], [2.0, 2.0]]
    assert [row.cells["last"]["text"] for row in curves.rows([loss, size])] == ["no number", "2"]
    assert curves.rows([loss])[0].cells["count"]["text"] == "7"
    compared = curves.compared(answer, "loss", ["t", "other"])
    assert compared is not None
    assert [series["id"] for series in compared.options["series"]] == ["t"]
    assert curves.compared(answer, "nothing", ["t"]) is None
