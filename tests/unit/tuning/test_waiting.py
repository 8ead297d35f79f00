"""`engine.trial.waiting`: what is said of a run that nothing judges, and of one that has failed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sampan.components.tuning.engine.trial.waiting import why_failed, why_unjudged

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


def ended(name: str, code: int, seconds: float = 60, **more: str) -> dict[str, Any]:
    at = (NOW - timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")
    return {"name": name, "state": {"terminated": {"exitCode": code, "finishedAt": at, **more}}}


def pod(name: str, phase: str, *containers: Any, init: tuple[Any, ...] = ()) -> dict[str, Any]:
    status = {"phase": phase, "containerStatuses": list(containers), "initContainerStatuses": list(init)}
    return {"metadata": {"name": name}, "spec": {"containers": []}, "status": status}


def run(**status: Any) -> dict[str, Any]:
    return {"kind": "Job", "metadata": {"name": "one"}, "status": status}


COMPLETE = run(conditions=[{"type": "Complete", "status": "True"}])
OVER = pod("a", "Succeeded", ended("main", 0))


@pytest.mark.parametrize(
    ("obj", "pods", "word"),
    [
        (COMPLETE, [OVER], "Job one has ended (Complete is True)"),
        (COMPLETE, [], "Job one has ended (Complete is True)"),
        (run(phase="Succeeded"), [], "Job one has ended (phase Succeeded)"),
        (run(), [OVER, OVER], "Job one has ended (all of its pods have ended)"),
        (run(), [pod("a", "Succeeded", ended("main", 0, seconds=5)), OVER], ""),
        (run(), [pod("a", "Failed")], ""),
        (run(), [], ""),
        (COMPLETE, [OVER, pod("b", "Running")], ""),
        (run(conditions=[{"type": "Complete", "status": "False"}]), [], ""),
        (run(conditions=[{"type": "Running", "status": "True"}], phase="Running"), [], ""),
        (run(conditions="none", phase=3), [], ""),
    ],
)
def test_a_run_that_is_over_and_that_no_condition_judges(obj: Any, pods: Any, word: str) -> None:
    found = why_unjudged(obj, pods, NOW)
    if not word:
        assert found is None
        return
    assert found is not None
    assert found.message.startswith(f"{word}, but neither spec.successCondition nor spec.failureCondition")


def test_the_container_that_failed_is_named() -> None:
    assert why_failed([OVER, pod("b", "Running")]) == ""
    first = pod("a", "Failed", ended("main", 1, 90, reason="Error"))
    last = pod("b", "Failed", ended("side", 137, 10), ended("main", 3, 20, message="out of luck\n"))
    said = "container main of pod b ended with exit code 3: out of luck"
    assert why_failed([last, first]) == why_failed([first, last]) == said
    init = pod("c", "Failed", init=(ended("fetch", 137, 5, reason="OOMKilled"),))
    assert why_failed([first, last, init]) == "container fetch of pod c ended with exit code 137: OOMKilled"
