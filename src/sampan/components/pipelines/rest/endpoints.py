"""Every path of the API, in one table: method, path, what it takes to be allowed, and who answers."""

from __future__ import annotations

from sampan.components.pipelines.api import wire_failure
from sampan.components.pipelines.api import wire_messages as messages
from sampan.components.pipelines.api import wire_messages_records as records
from sampan.components.pipelines.api import wire_messages_v1 as messages_v1
from sampan.components.pipelines.rest import (
    artifact_contents,
    artifact_files,
    artifact_records,
    artifact_views,
    debug,
    event_endpoints,
    executions,
    experiments,
    health,
    log_search,
    logs,
    pipelines,
    recurring_runs,
    resume,
    runs,
    scopes,
    served_models,
    services,
    task_records,
    tasks,
    ui_server,
    upkeep,
    uploads,
)
from sampan.components.pipelines.rest.authorise import Resource, Verb
from sampan.components.pipelines.rest.dispatch import Endpoint
from sampan.components.pipelines.rest.v1 import endpoints as v1
from sampan.components.pipelines.store import task_pages

_V1 = "/apis/v1beta1"
_V2 = "/apis/v2beta1"
_PIPELINE = f"{_V2}/pipelines/{{pipeline_id}}"
_VERSION = f"{_PIPELINE}/versions/{{pipeline_version_id}}"
_EXPERIMENT = f"{_V2}/experiments/{{experiment_id}}"
_RUN = f"{_V2}/runs/{{run_id}}"
_SCHEDULE = f"{_V2}/recurringruns/{{recurring_run_id}}"
_NODE = "nodes/{node_id}"

_OF_TASK = scopes.of_row("task", "task_id", task_pages.namespace_of_task)
_NAMED_RUN = scopes.of_named_run
_OF_ARTIFACT = scopes.of_row("artifact", "artifact_id", task_pages.namespace_of_artifact)


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
        Endpoint("GET", f"{_V2}/pipeline_versions", listing, kind, requested, pipelines.list_all_versions),
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
        Endpoint("PATCH", _EXPERIMENT, Verb.UPDATE, kind, owned, experiments.update, messages.EXPERIMENT),
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
    read_log = f"/runs/{{run_id}}/{_NODE}/log"
    return [
        Endpoint("POST", base, Verb.CREATE, kind, requested, runs.create, messages.RUN),
        Endpoint("GET", base, Verb.LIST, kind, requested, runs.list_),
        Endpoint("GET", _RUN, Verb.GET, kind, owned, runs.get),
        Endpoint("DELETE", _RUN, Verb.DELETE, kind, owned, runs.delete),
        Endpoint("POST", f"{_RUN}:archive", Verb.ARCHIVE, kind, owned, runs.archive, empty),
        Endpoint("POST", f"{_RUN}:unarchive", Verb.UNARCHIVE, kind, owned, runs.unarchive, empty),
        Endpoint("POST", f"{_RUN}:terminate", Verb.TERMINATE, kind, owned, runs.terminate, empty),
        Endpoint("POST", f"{_RUN}:retry", Verb.RETRY, kind, owned, runs.retry, empty),
        Endpoint("POST", f"{_RUN}:resume", Verb.CREATE, kind, owned, resume.resume, wire_failure.RESUME),
        Endpoint("POST", f"{_RUN}/{_NODE}:debug", Verb.CREATE, kind, owned, debug.open_, wire_failure.DEBUG),
        Endpoint("GET", f"{_RUN}/debug/{{pod}}", Verb.GET, kind, owned, debug.state),
        Endpoint("DELETE", f"{_RUN}/debug/{{pod}}", Verb.DELETE, kind, owned, debug.close),
        Endpoint("POST", f"{_RUN}:continue", Verb.RETRY, kind, owned, resume.proceed, wire_failure.CONTINUE),
        Endpoint(
            "GET", f"{_RUN}/{read_artifact}", Verb.READ_ARTIFACT, kind, owned, artifact_files.read_artifact
        ),
        # Upstream's user interface asks at v1beta1 or v2beta1, programs at v1alpha1.
        *(
            Endpoint("GET", f"/apis/{version}{read_log}", Verb.GET, kind, owned, logs.read_log)
            for version in ("v1alpha1", "v1beta1", "v2beta1")
        ),
        Endpoint("GET", f"{_V2}/logs:search", Verb.LIST, kind, requested, log_search.LogSearch()),
    ]


def _recurring_runs() -> list[Endpoint]:
    kind, requested, owned = Resource.JOBS, scopes.requested, scopes.of_schedule
    base, one, empty = f"{_V2}/recurringruns", _SCHEDULE, messages.EMPTY
    return [
        Endpoint("POST", base, Verb.CREATE, kind, requested, recurring_runs.create, messages.RECURRING_RUN),
        Endpoint("GET", base, Verb.LIST, kind, requested, recurring_runs.list_),
        Endpoint("GET", one, Verb.GET, kind, owned, recurring_runs.get),
        Endpoint("GET", f"{one}:ticks", Verb.GET, kind, owned, recurring_runs.ticks),
        Endpoint("POST", f"{one}:run", Verb.CREATE, kind, owned, recurring_runs.run_now, empty),
        Endpoint("DELETE", one, Verb.DELETE, kind, owned, recurring_runs.delete),
        Endpoint("POST", f"{one}:enable", Verb.ENABLE, kind, owned, recurring_runs.enable, empty),
        Endpoint("POST", f"{one}:disable", Verb.DISABLE, kind, owned, recurring_runs.disable, empty),
    ]


def _tasks() -> list[Endpoint]:
    kind, owned = Resource.RUNS, scopes.of_run
    listing, read, update = Verb.LIST, Verb.GET, Verb.UPDATE
    of_run, task, bulk = f"{_RUN}/tasks", records.TASK, records.TASKS
    return [
        Endpoint("GET", of_run, listing, kind, owned, tasks.list_tasks),
        Endpoint("POST", of_run, update, kind, owned, task_records.create, task),
        Endpoint("POST", f"{of_run}:batchUpdate", update, kind, owned, task_records.update_many, bulk),
        Endpoint("GET", f"{of_run}/{{task_id}}", read, kind, owned, task_records.get_of_run),
        Endpoint("PATCH", f"{of_run}/{{task_id}}", update, kind, owned, task_records.update, task),
        Endpoint(
            "POST",
            f"{_V2}/tasks:findCached",
            listing,
            kind,
            scopes.requested,
            task_records.find_cached,
            records.CACHED_TASK,
        ),
        # As the first of these APIs had them, without the run in the path.
        Endpoint("GET", f"{_V2}/tasks", listing, kind, _NAMED_RUN, tasks.list_tasks),
        Endpoint("POST", f"{_V2}/tasks", update, kind, _NAMED_RUN, task_records.create, task),
        Endpoint(
            "POST", f"{_V2}/tasks:batchUpdate", update, kind, _NAMED_RUN, task_records.update_many, bulk
        ),
        Endpoint("GET", f"{_V2}/tasks/{{task_id}}", read, kind, _OF_TASK, tasks.get_task),
        Endpoint("PATCH", f"{_V2}/tasks/{{task_id}}", update, kind, _OF_TASK, task_records.update, task),
    ]


def _artifacts() -> list[Endpoint]:
    kind, requested, of_runs = Resource.ARTIFACTS, scopes.requested, artifact_records.namespace_of_runs
    listing, create = Verb.LIST, Verb.CREATE
    file, runs_ = Verb.READ_ARTIFACT, Resource.RUNS
    base, links = f"{_V2}/artifacts", f"{_V2}/artifact_tasks"
    artifact = f"{base}/{{artifact_id}}"
    one, many = records.NEW_ARTIFACT, records.NEW_ARTIFACTS
    link, link_many = records.NEW_ARTIFACT_TASK, records.NEW_ARTIFACT_TASKS
    return [
        Endpoint("GET", base, listing, kind, requested, artifact_views.list_artifacts),
        Endpoint("POST", base, create, kind, of_runs, artifact_records.create, one),
        Endpoint("POST", f"{base}:batchCreate", create, kind, of_runs, artifact_records.create_many, many),
        Endpoint("GET", artifact, Verb.GET, kind, _OF_ARTIFACT, artifact_views.get_artifact),
        Endpoint("GET", f"{artifact}/lineage", Verb.GET, kind, _OF_ARTIFACT, artifact_views.get_lineage),
        Endpoint("GET", f"{artifact}/endpoints", Verb.GET, kind, _OF_ARTIFACT, served_models.list_endpoints),
        Endpoint(
            "GET", f"{_V2}/endpoints/{{name}}/models", listing, kind, requested, served_models.get_models
        ),
        Endpoint("DELETE", artifact, Verb.DELETE, kind, _OF_ARTIFACT, artifact_views.delete),
        Endpoint("GET", f"{artifact}:files", file, runs_, _OF_ARTIFACT, artifact_contents.list_files),
        Endpoint("GET", f"{artifact}:read", file, runs_, _OF_ARTIFACT, artifact_contents.read_file),
        Endpoint("GET", links, listing, kind, scopes.of_linked, tasks.list_artifact_tasks),
        Endpoint("POST", links, create, kind, of_runs, artifact_records.link, link),
        Endpoint(
            "POST", f"{links}:batchCreate", create, kind, of_runs, artifact_records.link_many, link_many
        ),
    ]


def _services() -> list[Endpoint]:
    """Those that answer in both versions of the API alike."""
    found = []
    for version in (_V1, _V2):
        drawing, visualization = f"{version}/visualizations/{{namespace}}", messages_v1.VISUALIZATION
        found += [
            Endpoint(
                "GET", f"{version}/auth", Verb.GET, Resource.PIPELINES, scopes.anyone, services.authorize
            ),
            Endpoint(
                "POST",
                f"{version}/workflows",
                Verb.REPORT,
                Resource.WORKFLOWS,
                scopes.anyone,
                services.report,
                messages.REPORT,
            ),
            Endpoint(
                "POST",
                f"{version}/scheduledworkflows",
                Verb.REPORT,
                Resource.SCHEDULED_WORKFLOWS,
                scopes.anyone,
                services.report,
                messages.REPORT,
            ),
            Endpoint(
                "POST",
                drawing,
                Verb.CREATE,
                Resource.VISUALIZATIONS,
                scopes.in_path("namespace"),
                services.create_visualization,
                visualization,
            ),
        ]
    return found


def _ui_server() -> list[Endpoint]:
    runs_, viewers, read = Resource.RUNS, Resource.VIEWERS, Verb.GET
    pods, anyone = scopes.queried("podnamespace"), scopes.anyone
    by_path, in_path = "/artifacts/{source}/{bucket}/{key...}", scopes.requested
    files = Verb.READ_ARTIFACT
    boards, of_board = "/apps/tensorboard", scopes.queried("namespace")
    return [
        Endpoint("GET", "/artifacts/get", files, runs_, scopes.requested, artifact_files.get_artifact),
        Endpoint("GET", by_path, files, runs_, in_path, artifact_files.download_artifact),
        Endpoint("GET", "/k8s/pod/logs", read, runs_, scopes.of_queried_run("runid"), logs.read_pod_log),
        Endpoint("GET", "/k8s/pod", read, viewers, pods, ui_server.get_pod),
        Endpoint("GET", "/k8s/pod/events", read, viewers, pods, ui_server.get_pod_events),
        Endpoint("GET", "/system/cluster-name", read, Resource.PIPELINES, anyone, ui_server.no_cloud),
        Endpoint("GET", "/system/project-id", read, Resource.PIPELINES, anyone, ui_server.no_cloud),
        Endpoint(
            "GET",
            "/visualizations/allowed",
            read,
            Resource.PIPELINES,
            anyone,
            ui_server.custom_visualizations_allowed,
        ),
        Endpoint("GET", boards, read, viewers, of_board, ui_server.get_tensorboard),
        Endpoint("POST", boards, Verb.CREATE, viewers, of_board, ui_server.no_tensorboard),
        Endpoint("DELETE", boards, Verb.DELETE, viewers, of_board, ui_server.no_tensorboard),
    ]


def endpoints() -> list[Endpoint]:
    return [
        *_health(),
        *_pipelines(),
        *_uploads(),
        *_experiments(),
        *_runs(),
        *_recurring_runs(),
        *event_endpoints.endpoints(),
        *_tasks(),
        *_artifacts(),
        *_services(),
        *_ui_server(),
        *upkeep.endpoints(),
        *executions.endpoints(),
        *v1.endpoints(),
    ]
