"""The request messages of API v2beta1: which fields there are, and how each is read.

Fields that only the server writes are accepted and dropped: clients send back objects they were given.

Sources: kubeflow/pipelines 2.17, backend/api/v2beta1/{pipeline,experiment,run,recurring_run,runtime_config}.proto.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from sampan.components.pipelines.api.wire import (
    Message,
    any_value,
    boolean,
    enumeration,
    int64,
    map_of,
    output_only,
    string,
    struct,
    timestamp,
)


class _Text(Message):
    """A body that is a JSON text by itself, under the one field of its request."""

    def __call__(self, value: Any, path: str) -> dict[str, Any]:
        return {"text": string(value, path)}


EMPTY = Message("Empty", {})

EXPERIMENT = Message(
    "Experiment",
    {
        "experiment_id": output_only,
        "display_name": string,
        "description": string,
        "created_at": output_only,
        "namespace": string,
        "storage_state": output_only,
        "last_run_created_at": output_only,
    },
)

PIPELINE = Message(
    "Pipeline",
    {
        "pipeline_id": string,
        "display_name": string,
        "name": string,
        "description": string,
        "created_at": output_only,
        "namespace": string,
        "error": output_only,
        "tags": map_of(string),
    },
)

PIPELINE_VERSION = Message(
    "PipelineVersion",
    {
        "pipeline_id": string,
        "pipeline_version_id": string,
        "display_name": string,
        "name": string,
        "description": string,
        "created_at": output_only,
        "package_url": Message("Url", {"pipeline_url": string}),
        "code_source_url": string,
        "pipeline_spec": output_only,
        "error": output_only,
        "tags": map_of(string),
    },
)

PIPELINE_AND_VERSION = Message(
    "CreatePipelineAndVersionRequest", {"pipeline": PIPELINE, "pipeline_version": PIPELINE_VERSION}
)


class _Mode(IntEnum):
    MODE_UNSPECIFIED = 0
    ENABLE = 1
    DISABLE = 2


_VERSION_REFERENCE = Message(
    "PipelineVersionReference", {"pipeline_id": string, "pipeline_version_id": string}
)
_RUNTIME_CONFIG = Message("RuntimeConfig", {"parameters": map_of(any_value), "pipeline_root": string})
_ONE_SOURCE = ("pipeline_version_id", "pipeline_spec", "pipeline_version_reference")

RUN = Message(
    "Run",
    {
        "experiment_id": string,
        "run_id": output_only,
        "display_name": string,
        "storage_state": output_only,
        "description": string,
        "pipeline_version_id": string,
        "pipeline_spec": struct,
        "pipeline_version_reference": _VERSION_REFERENCE,
        "runtime_config": _RUNTIME_CONFIG,
        "service_account": string,
        "created_at": output_only,
        "scheduled_at": output_only,
        "finished_at": output_only,
        "state": output_only,
        "error": output_only,
        "run_details": output_only,
        "recurring_run_id": output_only,
        "state_history": output_only,
        "plugins_input": map_of(struct),
        "plugins_output": output_only,
        "tasks": output_only,
        "task_count": output_only,
        # Of Sampan's own, in answers: which run a run goes on from, and which go on from it.
        "resumed_from": output_only,
        "resumed_by": output_only,
        "pause_on_failure": output_only,
    },
    one_of=(_ONE_SOURCE,),
)

_WINDOW = {"start_time": timestamp, "end_time": timestamp}

RECURRING_RUN = Message(
    "RecurringRun",
    {
        "recurring_run_id": output_only,
        "display_name": string,
        "description": string,
        "pipeline_version_id": string,
        "pipeline_spec": struct,
        "pipeline_version_reference": _VERSION_REFERENCE,
        "runtime_config": _RUNTIME_CONFIG,
        "service_account": string,
        "max_concurrency": int64,
        "trigger": Message(
            "Trigger",
            {
                "cron_schedule": Message("CronSchedule", {**_WINDOW, "cron": string}),
                "periodic_schedule": Message("PeriodicSchedule", {**_WINDOW, "interval_second": int64}),
            },
            one_of=(("cron_schedule", "periodic_schedule"),),
        ),
        "mode": enumeration(_Mode),
        "created_at": output_only,
        "updated_at": output_only,
        "status": output_only,
        "error": output_only,
        "no_catchup": boolean,
        "namespace": string,
        "experiment_id": string,
        "plugins_input": map_of(struct),
    },
    one_of=(_ONE_SOURCE,),
)

REPORT = _Text("the reported object", {"text": string})
