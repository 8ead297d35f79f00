"""The messages by which clients record tasks and artifacts of runs: fields of upstream's newest API v2beta1.

Source: kubeflow/pipelines, the tasks and artifacts that replace ML Metadata, backend/api/v2beta1/{run,artifact}.proto
of August 2026 (pull request 13986).
"""

from __future__ import annotations

from enum import IntEnum

from sampan.components.pipelines.api.states import ArtifactType as ArtifactTypes
from sampan.components.pipelines.api.states import IOType as IOTypes
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


class TaskState(IntEnum):
    RUNTIME_STATE_UNSPECIFIED = 0
    RUNNING = 1
    SUCCEEDED = 2
    SKIPPED = 3
    FAILED = 4
    CACHED = 5


class TaskType(IntEnum):
    TASK_TYPE_UNSPECIFIED = 0
    ROOT = 1
    RUNTIME = 2
    CONDITION_BRANCH = 3
    CONDITION = 4
    LOOP = 5
    EXIT_HANDLER = 6
    IMPORTER = 7
    DAG = 8


class TaskPodType(IntEnum):
    UNSPECIFIED = 0
    DRIVER = 1
    EXECUTOR = 2


IOType = IntEnum("IOType", {each.value: number for number, each in enumerate(IOTypes)})  # type: ignore[misc]
ArtifactType = IntEnum(  # type: ignore[misc]
    "ArtifactType", {each.value: number for number, each in enumerate(ArtifactTypes)}
)

_PRODUCER = Message("IOProducer", {"task_name": string, "iteration": int64})
_PARAMETERS = repeated(
    Message(
        "IOParameter",
        {
            "value": any_value,
            "type": enumeration(IOType),
            "parameter_key": string,
            "producer": _PRODUCER,
        },
    )
)
_IO = Message("InputOutputs", {"parameters": _PARAMETERS, "artifacts": output_only})

TASK = Message(
    "PipelineTask",
    {
        "name": string,
        "display_name": string,
        "task_id": string,
        "run_id": string,
        "pods": repeated(
            Message("TaskPod", {"name": string, "uid": string, "type": enumeration(TaskPodType)})
        ),
        "cache_fingerprint": string,
        "create_time": timestamp,
        "start_time": timestamp,
        "end_time": timestamp,
        "state": enumeration(TaskState),
        "status_metadata": Message(
            "StatusMetadata", {"message": string, "custom_properties": map_of(any_value)}
        ),
        "state_history": output_only,
        "type": enumeration(TaskType),
        "type_attributes": Message(
            "TypeAttributes",
            {"iteration_index": int64, "iteration_count": int64, "download_to_workspace": boolean},
        ),
        "parent_task_id": string,
        "child_tasks": output_only,
        "inputs": _IO,
        "outputs": _IO,
        "scope_path": string,
    },
)
TASKS = Message("UpdateTasksBulkRequest", {"tasks": map_of(TASK), "run_id": string})
CACHED_TASK = Message("FindCachedTaskRequest", {"namespace": string, "cache_fingerprint": string})

ARTIFACT = Message(
    "Artifact",
    {
        "artifact_id": string,
        "name": string,
        "description": string,
        "type": enumeration(ArtifactType),
        "uri": string,
        "metadata": map_of(any_value),
        "number_value": double,
        "created_at": output_only,
        "namespace": string,
    },
)
NEW_ARTIFACT = Message(
    "CreateArtifactRequest",
    {
        "artifact": ARTIFACT,
        "run_id": string,
        "task_id": string,
        "producer_key": string,
        "iteration_index": int64,
        "reuse_if_exists": boolean,
        # What the first of these APIs let a client say of it: an artifact is an output of its task.
        "type": output_only,
    },
)
NEW_ARTIFACTS = Message("CreateArtifactsBulkRequest", {"artifacts": repeated(NEW_ARTIFACT)})

ARTIFACT_TASK = Message(
    "ArtifactTask",
    {
        "id": output_only,
        "artifact_id": string,
        "run_id": string,
        "task_id": string,
        "type": enumeration(IOType),
        "producer": _PRODUCER,
        "key": string,
    },
)
NEW_ARTIFACT_TASK = Message("CreateArtifactTaskRequest", {"artifact_task": ARTIFACT_TASK})
NEW_ARTIFACT_TASKS = Message("CreateArtifactTasksBulkRequest", {"artifact_tasks": repeated(ARTIFACT_TASK)})
