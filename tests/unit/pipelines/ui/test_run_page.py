"""What a run's page tells, from the API's answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.ui import messages
from sampan.components.pipelines.ui.run_page import changes, history_tab, model, pods, values
from sampan.testing import pipelines

FAILED = "exit code 1; the end of its log:\n\x1b[31mTraceback\x1b[0m\n  File x\nValueError: no\n"


def task(path: str, **fields: Any) -> dict[str, Any]:
    parts = path.split("/")
    above = "/".join(parts[:-1])
    return {
        "task_id": path,
        "name": parts[-1],
        "scope_path": path.replace("/", "."),
        "parent_task_id": above,
        "type": "RUNTIME",
        "state": "SUCCEEDED",
    } | fields


def looped() -> list[dict[str, Any]]:
    found = [
        task("root", type="ROOT", state="RUNNING"),
        task("root/prepare", start_time="2026-01-01T00:00:01Z"),
    ]
    found.append(task("root/loop", type="LOOP", state="RUNNING"))
    for index in range(3):
        attributes = {"iteration_index": str(index)}
        found.append(task(f"root/loop/{index}", type="LOOP_ITERATION", type_attributes=attributes))
        found.append(task(f"root/loop/{index}/train", start_time=f"2026-01-01T00:00:0{index + 2}Z"))
    return found


def test_steps_are_named_by_the_loops_around_them() -> None:
    steps = model.steps(looped())

    assert [step.label for step in steps] == [
        "prepare",
        "loop[0] / train",
        "loop[1] / train",
        "loop[2] / train",
    ]
    assert [step.name for step in steps] == ["prepare", "loop/0/train", "loop/1/train", "loop/2/train"]


def test_what_has_not_started_comes_last() -> None:
    found = [task("root/late", state="PENDING"), *looped()]
    assert model.steps(found)[-1].label == "late"


def test_the_first_to_fail_is_told_first_and_one_that_never_ran_last() -> None:
    found = [
        task("root/after", state="FAILED", end_time="2026-01-01T00:00:01Z"),
        task("root/second", state="FAILED", end_time="2026-01-01T00:00:09Z", attempts=[{"pod": "b"}]),
        task("root/first", state="FAILED", end_time="2026-01-01T00:00:05Z", attempts=[{"pod": "a"}]),
        task("root/fine"),
    ]
    assert [step.label for step in model.failed(model.steps(found))] == ["first", "second", "after"]


def test_steps_that_wait_for_the_same_are_told_together() -> None:
    waits = {"state": "RUNNING", "status_metadata": {"message": "Unschedulable: no room"}}
    found = [task("root/a", **waits), task("root/b", **waits), task("root/c", state="RUNNING")]

    assert model.waits_told(model.steps(found)) == ["a and 1 more: Unschedulable: no room"]
    others = [
        task(f"root/{n}x", state="RUNNING", status_metadata={"message": f"reason {n}"}) for n in range(5)
    ]
    assert model.waits_told(model.steps(others))[-1] == "and 2 more"


def test_iterations_of_a_step_are_offered_by_their_numbers() -> None:
    found = looped()
    found[-1]["state"] = "FAILED"

    offered = model.iterations(found[4], found)
    assert offered == [
        ("root/loop/0/train", "0"),
        ("root/loop/1/train", "1"),
        ("root/loop/2/train", "2 (failed)"),
    ]
    assert model.iterations(found[1], found) == []


def test_a_message_is_told_in_a_line_or_with_the_end_of_the_log() -> None:
    assert messages.line(FAILED) == "exit code 1: ValueError: no"
    assert messages.split(FAILED) == ("exit code 1", "Traceback\n  File x\nValueError: no")
    assert messages.line("no room\nfor this") == "no room"
    assert messages.line("x" * 400) == "x" * 159 + "…"
    assert messages.line("") == ""
    assert messages.plain("a\x1b]0;title\x07b\x1b[2Jc\x00") == "abc"


def test_values_say_what_they_are_and_where_they_came_from() -> None:
    side = {
        "parameters": [
            {"parameter_key": "n", "value": 3, "type": "COMPONENT_INPUT"},
            {"parameter_key": "on", "value": True, "type": "RUNTIME_VALUE_INPUT"},
            {
                "parameter_key": "items",
                "value": [1, 2],
                "producer": {"task_name": "list"},
                "type": "TASK_OUTPUT_INPUT",
            },
            {"parameter_key": "nothing", "value": None},
        ]
    }
    found = values.parameters(side)

    assert [(each.kind, each.source) for each in found] == [
        ("number", "from the pipeline"),
        ("yes or no", "constant"),
        ("list", "from list"),
        ("nothing", ""),
    ]
    assert found[2].is_long, "a list is shown over several lines"
    assert values.value("x", "y" * 300).beginning == "y" * 200 + "…"


def test_a_metric_stands_with_its_siblings_and_is_listed_by_itself() -> None:
    number = {"name": "accuracy", "type": "Metric", "number_value": 0.0}
    whole = {"name": "metrics", "type": "Metric", "artifact_id": "a1"}
    outputs = {"artifacts": [{"artifact_key": "metrics", "type": "OUTPUT", "artifacts": [whole, number]}]}
    made = task("root/train", outputs=outputs)

    assert [each.name for each in values.artifacts(outputs)] == ["metrics"]
    assert values.scalars([made]) == [("train", "accuracy", 0.0)]


def test_a_pod_tells_what_it_asks_for_and_uses() -> None:
    container = {"resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "2", "memory": "1Gi"}}}
    assert pods.resources(container) == {"cpu": "1 asked, 2 at most", "memory": "1Gi at most"}
    assert pods.used({"containers": [{"name": "main", "usage": {"cpu": "3m"}}]}) == {"cpu": "3m"}
    assert pods.used({}) == {}


def test_what_happened_is_told_the_newest_first() -> None:
    history = [
        {"update_time": "2026-01-01T00:00:00Z", "state": "PENDING"},
        {
            "update_time": "2026-01-01T00:00:09Z",
            "state": "FAILED",
            "error": {"message": "train: exit code 1"},
        },
    ]
    attempts = [
        {
            "pod": "a",
            "state": "FAILED",
            "start_time": "2026-01-01T00:00:02Z",
            "end_time": "2026-01-01T00:00:03Z",
        },
        {"pod": "b", "state": "RUNNING", "start_time": "2026-01-01T00:00:04Z"},
    ]
    rows = history_tab.happened(
        {"state_history": history}, model.steps([task("root/train", attempts=attempts)])
    )

    told = [(row.cells["what"], row.cells["state"]["text"]) for row in rows]
    assert told == [
        ("The run", "Failed"),
        ("train, attempt 2", "Running"),
        ("train, attempt 1", "Failed"),
        ("train, attempt 1", "Running"),
        ("The run", "Pending"),
    ]


def spec() -> Any:
    step = pipelines.Component("step", pipelines.shell("echo"), {"n": "NUMBER_INTEGER"})
    inputs = {
        "n": {"parameterType": "NUMBER_INTEGER", "defaultValue": 3},
        "name": {"parameterType": "STRING"},
    }
    return pipelines.pipeline(
        "p", {"step": pipelines.task("step", n=pipelines.parameter("n"))}, step, inputs=inputs
    )


def test_only_parameters_that_were_changed_are_sent_and_of_their_types() -> None:
    before = changes.parameter_texts(spec(), {"name": "42"})

    assert before == {"n": "3", "name": "42"}
    assert changes.parameters(spec(), before, dict(before)) == {}
    assert changes.parameters(spec(), before, {"n": "4", "name": "7"}) == {"n": 4, "name": "7"}
    with pytest.raises(InvalidArgumentError, match='"n"'):
        changes.parameters(spec(), before, {"n": "four", "name": "42"})


def test_a_request_holds_what_was_filled_in_and_nothing_else() -> None:
    assert changes.body({}, {}, changes.step_change("train", {"image": " "}, {})) == {}
    change = changes.step_change("train", {"image": "x:2", "cpu": ""}, {"A": "1"})
    assert changes.body({"pipeline_spec": {}}, {"n": 1}, change) == {
        "pipeline_spec": {},
        "runtime_config": {"parameters": {"n": 1}},
        "steps": {"train": {"image": "x:2", "env": {"A": "1"}}},
    }


def test_a_plan_is_told_in_a_line() -> None:
    plan = [{"action": "REUSED"}, {"action": "REUSED"}, {"action": "RUNS"}]
    assert changes.plan_told(plan) == "2 reused, 1 run"
    assert changes.plan_told([]) == "Nothing to do"


def test_a_file_that_is_no_pipeline_is_refused() -> None:
    assert changes.package(json.dumps(spec()).encode())["pipeline_spec"]["pipelineInfo"]["name"] == "p"
    with pytest.raises(InvalidArgumentError):
        changes.package(b"hello")
