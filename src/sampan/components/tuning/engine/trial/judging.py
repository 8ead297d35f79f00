"""What the run object of a trial says of itself: whether it runs, has succeeded or has failed.

Called by the reconciler of trials, for objects of any kind. Source: kubeflow/katib 0.19
pkg/controller.v1beta1/trial/util/job_util.go (GetDeployedJobStatus): the failure condition first, and what a condition
finds counts when it is an object or a list that is not empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sampan.kube.meta import Object
from sampan.lib.gjson import paths as gjson

RUNNING, SUCCEEDED, FAILED = "Running", "Succeeded", "Failed"
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class RunState:
    condition: str
    reason: str = ""
    message: str = ""
    """Of the condition that was found in the run object, if it has them."""
    note: str = ""
    """What keeps a condition from ever being met, in words for people."""


def judge(run: Object, success: str, failure: str) -> RunState:
    """Of a run object that is there. `success` and `failure` are the trial's conditions, GJSON paths."""
    notes = []
    for path, state, name in (
        (failure, FAILED, "failureCondition"),
        (success, SUCCEEDED, "successCondition"),
    ):
        if not path:
            continue
        try:
            found = gjson.get(run, path)
        except gjson.PathError as error:
            notes.append(f"{name} is no GJSON path: {error}")
            continue
        first = found[0] if isinstance(found, list) and found else found
        if isinstance(first, Mapping):
            return RunState(state, _text(first, "reason"), _text(first, "message"))
        if found is not gjson.MISSING and found != []:
            shown = repr(found)[:_SHOWN]
            notes.append(
                f"{name} finds {shown}, which counts for nothing: it must find an object or a list of them"
            )
    return RunState(RUNNING, note="; ".join(notes))


def _text(found: Mapping[str, Any], key: str) -> str:
    value = found.get(key)
    return value if isinstance(value, str) else ""
