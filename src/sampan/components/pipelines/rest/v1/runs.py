"""The run service of v1: runs of the IR and of Argo Workflows, with the metrics that are reported of them.

Source: kubeflow/pipelines 2.17, backend/src/apiserver/server/{run_server,api_util}.go.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from starlette.responses import Response

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.api.wire_messages_v1 import ResourceType
from sampan.components.pipelines.engine.argo.manifest import manifest_of, status_of
from sampan.components.pipelines.engine.creation import PipelineSource, RunRequest, find_version
from sampan.components.pipelines.rest.dispatch import Call, answer, answer_from
from sampan.components.pipelines.rest.names import checked_name
from sampan.components.pipelines.rest.render import page
from sampan.components.pipelines.rest.scopes import not_found
from sampan.components.pipelines.rest.v1 import filters, manifests, references, render
from sampan.components.pipelines.rest.v1.workflow import node_ids, workflow
from sampan.components.pipelines.store import artifacts, metrics, pipelines, runs, tasks
from sampan.components.pipelines.store.metrics import MetricRow

_MAX_NAME = 256
_METRIC_NAME = re.compile(r"[a-zA-Z]([-_a-zA-Z0-9]{0,62}[a-zA-Z0-9])?")
_MAX_NODE_ID = 128
_MAX_METRICS = 1000
_FIELDS = {
    ResourceType.JOB: "recurring_run_id",
    ResourceType.PIPELINE: "pipeline_id",
    ResourceType.PIPELINE_VERSION: "pipeline_version_id",
}
"""Of a run, that say what else it belongs to."""


async def create(call: Call) -> Response:
    request = await request_of(call, "run")
    row = await call.backend.creator.create(request)
    return await _detail(call, row.run_id)


async def request_of(call: Call, message: str) -> RunRequest:
    """What the body of a run or a job asks for. Raises InvalidArgumentError, NotFoundError."""
    given = call.body
    spec = given.get("pipeline_spec", {})
    found = given.get("resource_references", ())
    references.checked(found, message, [kind for kind in ResourceType if kind])
    source, stored = await _source(call, spec, found, message)
    texts, config = spec.get("parameters", []), spec.get("runtime_config", {})
    return RunRequest(
        namespace=call.namespace,
        display_name=checked_name(
            given.get("name", "") or spec.get("pipeline_name", ""), f"{message}.name", _MAX_NAME
        ),
        source=source,
        experiment_id=references.referred(found, ResourceType.EXPERIMENT),
        description=given.get("description", ""),
        service_account=given.get("service_account", ""),
        runtime_config=manifests.runtime_config(manifests.manifest(stored), texts, config),
    )


async def get(call: Call) -> Response:
    return await _detail(call, call.params["run_id"])


async def list_(call: Call) -> Response:
    request, namespace, shown = filters.list_request(call), call.namespace, call.shown_namespace
    kind, key = references.queried(call.query, "resource_reference_key")
    experiment_id = key if kind is ResourceType.EXPERIMENT else ""
    if kind in _FIELDS:
        request = replace(request, filter=filters.narrowed(request.filter, _FIELDS[kind], key))

    def read(connection: Any) -> dict[str, Any]:
        found = runs.list_page(connection, request, namespace, experiment_id)
        reported = metrics.of_runs(connection, [row.run_id for row in found.items])
        return page("runs", found.mapped(lambda row: render.run(row, reported.get(row.run_id, ()), shown)))

    return await answer_from(call, read)


async def report_metrics(call: Call) -> Response:
    """Each metric for itself: what is wrong with one does not keep the others out."""
    run_id, given = call.params["run_id"], call.body.get("metrics", [])
    if len(given) > _MAX_METRICS:
        raise InvalidArgumentError(f"metrics: at most {_MAX_METRICS} are allowed in one request")
    if call.body.get("run_id", run_id) not in ("", run_id):
        raise InvalidArgumentError(f"run_id in the body is not the one in the path, {run_id!r}")

    def report(connection: Any) -> list[dict[str, Any]]:
        return [_reported(connection, run_id, each) for each in given]

    results = await call.backend.database.write(report)
    return answer({"results": results} if results else {})


def _reported(connection: Any, run_id: str, given: Mapping[str, Any]) -> dict[str, Any]:
    name, node = given.get("name", ""), given.get("node_id", "")
    result = {"metric_name": name, "metric_node_id": node}
    if problem := _metric_problem(given):
        return result | {"status": "INVALID_ARGUMENT", "message": problem}
    row = MetricRow(run_id, node, name, given.get("number_value", 0.0), given.get("format", "UNSPECIFIED"))
    if not metrics.report(connection, row):
        problem = f"the node {node!r} has reported the metric {name!r} before; the first report counts"
        return result | {"status": "DUPLICATE_REPORTING", "message": problem}
    return result | {"status": "OK"}


def _metric_problem(given: Mapping[str, Any]) -> str:
    name, node, value = given.get("name", ""), given.get("node_id", ""), given.get("number_value", 0.0)
    if not _METRIC_NAME.fullmatch(name):
        return (
            f"metric.name {name[:60]!r} must begin with a letter and hold letters, digits, - and _ only, "
            "64 at most"
        )
    if not 0 < len(node) <= _MAX_NODE_ID:
        return f"metric.node_id must have between 1 and {_MAX_NODE_ID} characters"
    return "" if math.isfinite(value) else "metric.number_value must be a finite number"


async def _detail(call: Call, run_id: str) -> Response:
    """The run with its steps, as a Workflow."""
    shown = call.shown_namespace

    def read(connection: Any) -> dict[str, Any]:
        row = runs.get(connection, run_id)
        if row is None:
            raise not_found("run", run_id)
        rows = tasks.list_by_run(connection, run_id)
        if "workflow" in json.loads(row.spec):
            manifest = json.dumps(manifest_of(row, rows), ensure_ascii=False)
            nodes = {task_id: node for node, task_id in status_of(row, rows)[1].items()}
        else:
            manifest = workflow(row, rows, artifacts.of_run(connection, run_id))
            nodes = node_ids(rows)
        reported = [
            replace(each, node_id=nodes.get(each.node_id, each.node_id))
            for each in metrics.of_runs(connection, [run_id]).get(run_id, ())
        ]
        run = render.run(row, reported, shown)
        return {"run": run, "pipeline_runtime": {"workflow_manifest": manifest}}

    return await answer_from(call, read)


async def _source(
    call: Call, spec: Mapping[str, Any], found: Sequence[Mapping[str, Any]], message: str
) -> tuple[PipelineSource, str]:
    """What is to run, and its specification as it is stored."""
    path = f"{message}.pipeline_spec"
    texts = [text for text in (spec.get("workflow_manifest"), spec.get("pipeline_manifest")) if text]
    version_id = references.referred(found, ResourceType.PIPELINE_VERSION)
    pipeline_id = spec.get("pipeline_id", "") or references.referred(found, ResourceType.PIPELINE)
    if len(texts) > 1:
        raise InvalidArgumentError(f"{path}: give only one of workflow_manifest and pipeline_manifest")
    if texts:
        if version_id or pipeline_id:
            raise InvalidArgumentError(
                f"{path}: give a manifest, or the id of a pipeline or of a version, not both"
            )
        prepare = await call.backend.prepare()
        stored = await asyncio.to_thread(prepare, texts[0].encode(), None)
        return PipelineSource(pipeline_spec=json.loads(stored)), stored
    if not version_id and not pipeline_id:
        raise InvalidArgumentError(
            f"{path}: give workflow_manifest, pipeline_manifest or pipeline_id, or refer to a PIPELINE_VERSION in "
            "resource_references"
        )
    version = await call.backend.database.read(
        lambda connection: _version(connection, call.namespace, pipeline_id, version_id)
    )
    source = PipelineSource(pipeline_id=version.pipeline_id, pipeline_version_id=version.pipeline_version_id)
    return source, version.spec


def _version(connection: Any, namespace: str, pipeline_id: str, version_id: str) -> pipelines.VersionRow:
    """Of both ids, the version's counts; of a pipeline alone, its default version is taken."""
    if version_id:
        return find_version(connection, namespace, PipelineSource(pipeline_version_id=version_id))
    pipeline = pipelines.get(connection, pipeline_id)
    chosen = pipelines.default_version(connection, pipeline) if pipeline is not None else None
    if chosen is None:
        raise not_found("pipeline version", f"of pipeline {pipeline_id}")
    source = PipelineSource(pipeline_version_id=chosen.pipeline_version_id)
    return find_version(connection, namespace, source)
