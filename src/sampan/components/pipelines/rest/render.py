"""Stored rows as the API's messages, in proto JSON. Pure.

What single-user mode leaves out (the namespace) is left out here; times that have not come are written as
upstream does, as the epoch. Specifications pass from the table to the answer without being parsed.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import msgspec

from sampan.components.pipelines.api.wire import present, time_of
from sampan.components.pipelines.store.experiment_facts import ExperimentFacts
from sampan.components.pipelines.store.experiments import ExperimentRow
from sampan.components.pipelines.store.listing import Page
from sampan.components.pipelines.store.pipeline_facts import PipelineFacts
from sampan.components.pipelines.store.pipelines import PipelineRow, VersionRow
from sampan.components.pipelines.store.runs import RunRow
from sampan.components.pipelines.store.schedules import ScheduleRow, Status


class _Spec(msgspec.Struct):
    pipeline_spec: msgspec.Raw = msgspec.Raw(b"{}")
    platform_spec: msgspec.Raw = msgspec.Raw(b"{}")
    workflow: msgspec.Raw = msgspec.Raw(b"")


_SPEC = msgspec.json.Decoder(_Spec)


def experiment(row: ExperimentRow, namespace: str = "") -> dict[str, Any]:
    """`namespace` is shown: blank with one user."""
    return present(
        experiment_id=row.experiment_id,
        display_name=row.display_name,
        description=row.description,
        created_at=time_of(row.created_at),
        storage_state=row.storage_state,
        last_run_created_at=time_of(row.last_run_created_at),
        namespace=namespace,
    )


def experiment_facts(found: ExperimentFacts) -> dict[str, Any]:
    """An extension of Sampan's own. Numbers that are zero are said too."""
    return {
        "run_count": sum(found.states.values()),
        "run_states": found.states,
        "archived_run_count": found.archived_runs,
        "recurring_run_count": found.recurring_runs,
        "enabled_recurring_run_count": found.enabled_recurring_runs,
        "trigger_count": found.triggers,
        "last_runs": [
            {**run, "created_at": time_of(run["created_at"]), "finished_at": time_of(run["finished_at"])}
            for run in found.last_runs
        ],
    }


def pipeline(row: PipelineRow, namespace: str = "") -> dict[str, Any]:
    """`namespace` is shown: blank with one user, and for shared pipelines."""
    return present(
        pipeline_id=row.pipeline_id,
        display_name=row.display_name,
        description=row.description,
        created_at=time_of(row.created_at),
        namespace=namespace,
        name=row.name,
        tags=json.loads(row.tags),
    )


def facts(found: PipelineFacts) -> dict[str, Any]:
    """Beside a pipeline's own fields, where its full view is asked for."""
    version, run_ = found.latest_version, found.last_run
    return present(
        version_count=found.version_count,
        schedule_count=found.schedule_count,
        latest_version=version and asdict(version) | {"created_at": time_of(version.created_at)},
        last_run=run_ and asdict(run_) | {"created_at": time_of(run_.created_at)},
    )


def version(row: VersionRow) -> dict[str, Any]:
    return present(
        pipeline_id=row.pipeline_id,
        pipeline_version_id=row.pipeline_version_id,
        display_name=row.display_name,
        description=row.description,
        created_at=time_of(row.created_at),
        package_url=present(pipeline_url=row.package_url),
        pipeline_spec=specification(row.spec) if row.spec else None,
        code_source_url=row.code_source_url,
        name=row.name,
        tags=json.loads(row.tags),
    )


def run(row: RunRow) -> dict[str, Any]:
    """Without the tasks' details."""
    reference = present(pipeline_id=row.pipeline_id, pipeline_version_id=row.pipeline_version_id)
    source: dict[str, Any]
    if row.spec_inline:
        # In a list, a long one is left out.
        source = {"pipeline_spec": specification(row.spec)} if row.spec else {}
    else:
        source = {"pipeline_version_reference": reference, "pipeline_reference": reference}
    return present(
        experiment_id=row.experiment_id,
        run_id=row.run_id,
        display_name=row.display_name,
        storage_state=row.storage_state,
        description=row.description,
        runtime_config=runtime_config(row.runtime_config),
        service_account=row.service_account,
        created_at=time_of(row.created_at),
        scheduled_at=time_of(row.scheduled_at),
        finished_at=time_of(row.finished_at),
        state=row.state,
        error=json.loads(row.error) if row.error else None,
        recurring_run_id=row.recurring_run_id,
        resumed_from=row.resumed_from,
        pause_on_failure=row.pause_on_failure,
        state_history=json.loads(row.state_history),
        **source,
    )


def recurring_run(row: ScheduleRow, namespace: str = "") -> dict[str, Any]:
    """`namespace` is shown: blank with one user."""
    if row.spec_inline:
        source: dict[str, Any] = {"pipeline_spec": specification(row.spec)}
    else:
        reference = present(pipeline_id=row.pipeline_id, pipeline_version_id=row.pipeline_version_id)
        source = {"pipeline_version_reference": reference}
    return present(
        recurring_run_id=row.recurring_run_id,
        display_name=row.display_name,
        description=row.description,
        runtime_config=runtime_config(row.runtime_config),
        service_account=row.service_account,
        # A 64-bit integer is text in proto JSON.
        max_concurrency=str(row.max_concurrency),
        trigger=json.loads(row.trigger),
        mode="ENABLE" if row.status == Status.ENABLED else "DISABLE",
        created_at=time_of(row.created_at),
        updated_at=time_of(row.updated_at),
        status=row.status,
        error=json.loads(row.error) if row.error else None,
        no_catchup=row.no_catchup,
        namespace=namespace,
        experiment_id=row.experiment_id,
        plugins_input=json.loads(row.plugins_input),
        **source,
    )


def page(name: str, found: Page[dict[str, Any]]) -> dict[str, Any]:
    """A list's answer, its items under `name`."""
    return present(**{name: found.items}, total_size=found.total_size, next_page_token=found.next_page_token)


def specification(stored: str) -> msgspec.Raw:
    """`pipeline_spec` as answers show it: the IR alone, or with its platform specification beside it; a Workflow."""
    spec = _SPEC.decode(stored)
    if bytes(spec.workflow):
        return spec.workflow
    return spec.pipeline_spec if bytes(spec.platform_spec) == b"{}" else msgspec.Raw(stored.encode())


def runtime_config(stored: str) -> dict[str, Any]:
    config = json.loads(stored)
    return present(parameters=config.get("parameters"), pipeline_root=config.get("pipeline_root"))
