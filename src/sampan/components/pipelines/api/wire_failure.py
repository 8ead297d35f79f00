"""The request messages of Sampan's own extension for runs that have failed: `:resume` and `:continue`."""

from __future__ import annotations

from sampan.components.pipelines.api.wire import Message, any_value, boolean, int32, map_of, string, struct

_VERSION_REFERENCE = Message(
    "PipelineVersionReference", {"pipeline_id": string, "pipeline_version_id": string}
)
_STEP_CHANGE = Message(
    "StepChange", {"image": string, "cpu": string, "memory": string, "env": map_of(string)}
)

# Sampan's own: goes on from a run that has ended, as a new run.
RESUME = Message(
    "ResumeRunRequest",
    {
        "pipeline_spec": struct,
        "pipeline_version_reference": _VERSION_REFERENCE,
        "runtime_config": Message("RuntimeConfig", {"parameters": map_of(any_value)}),
        "steps": map_of(_STEP_CHANGE),
        "display_name": string,
        "pause_on_failure": boolean,
        "dry_run": boolean,
    },
    one_of=(("pipeline_spec", "pipeline_version_reference"),),
)

# Sampan's own: lets a paused run go on.
CONTINUE = Message(
    "ContinueRunRequest",
    {
        "pipeline_spec": struct,
        "pipeline_version_reference": _VERSION_REFERENCE,
        "steps": map_of(_STEP_CHANGE),
    },
    one_of=(("pipeline_spec", "pipeline_version_reference"),),
)

# Sampan's own: opens a pod where a step ran.
DEBUG = Message("DebugRequest", {"attempt": int32, "new": boolean})
