"""Stored rows as v1's messages, in proto JSON. Pure.

Source: kubeflow/pipelines 2.17, backend/src/apiserver/server/api_converter.go (toApi…V1) and model/run.go (ToV1).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sampan.components.pipelines.api.states import RuntimeState, StorageState
from sampan.components.pipelines.api.wire import present, time_of
from sampan.components.pipelines.api.wire_messages_v1 import ResourceType
from sampan.components.pipelines.rest.v1 import manifests
from sampan.components.pipelines.rest.v1.references import reference
from sampan.components.pipelines.store.experiments import ExperimentRow
from sampan.components.pipelines.store.metrics import MetricRow
from sampan.components.pipelines.store.pipelines import PipelineRow, VersionRow
from sampan.components.pipelines.store.runs import RunRow
from sampan.components.pipelines.store.schedules import ScheduleRow, Status

STATUSES: dict[RuntimeState, str] = {
    RuntimeState.PENDING: "Pending",
    RuntimeState.PAUSED: "Pending",
    RuntimeState.RUNNING: "Running",
    RuntimeState.SUCCEEDED: "Succeeded",
    RuntimeState.SKIPPED: "Skipped",
    RuntimeState.CANCELING: "Terminating",
    # The waiting of v1's SDK ends with Succeeded, Failed, Skipped and Error, and with nothing else.
    RuntimeState.FAILED: "Failed",
    RuntimeState.CANCELED: "Failed",
}


def experiment(row: ExperimentRow, namespace: str) -> dict[str, Any]:
    """`namespace` is shown: blank with one user."""
    return present(
        id=row.experiment_id,
        name=row.display_name,
        description=row.description,
        created_at=time_of(row.created_at),
        resource_references=[reference(ResourceType.NAMESPACE, namespace, "OWNER")],
        storage_state=f"STORAGESTATE_{row.storage_state}",
    )


def pipeline(row: PipelineRow, default: VersionRow | None, namespace: str) -> dict[str, Any]:
    shown_version = version(default) if default is not None else {}
    owners = [reference(ResourceType.NAMESPACE, namespace, "OWNER")] if namespace else []
    return present(
        id=row.pipeline_id,
        created_at=time_of(row.created_at),
        name=row.name,
        description=row.description,
        parameters=shown_version.get("parameters"),
        url=shown_version.get("package_url"),
        default_version=shown_version,
        resource_references=owners,
    )


def version(row: VersionRow) -> dict[str, Any]:
    url = row.package_url or row.code_source_url
    return present(
        id=row.pipeline_version_id,
        name=row.name,
        created_at=time_of(row.created_at),
        parameters=manifests.declared(manifests.manifest(row.spec)),
        code_source_url=row.code_source_url,
        package_url=present(pipeline_url=url),
        resource_references=[reference(ResourceType.PIPELINE, row.pipeline_id, "OWNER")],
        description=row.description,
    )


def run(row: RunRow, metrics: Sequence[MetricRow], namespace: str) -> dict[str, Any]:
    archived = row.storage_state == StorageState.ARCHIVED
    return present(
        id=row.run_id,
        name=row.display_name,
        # Available is the first value of this enum, and so the one that is left out.
        storage_state="STORAGESTATE_ARCHIVED" if archived else "",
        description=row.description,
        pipeline_spec=_pipeline_spec(row),
        resource_references=_references(row, namespace, row.recurring_run_id),
        service_account=row.service_account,
        created_at=time_of(row.created_at),
        scheduled_at=time_of(row.scheduled_at),
        finished_at=time_of(row.finished_at),
        status=STATUSES[row.runtime_state],
        error=json.loads(row.error)["message"] if row.error else "",
        metrics=[metric(each) for each in metrics],
    )


def metric(row: MetricRow) -> dict[str, Any]:
    shown = present(name=row.name, node_id=row.node_id, format=row.format)
    # One of a oneof: zero is a value.
    shown["number_value"] = row.number_value
    if row.format == "UNSPECIFIED":
        del shown["format"]
    return shown


def job(row: ScheduleRow, namespace: str) -> dict[str, Any]:
    return present(
        id=row.recurring_run_id,
        name=row.display_name,
        description=row.description,
        pipeline_spec=_pipeline_spec(row),
        resource_references=_references(row, namespace, ""),
        service_account=row.service_account,
        # A 64-bit integer is text in proto JSON.
        max_concurrency=str(row.max_concurrency),
        trigger=json.loads(row.trigger),
        mode="ENABLED" if row.status == Status.ENABLED else "DISABLED",
        created_at=time_of(row.created_at),
        updated_at=time_of(row.updated_at),
        status=row.status,
        error=json.loads(row.error)["message"] if row.error else "",
        enabled=row.status == Status.ENABLED,
        no_catchup=row.no_catchup,
    )


def _pipeline_spec(row: RunRow | ScheduleRow) -> dict[str, Any]:
    config = json.loads(row.runtime_config)
    if not row.spec:  # of a schedule that runs whatever is the latest
        return present(pipeline_id=row.pipeline_id, runtime_config=config)
    found = manifests.manifest(row.spec)
    parameters = config.get("parameters") or {}
    is_v2 = not found.is_workflow
    return present(
        pipeline_id=row.pipeline_id,
        pipeline_name=manifests.name_of(found),
        workflow_manifest="" if is_v2 else found.text,
        pipeline_manifest=found.text if is_v2 else "",
        # Clients of 1.8 read the values here: to them those below are of a type that no server speaks any more.
        parameters=manifests.as_texts(parameters),
        runtime_config=present(parameters=parameters, pipeline_root=config.get("pipeline_root"))
        if is_v2
        else {},
    )


def _references(row: RunRow | ScheduleRow, namespace: str, job_id: str) -> list[dict[str, Any]]:
    found = [reference(ResourceType.EXPERIMENT, row.experiment_id, "OWNER")]
    if namespace:
        found.insert(0, reference(ResourceType.NAMESPACE, namespace, "OWNER"))
    if job_id:
        found.append(reference(ResourceType.JOB, job_id, "CREATOR"))
    elif row.pipeline_version_id:
        found.append(reference(ResourceType.PIPELINE_VERSION, row.pipeline_version_id, "CREATOR"))
    elif row.pipeline_id:
        found.append(reference(ResourceType.PIPELINE, row.pipeline_id, "CREATOR"))
    return found
