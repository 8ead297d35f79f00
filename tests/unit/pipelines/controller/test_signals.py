"""What somebody asks of a Workflow by changing its object."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.components.pipelines.controller import signals
from sampan.kube.meta import Object

WAITS = {"type": "Suspend", "phase": "Running", "startedAt": "2026-03-01T00:00:00Z"}


def workflow(status: dict[str, Any] | None = None, finished: str = "", **spec: Any) -> Object:
    annotations = {signals.FINISHED_ANNOTATION: finished} if finished else {}
    return {"metadata": {"annotations": annotations}, "spec": spec, "status": status or {}}


@pytest.mark.parametrize(
    ("asked", "understood"),
    [("Stop", "Stop"), ("Terminate", "Terminate"), ("Later", ""), (None, ""), (True, "")],
)
def test_shutdown(asked: Any, understood: str) -> None:
    assert signals.shutdown(workflow(shutdown=asked)) == understood


def test_a_status_that_runs_again_after_its_end_was_told_asks_for_a_retry() -> None:
    assert signals.asks_for_retry(workflow({"phase": "Running"}, finished="7"), 7)
    # Its end is not told yet: the status is only old.
    assert not signals.asks_for_retry(workflow({"phase": "Running"}), 7)
    assert not signals.asks_for_retry(workflow({"phase": "Running"}, finished="6"), 7)
    assert not signals.asks_for_retry(workflow({"phase": "Failed", "finishedAt": "x"}, finished="7"), 7)


def test_a_suspended_node_that_is_over_in_the_object_is_resumed_with_its_outputs() -> None:
    outputs = {
        "parameters": [{"name": "approve", "value": "YES", "valueFrom": {"supplied": {}}}, {"name": "no"}]
    }
    shown = {"n": {**WAITS, "phase": "Succeeded", "outputs": outputs}}
    [found] = signals.resumed(
        workflow({"nodes": shown}), {"n": WAITS, "other": {"type": "Pod", "phase": "Running"}}
    )
    assert (found.node_id, found.phase, found.parameters) == ("n", "Succeeded", {"approve": "YES"})


@pytest.mark.parametrize(
    ("shown", "truth"),
    [
        (WAITS, WAITS),
        # The rows know of an attempt that began later.
        ({**WAITS, "phase": "Failed"}, {**WAITS, "startedAt": "2026-03-01T00:01:00Z"}),
        ({**WAITS, "phase": "Succeeded"}, {**WAITS, "phase": "Succeeded"}),
        ({**WAITS, "phase": "Succeeded"}, {**WAITS, "type": "Pod"}),
        ("nonsense", WAITS),
    ],
)
def test_what_is_no_signal(shown: Any, truth: dict[str, Any]) -> None:
    assert signals.resumed(workflow({"nodes": {"n": shown}}), {"n": truth}) == []
    assert signals.resumed(workflow({"nodes": None}), {"n": truth}) == []
