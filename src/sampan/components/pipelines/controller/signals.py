"""What somebody asks of a Workflow by changing its object, as the `argo` command line and kubectl do it. Pure.

    stop, terminate      spec.shutdown: Stop | Terminate
    suspend, resume      spec.suspend: true | none
    resume one node      status.nodes.ID.phase: Succeeded (or Failed), with its outputs
    retry                status.phase: Running again, on a Workflow that has ended

An object's status is ours to write, so whatever else stands there than what the rows say was put there by somebody.
`status.nodes` of another attempt, known by its start, is only old.

Source: argo-workflows 3.7 workflow/util/util.go (SuspendWorkflow, ResumeWorkflow, updateSuspendedNode, StopWorkflow,
TerminateWorkflow, FormulateRetryWorkflow).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sampan.kube import meta
from sampan.kube.meta import Object

FINISHED_ANNOTATION = "sampan.dev/finished"
"""Which end of its run an object's status tells, by the time of it: a run that is retried ends again."""
RUN_ANNOTATION = "sampan.dev/run"
"""The uid of the object whose run its status tells: a copy of an object is another one, and begins anew."""
_FULFILLED = frozenset({"Succeeded", "Failed", "Error", "Skipped", "Omitted"})


@dataclass(frozen=True, slots=True)
class Resumed:
    """One suspended node that somebody let go on, or failed."""

    node_id: str
    phase: str
    message: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Values for the node's supplied outputs."""


def shutdown(workflow: Object) -> str:
    """Stop, Terminate, or empty."""
    asked = str(meta.spec(workflow).get("shutdown") or "")
    return asked if asked in ("Stop", "Terminate") else ""


def is_suspended(workflow: Object) -> bool:
    return meta.spec(workflow).get("suspend") is True


def asks_for_retry(workflow: Object, finished_at: int) -> bool:
    """`finished_at`: of its run, which is over."""
    status = meta.status(workflow)
    told = meta.annotations(workflow).get(FINISHED_ANNOTATION) == str(finished_at)
    return told and status.get("phase") == "Running" and not status.get("finishedAt")


def is_waiting(node: Mapping[str, Any]) -> bool:
    """Whether it is a node that somebody may let go on."""
    return node.get("type") == "Suspend" and node.get("phase") not in _FULFILLED


def resumed(workflow: Object, nodes: Mapping[str, Any]) -> list[Resumed]:
    """Nodes that wait according to `nodes`, which are as the rows say, and are over in the object."""
    shown = meta.status(workflow).get("nodes")
    if not isinstance(shown, dict):
        return []
    found = []
    for key, node in nodes.items():
        if not is_waiting(node):
            continue
        said = shown.get(key)
        if not isinstance(said, dict) or said.get("startedAt") != node.get("startedAt"):
            continue
        if said.get("phase") in _FULFILLED:
            found.append(Resumed(key, str(said["phase"]), str(said.get("message") or ""), _supplied(said)))
    return found


def _supplied(node: Mapping[str, Any]) -> dict[str, Any]:
    outputs = node.get("outputs")
    listed = outputs.get("parameters") if isinstance(outputs, dict) else None
    return {
        str(each["name"]): each["value"]
        for each in listed or ()
        if isinstance(each, dict) and "name" in each and each.get("value") is not None
    }
