"""Runs side by side: what is read of them, and what is shown."""

from __future__ import annotations

import csv
import io
import math
from typing import Any

import pytest

from sampan.components.pipelines.ui.compare import figures, model, rows, spreadsheet
from sampan.components.pipelines.ui.compare.model import ComparedRun

START, END = "2026-01-01T00:00:00Z", "2026-01-01T00:01:30Z"


def _task(path: str, state: str = "SUCCEEDED", kind: str = "RUNTIME", **more: Any) -> dict[str, Any]:
    return {"name": path.rpartition(".")[2], "scope_path": path, "state": state, "type": kind,
            "start_time": START, "end_time": "2026-01-01T00:00:10Z", **more}  # fmt: skip


def _answer(run_id: str, **more: Any) -> dict[str, Any]:
    return {"run_id": run_id, "display_name": f"run {run_id}", "state": "SUCCEEDED",
            "created_at": START, "finished_at": END, **more}  # fmt: skip


def _read(*answers: dict[str, Any]) -> list[ComparedRun]:
    return model.read({"runs": answers}, [each["run_id"] for each in answers])


def _root(**parameters: Any) -> dict[str, Any]:
    given = [{"parameter_key": key, "value": value} for key, value in parameters.items()]
    return {"name": "root", "type": "ROOT", "inputs": {"parameters": given}}


def test_an_address_names_each_run_once_and_ten_at_most() -> None:
    assert model.wanted_ids("a,b,,a, c ") == ["a", "b", "c"]
    assert len(model.wanted_ids(",".join(map(str, range(30))))) == 10
    assert model.wanted_ids("") == []


def test_runs_stand_in_the_order_of_the_address_and_missing_ones_are_left_out() -> None:
    found = model.read({"runs": [_answer("a"), _answer("b")]}, ["b", "gone", "a"])
    assert [(run.id, run.look) for run in found] == [("b", 0), ("a", 1)]


def test_defaults_of_the_pipeline_count_as_parameters() -> None:
    [run] = _read(_answer("a", runtime_config={"parameters": {"lr": 1}}, tasks=[_root(lr=1, layers=3)]))
    assert run.parameters == {"lr": 1, "layers": 3}


def test_a_run_that_has_not_ended_has_no_end() -> None:
    [run] = _read(_answer("a", state="RUNNING", finished_at="1970-01-01T00:00:00Z"))
    assert (run.seconds, run.is_over) == (None, False)
    assert rows.facts([run], str).rows[2].cells[0].since == START


def test_iterations_of_a_loop_are_one_step_with_its_worst_state() -> None:
    tasks = [
        _task("root.loop", kind="LOOP"),
        _task("root.loop.0.train"),
        _task("root.loop.1.train", "FAILED"),
        _task("root.check", "RUNNING", end_time=""),
    ]
    [run] = _read(_answer("a", tasks=tasks))
    assert list(run.steps) == ["loop.train", "check"]
    loop = run.steps["loop.train"]
    assert (loop.state, loop.count, loop.seconds) == ("FAILED", 2, 20)
    assert run.steps["check"].since == START


def test_numbers_are_no_artifacts() -> None:
    outputs = {"artifacts": [
        {"artifact_key": "model", "artifacts": [{"artifact_id": "1", "type": "Model"}]},
        {"artifact_key": "accuracy", "artifacts": [{"artifact_id": "2", "type": "Metric"}]},
    ]}  # fmt: skip
    [run] = _read(_answer("a", tasks=[_task("root.train", outputs=outputs)]))
    assert list(run.artifacts) == ["train / model"]


@pytest.mark.parametrize(
    ("values", "same"),
    [([1, 1], True), ([1, 1.0], False), ([True, 1], False), (["a", None], False), ([{"a": [1]}] * 2, True)],
)
def test_values_that_differ(values: list[Any], same: bool) -> None:
    assert model.is_same(values) is same


def test_only_differing_parameters_are_shown_until_asked() -> None:
    runs = _read(_answer("a", tasks=[_root(x=1, y="same")]), _answer("b", tasks=[_root(x=2, y="same", z=0)]))
    few = rows.parameters(runs, all_of_them=False)
    assert [row.label for row in few.rows] == ["x", "z"]
    assert few.note == "1 more is the same in all runs."
    assert few.rows[1].cells[0].text == "not given"
    assert [row.label for row in rows.parameters(runs, all_of_them=True).rows] == ["x", "y", "z"]


@pytest.mark.parametrize(
    "name", ["loss", "val_loss", "RMSE", "testError", "log-loss", "latency_ms", "duration"]
)
def test_less_is_better_of_errors(name: str) -> None:
    assert model.lower_is_better(name)


@pytest.mark.parametrize("name", ["accuracy", "auc", "f1", "closs", "glossary", "timeliness", "r2"])
def test_more_is_better_of_the_rest(name: str) -> None:
    assert not model.lower_is_better(name)


@pytest.mark.parametrize(
    ("values", "lower", "marks"),
    [
        ([1, 2, 3], False, ["worst", "", "best"]),
        ([1, 2, 3], True, ["best", "", "worst"]),
        ([1, 2], False, ["", "best"]),
        ([2, 2, None], False, ["", "", ""]),
        ([None, 5], False, ["", ""]),
        ([1, math.nan, 3, 3], False, ["worst", "", "best", "best"]),
        ([math.inf, 1, 2], True, ["worst", "best", ""]),
    ],
)
def test_best_and_worst(values: list[float | None], lower: bool, marks: list[str]) -> None:
    assert rows.best_and_worst(values, lower=lower) == marks


def test_metrics_are_held_against_the_baseline() -> None:
    runs = _read(
        _answer("a", metrics={"accuracy": 0.5}), _answer("b", metrics={"accuracy": 0.6}), _answer("c")
    )
    [row] = rows.metrics(runs, "a").rows
    assert [cell.note for cell in row.cells] == ["", "+0.1, +20.0 %", ""]
    assert [cell.text for cell in row.cells] == ["0.5", "0.6", "–"]
    assert not any(cell.note for cell in rows.metrics(runs, "").rows[0].cells)


def test_two_versions_of_a_pipeline_can_be_compared() -> None:
    def of(version: str, pipeline: str = "p") -> dict[str, Any]:
        return {"pipeline_version_reference": {"pipeline_id": pipeline, "pipeline_version_id": version}}

    runs = _read(_answer("a", **of("1")), _answer("b", **of("2")), _answer("c", **of("9", "other")))
    assert rows.differing_versions(runs) == ("p", "1", "2")
    assert rows.differing_versions(runs, "b") == ("p", "2", "1")
    assert rows.differing_versions(runs[:1]) is None
    assert rows.differing_versions(_read(_answer("a"), _answer("b"))) is None


def test_a_spreadsheet_runs_no_formula() -> None:
    runs = _read(
        _answer("a", display_name="=cmd()", metrics={"m": -1.5}, tasks=[_root(**{"@x": "-1+2", "y": -3})])
    )
    head, line = csv.reader(io.StringIO(spreadsheet.text(runs)))
    found = dict(zip(head, line, strict=True))
    assert found["name"] == "'=cmd()"
    assert found["parameter @x"] == "'-1+2"
    assert (found["parameter y"], found["metric m"]) == ("-3", "-1.5")
    assert found["seconds"] == "90.0"


def test_what_can_be_drawn() -> None:
    runs = _read(
        _answer("a", metrics={"accuracy": 0.5}, tasks=[_root(lr=0.1, kind="x", same=1)]),
        _answer("b", metrics={}, tasks=[_root(lr=0.2, kind="y", same=1)]),
    )
    found = figures.quantities(runs)
    assert [each.key for each in found] == ["p:lr", "p:kind", "m:accuracy", "duration"]
    assert figures.first_axes(found) == ["p:lr", "p:kind", "m:accuracy"]
    drawn = figures.coordinates(runs, found).options["series"]
    assert [each["data"][0]["value"] for each in drawn] == [[0.1, "x", 0.5, 90.0], [0.2, "y", "-", 90.0]]
    assert len(figures.points(runs, found[0], found[2], None).options["series"]) == 1
    assert [each.label for each in figures.metric_bars(runs)] == ["accuracy"]
    assert figures.step_bars(runs) is None


def test_curves_and_matrices_by_artifact() -> None:
    metadata = {
        "confidenceMetrics": [{"falsePositiveRate": 1, "recall": 1}, {"falsePositiveRate": 0, "recall": 0}],
        "confusionMatrix": {"annotationSpecs": [{"displayName": "a"}], "rows": [{"row": [3]}]},
    }
    outputs = {"artifacts": [{"artifact_key": "curve", "artifacts": [
        {"artifact_id": "1", "type": "ClassificationMetric", "metadata": metadata}]}]}  # fmt: skip
    runs = _read(_answer("a", tasks=[_task("root.eval", outputs=outputs)]), _answer("b"))
    [curve] = figures.curves(runs).values()
    assert curve.options["series"][0]["name"] == "run a (AUC 0.500)"
    assert [run.id for run, _ in figures.matrices(runs)["eval / curve"]] == ["a"]


def test_of_very_many_steps_and_artifacts_the_first_are_shown() -> None:
    outputs = {"artifacts": [{"artifact_key": "m", "artifacts": [{"artifact_id": "1", "type": "Model"}]}]}
    tasks = [_task(f"root.step-{index}", outputs=outputs) for index in range(rows.MOST_ROWS + 3)]
    runs = _read(_answer("a", tasks=tasks))
    steps, artifacts = rows.steps(runs, ""), rows.artifacts(runs, str)
    assert len(steps.rows) == len(artifacts.rows) == rows.MOST_ROWS
    assert steps.note.startswith("3 more steps")
    assert artifacts.note.startswith("3 more artifacts")
