"""PipelineTaskFinalStatus: what an exit task is told about the task it waits for. Pure.

Source: backend/src/v2/driver/resolve.go, kubeflow/pipelines 2.17, whose states are those of ML Metadata.
"""

from __future__ import annotations

from sampan.components.pipelines.api.ir_model import Value
from sampan.components.pipelines.api.states import RuntimeState

_STATES = {
    RuntimeState.SUCCEEDED: "COMPLETE",
    RuntimeState.CACHED: "CACHED",
    RuntimeState.FAILED: "FAILED",
    RuntimeState.CANCELED: "CANCELED",
    RuntimeState.SKIPPED: "NOT_TRIGGERED",
}
_UNKNOWN_CODE = 2
"""google.rpc.Code.UNKNOWN."""


def final_status(task_name: str, state: RuntimeState, message: str, job_resource_name: str) -> Value:
    """In proto JSON; `message` is the task's error or empty."""
    error = {"code": _UNKNOWN_CODE, "message": message} if message else {}
    return {
        "state": _STATES.get(state, str(state)),
        "error": error,
        "pipelineJobResourceName": job_resource_name,
        "pipelineTaskName": task_name,
    }
