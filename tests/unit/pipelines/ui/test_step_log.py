"""Which logs a step has."""

from __future__ import annotations

from typing import Any

from sampan.components.pipelines.ui.step_log import no_log, sources

_TASK: dict[str, Any] = {
    "run_id": "r 1",
    "task_id": "t/2",
    "name": "train",
    "display_name": "train <b>",
    "state": "RUNNING",
    "pods": [{"name": "a", "type": "EXECUTOR"}, {"name": "b", "type": "EXECUTOR"}],
}


def test_each_attempt_has_one_and_the_last_of_a_running_step_grows() -> None:
    first, last = sources(_TASK)
    assert first.path == "/apis/v2beta1/runs/r%201/nodes/t%2F2/log"
    assert (first.key, first.follow, first.query) == ("1", False, {"attempt": "1"})
    assert (last.key, last.follow, last.label) == ("2", True, "Attempt 2, the last")
    assert last.file_name == "train-b-2.log"
    assert [each.follow for each in sources(_TASK | {"state": "FAILED"})] == [False, False]


def test_without_a_pod_it_is_said_why_there_is_none() -> None:
    assert no_log(_TASK) == ""
    assert "cache" in no_log(_TASK | {"pods": [], "state": "CACHED"})
    assert "not started" in no_log(_TASK | {"pods": [], "state": "PENDING"})
    assert no_log(_TASK | {"pods": [], "state": "SUCCEEDED"})
