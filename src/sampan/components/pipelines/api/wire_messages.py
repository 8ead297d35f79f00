"""The request messages of API v2beta1: which fields there are, and how each is read.

Fields that only the server writes are accepted and dropped: clients send back objects they were given.

Sources: kubeflow/pipelines 2.17, backend/api/v2beta1/{pipeline,experiment,run,runtime_config}.proto.
"""

from __future__ import annotations

from typing import Any

from sampan.components.pipelines.api.wire import Message, any_value, map_of, output_only, string, struct


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
        "pipeline_version_reference": Message(
            "PipelineVersionReference", {"pipeline_id": string, "pipeline_version_id": string}
        ),
        "runtime_config": Message(
            "RuntimeConfig", {"parameters": map_of(any_value), "pipeline_root": string}
        ),
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
    },
    one_of=(("pipeline_version_id", "pipeline_spec", "pipeline_version_reference"),),
)

REPORT = _Text("the reported object", {"text": string})
