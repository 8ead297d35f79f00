"""Every path of the API, in one table: method, path, what it takes to be allowed, and who answers."""

from __future__ import annotations

from starlette.responses import Response

from sampan.components.pipelines.api import wire_messages as messages
from sampan.components.pipelines.api.errors import UnimplementedError
from sampan.components.pipelines.rest import (
    artifact_files,
    experiments,
    health,
    log_search,
    logs,
    pipelines,
    recurring_runs,
    resume,
    runs,
    scopes,
    tasks,
    uploads,
)
from sampan.components.pipelines.rest.authorise import Resource, Verb
from sampan.components.pipelines.rest.dispatch import Call, Endpoint
from sampan.components.pipelines.rest.v1 import endpoints as v1
from sampan.components.pipelines.store import schedules, task_pages

_V2 = "/apis/v2beta1"
_PIPELINE = f"{_V2}/pipelines/{{pipeline_id}}"
_VERSION = f"{_PIPELINE}/versions/{{pipeline_version_id}}"
_EXPERIMENT = f"{_V2}/experiments/{{experiment_id}}"
_RUN = f"{_V2}/runs/{{run_id}}"
_SCHEDULE = f"{_V2}/recurringruns/{{recurring_run_id}}"
_NODE = "nodes/{node_id}"

_OF_TASK = scopes.of_row("task", "task_id", task_pages.namespace_of_task)
_OF_SCHEDULE = scopes.of_row("recurring run", "recurring_run_id", schedules.namespace_of)
_OF_ARTIFACT = scopes.of_row("artifact", "artifact_id", task_pages.namespace_of_artifact)


async def unimplemented(call: Call) -> Response:
    raise UnimplementedError(
        f"{call.request.method} {call.request.url.path} is not served by this version of Sampan yet"
    )


def _health() -> list[Endpoint]:
    return [Endpoint("GET", f"{_V2}/healthz", Verb.GET, Resource.PIPELINES, scopes.anyone, health.healthz)]


def _pipelines() -> list[Endpoint]:
    kind, requested, owned = Resource.PIPELINES, scopes.requested_for_pipelines, scopes.of_pipeline
    pipeline, version = messages.PIPELINE, messages.PIPELINE_VERSION
    both, base = messages.PIPELINE_AND_VERSION, f"{_V2}/pipelines"
    create, read, listing, update, delete = Verb.CREATE, Verb.GET, Verb.LIST, Verb.UPDATE, Verb.DELETE
    return [
        Endpoint("POST", base, create, kind, requested, pipelines.create, pipeline),
        Endpoint("GET", base, listing, kind, requested, pipelines.list_),
        Endpoint("POST", f"{base}/create", create, kind, requested, pipelines.create_with_version, both),
        Endpoint("GET", f"{base}/names/{{name}}", read, kind, requested, pipelines.get_by_name),
        Endpoint("GET", _PIPELINE, read, kind, owned, pipelines.get),
        Endpoint("PATCH", _PIPELINE, update, kind, owned, pipelines.update, pipeline),
        Endpoint("DELETE", _PIPELINE, delete, kind, owned, pipelines.delete),
        Endpoint("POST", f"{_PIPELINE}/versions", create, kind, owned, pipelines.create_version, version),
        Endpoint("GET", f"{_PIPELINE}/versions", listing, kind, owned, pipelines.list_versions),
        Endpoint("GET", _VERSION, read, kind, owned, pipelines.get_version),
        Endpoint("PATCH", _VERSION, update, kind, owned, pipelines.update_version, version),
        Endpoint("DELETE", _VERSION, delete, kind, owned, pipelines.delete_version),
    ]


def _uploads() -> list[Endpoint]:
    create, kind = Verb.CREATE, Resource.PIPELINES
    return [
        Endpoint(
            "POST",
            f"{_V2}/pipelines/upload",
            create,
            kind,
            scopes.requested_for_pipelines,
            uploads.upload,
            error_json=uploads.error_json,
        ),
        Endpoint(
            "POST",
            f"{_V2}/pipelines/upload_version",
            create,
            kind,
            scopes.of_uploaded_version,
            uploads.upload_version,
            error_json=uploads.error_json,
        ),
    ]


def _experiments() -> list[Endpoint]:
    kind, requested, owned = Resource.EXPERIMENTS, scopes.requested, scopes.of_experiment
    base, empty = f"{_V2}/experiments", messages.EMPTY
    return [
        Endpoint("POST", base, Verb.CREATE, kind, requested, experiments.create, messages.EXPERIMENT),
        Endpoint("GET", base, Verb.LIST, kind, requested, experiments.list_),
        Endpoint("GET", _EXPERIMENT, Verb.GET, kind, owned, experiments.get),
        Endpoint("DELETE", _EXPERIMENT, Verb.DELETE, kind, owned, experiments.delete),
        Endpoint("POST", f"{_EXPERIMENT}:archive", Verb.ARCHIVE, kind, owned, experiments.archive, empty),
        Endpoint(
            "POST", f"{_EXPERIMENT}:unarchive", Verb.UNARCHIVE, kind, owned, experiments.unarchive, empty
        ),
    ]


def _runs() -> list[Endpoint]:
    kind, requested, owned = Resource.RUNS, scopes.requested, scopes.of_run
    base, empty = f"{_V2}/runs", messages.EMPTY
    read_artifact = f"{_NODE}/artifacts/{{artifact_name}}:read"
    read_log = f"/apis/v1alpha1/runs/{{run_id}}/{_NODE}/log"
    return [
        Endpoint("POST", base, Verb.CREATE, kind, requested, runs.create, messages.RUN),
        Endpoint("GET", base, Verb.LIST, kind, requested, runs.list_),
        Endpoint("GET", _RUN, Verb.GET, kind, owned, runs.get),
        Endpoint("DELETE", _RUN, Verb.DELETE, kind, owned, runs.delete),
        Endpoint("POST", f"{_RUN}:archive", Verb.ARCHIVE, kind, owned, runs.archive, empty),
        Endpoint("POST", f"{_RUN}:unarchive", Verb.UNARCHIVE, kind, owned, runs.unarchive, empty),
        Endpoint("POST", f"{_RUN}:terminate", Verb.TERMINATE, kind, owned, runs.terminate, empty),
        Endpoint("POST", f"{_RUN}:retry", Verb.RETRY, kind, owned, runs.retry, empty),
        Endpoint("POST", f"{_RUN}:resume", Verb.CREATE, kind, owned, resume.resume, messages.RESUME),
        Endpoint("POST", f"{_RUN}:continue", Verb.RETRY, kind, owned, resume.proceed, messages.CONTINUE),
        Endpoint(
            "GET", f"{_RUN}/{read_artifact}", Verb.READ_ARTIFACT, kind, owned, artifact_files.read_artifact
        ),
        Endpoint("GET", read_log, Verb.GET, kind, owned, logs.read_log),
        Endpoint("GET", f"{_V2}/logs:search", Verb.LIST, kind, requested, log_search.LogSearch()),
    ]


def _recurring_runs() -> list[Endpoint]:
    kind, requested, owned = Resource.JOBS, scopes.requested, _OF_SCHEDULE
    base, one, empty = f"{_V2}/recurringruns", _SCHEDULE, messages.EMPTY
    return [
        Endpoint("POST", base, Verb.CREATE, kind, requested, recurring_runs.create, messages.RECURRING_RUN),
        Endpoint("GET", base, Verb.LIST, kind, requested, recurring_runs.list_),
        Endpoint("GET", one, Verb.GET, kind, owned, recurring_runs.get),
        Endpoint("GET", f"{one}:ticks", Verb.GET, kind, owned, recurring_runs.ticks),
        Endpoint("DELETE", one, Verb.DELETE, kind, owned, recurring_runs.delete),
        Endpoint("POST", f"{one}:enable", Verb.ENABLE, kind, owned, recurring_runs.enable, empty),
        Endpoint("POST", f"{one}:disable", Verb.DISABLE, kind, owned, recurring_runs.disable, empty),
    ]


def _tasks() -> list[Endpoint]:
    kind, requested, owned = Resource.RUNS, scopes.requested, scopes.of_run
    listing, read = Verb.LIST, Verb.GET
    return [
        Endpoint("GET", f"{_RUN}/tasks", listing, kind, owned, tasks.list_tasks),
        Endpoint("GET", f"{_V2}/tasks/{{task_id}}", read, kind, _OF_TASK, tasks.get_task),
        Endpoint("GET", f"{_V2}/artifacts", listing, kind, requested, tasks.list_artifacts),
        Endpoint("GET", f"{_V2}/artifacts/{{artifact_id}}", read, kind, _OF_ARTIFACT, tasks.get_artifact),
        Endpoint("GET", f"{_V2}/artifact_tasks", listing, kind, requested, tasks.list_artifact_tasks),
    ]


def _ui_server() -> list[Endpoint]:
    kind = Resource.RUNS
    by_query = scopes.of_queried_run("runid")
    return [
        Endpoint(
            "GET", "/artifacts/get", Verb.READ_ARTIFACT, kind, scopes.requested, artifact_files.get_artifact
        ),
        Endpoint("GET", "/k8s/pod/logs", Verb.GET, kind, by_query, logs.read_pod_log),
    ]


def _later() -> list[Endpoint]:
    """Paths that exist upstream: they answer that they are not served yet, not that they are unknown."""
    paths = [
        ("POST", f"{_V2}/artifacts"),
        ("POST", f"{_V2}/artifact_tasks"),
        ("POST", f"{_V2}/tasks:findCached"),
        ("POST", f"{_V2}/visualizations/{{namespace}}"),
    ]
    return [
        Endpoint(method, path, Verb.GET, Resource.JOBS, scopes.requested, unimplemented)
        for method, path in paths
    ]


def endpoints() -> list[Endpoint]:
    return [
        *_health(),
        *_pipelines(),
        *_uploads(),
        *_experiments(),
        *_runs(),
        *_recurring_runs(),
        *_tasks(),
        *_ui_server(),
        *_later(),
        *v1.endpoints(),
    ]
