"""The request messages of API v1beta1: which fields there are, and how each is read.

As `wire_messages` for v2beta1. Fields that only the server writes are accepted and dropped.

Sources: kubeflow/pipelines 2.17, backend/api/v1beta1/{experiment,pipeline,pipeline_spec,run,job,task,
resource_reference}.proto.
"""

from __future__ import annotations

from enum import IntEnum

from sampan.components.pipelines.api.wire import (
    Message,
    any_value,
    boolean,
    double,
    enumeration,
    int64,
    map_of,
    output_only,
    repeated,
    string,
    timestamp,
)


class ResourceType(IntEnum):
    UNKNOWN_RESOURCE_TYPE = 0
    EXPERIMENT = 1
    JOB = 2
    PIPELINE = 3
    PIPELINE_VERSION = 4
    NAMESPACE = 5


class Relationship(IntEnum):
    UNKNOWN_RELATIONSHIP = 0
    OWNER = 1
    CREATOR = 2


class MetricFormat(IntEnum):
    UNSPECIFIED = 0
    RAW = 1
    PERCENTAGE = 2


class JobMode(IntEnum):
    UNKNOWN_MODE = 0
    ENABLED = 1
    DISABLED = 2


class VisualizationType(IntEnum):
    ROC_CURVE = 0
    TFDV = 1
    TFMA = 2
    TABLE = 3
    CUSTOM = 4


_REFERENCES = repeated(
    Message(
        "ResourceReference",
        {
            "key": Message("ResourceKey", {"type": enumeration(ResourceType), "id": string}),
            "name": string,
            "relationship": enumeration(Relationship),
        },
    )
)
_URL = Message("Url", {"pipeline_url": string})
_PIPELINE_SPEC = Message(
    "PipelineSpec",
    {
        "pipeline_id": string,
        "pipeline_name": string,
        "workflow_manifest": string,
        "pipeline_manifest": string,
        "parameters": repeated(Message("Parameter", {"name": string, "value": string})),
        "runtime_config": Message(
            "RuntimeConfig", {"parameters": map_of(any_value), "pipeline_root": string}
        ),
    },
)

EXPERIMENT = Message(
    "Experiment",
    {
        "id": output_only,
        "name": string,
        "description": string,
        "created_at": output_only,
        "resource_references": _REFERENCES,
        "storage_state": output_only,
    },
)

PIPELINE = Message(
    "Pipeline",
    {
        "id": output_only,
        "created_at": output_only,
        "name": string,
        "description": string,
        "parameters": output_only,
        "url": _URL,
        "error": output_only,
        "default_version": output_only,
        "resource_references": _REFERENCES,
    },
)

PIPELINE_VERSION = Message(
    "PipelineVersion",
    {
        "id": output_only,
        "name": string,
        "created_at": output_only,
        "parameters": output_only,
        "code_source_url": string,
        "package_url": _URL,
        "resource_references": _REFERENCES,
        "description": string,
    },
)

RUN = Message(
    "Run",
    {
        "id": output_only,
        "name": string,
        "storage_state": output_only,
        "description": string,
        "pipeline_spec": _PIPELINE_SPEC,
        "resource_references": _REFERENCES,
        "service_account": string,
        "created_at": output_only,
        "scheduled_at": output_only,
        "finished_at": output_only,
        "status": output_only,
        "error": output_only,
        "metrics": output_only,
    },
)

METRIC = Message(
    "RunMetric",
    {"name": string, "node_id": string, "number_value": double, "format": enumeration(MetricFormat)},
)
REPORTED_METRICS = Message("ReportRunMetricsRequest", {"run_id": string, "metrics": repeated(METRIC)})

_CRON = Message("CronSchedule", {"start_time": timestamp, "end_time": timestamp, "cron": string})
_PERIODIC = Message(
    "PeriodicSchedule", {"start_time": timestamp, "end_time": timestamp, "interval_second": int64}
)
JOB = Message(
    "Job",
    {
        "id": output_only,
        "name": string,
        "description": string,
        "pipeline_spec": _PIPELINE_SPEC,
        "resource_references": _REFERENCES,
        "service_account": string,
        "max_concurrency": int64,
        "trigger": Message(
            "Trigger",
            {"cron_schedule": _CRON, "periodic_schedule": _PERIODIC},
            one_of=(("cron_schedule", "periodic_schedule"),),
        ),
        "mode": enumeration(JobMode),
        "created_at": output_only,
        "updated_at": output_only,
        "status": output_only,
        "error": output_only,
        "enabled": boolean,
        "no_catchup": boolean,
    },
)

TASK = Message(
    "Task",
    {
        "id": output_only,
        "namespace": string,
        "pipelineName": string,
        "runId": string,
        "mlmdExecutionID": string,
        "created_at": timestamp,
        "finished_at": timestamp,
        "fingerprint": string,
    },
)

VISUALIZATION = Message(
    "Visualization",
    {
        "type": enumeration(VisualizationType),
        "source": string,
        "arguments": string,
        "html": output_only,
        "error": output_only,
    },
)
