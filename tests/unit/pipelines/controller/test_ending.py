"""What comes after a Workflow's end."""

from __future__ import annotations

import base64
import gzip
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from sampan.components.pipelines.controller import ending
from sampan.kube.meta import Object

NOW = datetime(2026, 3, 1, 0, 1, tzinfo=UTC)


def workflow(phase: str = "Succeeded", **spec: Any) -> Object:
    status = {"phase": phase, "finishedAt": "2026-03-01T00:00:00Z"}
    return {"metadata": {"name": "wf"}, "spec": spec, "status": status}


@pytest.mark.parametrize(
    ("strategy", "phase", "left"),
    [
        ({"secondsAfterCompletion": 100}, "Succeeded", 40.0),
        ({"secondsAfterCompletion": 100, "secondsAfterSuccess": 10}, "Succeeded", -50.0),
        ({"secondsAfterCompletion": 100, "secondsAfterSuccess": 10}, "Failed", 40.0),
        ({"secondsAfterFailure": 0}, "Error", -60.0),
        ({"secondsAfterFailure": 0}, "Succeeded", None),
        ({}, "Succeeded", None),
    ],
)
def test_how_long_an_ended_workflow_stays(strategy: dict[str, int], phase: str, left: float | None) -> None:
    assert ending.seconds_to_live(workflow(phase, ttlStrategy=strategy), NOW) == left


def test_a_template_may_say_it() -> None:
    given = workflow()
    given["status"]["storedWorkflowTemplateSpec"] = {"ttlStrategy": {"secondsAfterCompletion": 60}}
    assert ending.seconds_to_live(given, NOW) == 0.0


@pytest.mark.parametrize(
    ("strategy", "phase", "go"),
    [
        ("OnWorkflowCompletion", "Failed", True),
        ("OnWorkflowSuccess", "Failed", False),
        ("OnWorkflowSuccess", "Succeeded", True),
        ("OnPodCompletion", "Succeeded", False),
        ("", "Succeeded", False),
    ],
)
def test_whether_pods_go(strategy: str, phase: str, go: bool) -> None:
    assert ending.pods_go(workflow(phase, podGC={"strategy": strategy})) is go


def test_which_pods_go() -> None:
    selector = {
        "matchLabels": {"a": "b"},
        "matchExpressions": [
            {"key": "c", "operator": "In", "values": ["d", "e"]},
            {"key": "f", "operator": "DoesNotExist"},
        ],
    }
    assert ending.pods_selector(workflow(podGC={"labelSelector": selector})) == (
        "workflows.argoproj.io/workflow=wf,a=b,c in (d,e),!f"
    )


def test_a_large_status_is_packed_as_argos_clients_read_it() -> None:
    small = {"phase": "Running", "nodes": {"a": {"id": "a"}}}
    assert ending.packed(small) is small
    nodes = {str(each): {"id": str(each), "message": "x" * 1000} for each in range(2000)}
    packed = ending.packed({"phase": "Running", "nodes": nodes})
    assert "nodes" not in packed
    assert json.loads(gzip.decompress(base64.b64decode(packed["compressedNodes"]))) == nodes
