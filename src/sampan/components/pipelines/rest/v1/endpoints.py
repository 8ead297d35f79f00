"""Every path of API v1beta1, and what it takes to be allowed. `rest.endpoints` puts them into its table."""

from __future__ import annotations

from sampan.components.pipelines.api import wire_messages
from sampan.components.pipelines.api import wire_messages_v1 as messages
from sampan.components.pipelines.rest import artifact_files, health, recurring_runs, uploads
from sampan.components.pipelines.rest import experiments as common_experiments
from sampan.components.pipelines.rest import runs as common_runs
from sampan.components.pipelines.rest import scopes as common
from sampan.components.pipelines.rest.authorise import Resource, Verb
from sampan.components.pipelines.rest.dispatch import Endpoint
from sampan.components.pipelines.rest.v1 import experiments, jobs, pipelines, runs, scopes, tasks

_V1 = "/apis/v1beta1"
_PIPELINE = f"{_V1}/pipelines/{{pipeline_id}}"
_VERSIONS = f"{_V1}/pipeline_versions"
_VERSION = f"{_VERSIONS}/{{version_id}}"
_EXPERIMENT = f"{_V1}/experiments/{{experiment_id}}"
_RUN = f"{_V1}/runs/{{run_id}}"


def endpoints() -> list[Endpoint]:
    health_check = Endpoint(
        "GET", f"{_V1}/healthz", Verb.GET, Resource.PIPELINES, common.anyone, health.healthz_v1
    )
    return [
        health_check,
        *_pipelines(),
        *_versions(),
        *_uploads(),
        *_experiments(),
        *_runs(),
        *_jobs(),
        *_tasks(),
    ]


def _pipelines() -> list[Endpoint]:
    kind, base, owned = Resource.PIPELINES, f"{_V1}/pipelines", common.of_pipeline
    by_name = f"{_V1}/namespaces/{{namespace}}/pipelines/{{name}}"
    chosen = f"{_PIPELINE}/default_version/{{version_id}}"
    return [
        Endpoint("POST", base, Verb.CREATE, kind, scopes.of_pipelines, pipelines.create, messages.PIPELINE),
        Endpoint("GET", base, Verb.LIST, kind, scopes.of_pipelines, pipelines.list_),
        Endpoint("GET", by_name, Verb.GET, kind, scopes.of_path, pipelines.get_by_name),
        Endpoint("GET", _PIPELINE, Verb.GET, kind, owned, pipelines.get),
        Endpoint("DELETE", _PIPELINE, Verb.DELETE, kind, owned, pipelines.delete),
        Endpoint("GET", f"{_PIPELINE}/templates", Verb.GET, kind, owned, pipelines.get_template),
        Endpoint("POST", chosen, Verb.UPDATE, kind, owned, pipelines.set_default_version),
    ]


def _versions() -> list[Endpoint]:
    kind, listed, owned = Resource.PIPELINES, scopes.of_versions, scopes.of_version
    body = messages.PIPELINE_VERSION
    return [
        Endpoint("POST", _VERSIONS, Verb.CREATE, kind, listed, pipelines.create_version, body),
        Endpoint("GET", _VERSIONS, Verb.LIST, kind, listed, pipelines.list_versions),
        Endpoint("GET", _VERSION, Verb.GET, kind, owned, pipelines.get_version),
        Endpoint("DELETE", _VERSION, Verb.DELETE, kind, owned, pipelines.delete_version),
        Endpoint("GET", f"{_VERSION}/templates", Verb.GET, kind, owned, pipelines.get_version_template),
    ]


def _uploads() -> list[Endpoint]:
    create, kind, base = Verb.CREATE, Resource.PIPELINES, f"{_V1}/pipelines"
    return [
        Endpoint(
            "POST",
            f"{base}/upload",
            create,
            kind,
            common.requested_for_pipelines,
            pipelines.upload,
            error_json=uploads.error_json,
        ),
        Endpoint(
            "POST",
            f"{base}/upload_version",
            create,
            kind,
            common.of_uploaded_version,
            pipelines.upload_version,
            error_json=uploads.error_json,
        ),
    ]


def _experiments() -> list[Endpoint]:
    kind, base, owned = Resource.EXPERIMENTS, f"{_V1}/experiments", common.of_experiment
    empty, body = wire_messages.EMPTY, messages.EXPERIMENT
    archive, unarchive = common_experiments.archive, common_experiments.unarchive
    return [
        Endpoint("POST", base, Verb.CREATE, kind, scopes.of_references, experiments.create, body),
        Endpoint("GET", base, Verb.LIST, kind, scopes.of_namespace_key, experiments.list_),
        Endpoint("GET", _EXPERIMENT, Verb.GET, kind, owned, experiments.get),
        Endpoint("DELETE", _EXPERIMENT, Verb.DELETE, kind, owned, common_experiments.delete),
        Endpoint("POST", f"{_EXPERIMENT}:archive", Verb.ARCHIVE, kind, owned, archive, empty),
        Endpoint("POST", f"{_EXPERIMENT}:unarchive", Verb.UNARCHIVE, kind, owned, unarchive, empty),
    ]


def _runs() -> list[Endpoint]:
    kind, base, owned = Resource.RUNS, f"{_V1}/runs", common.of_run
    empty, reported = wire_messages.EMPTY, messages.REPORTED_METRICS
    file = f"{_RUN}/nodes/{{node_id}}/artifacts/{{artifact_name}}:read"
    metrics = f"{_RUN}:reportMetrics"
    return [
        Endpoint("POST", base, Verb.CREATE, kind, scopes.of_references, runs.create, messages.RUN),
        Endpoint("GET", base, Verb.LIST, kind, scopes.of_key, runs.list_),
        Endpoint("GET", _RUN, Verb.GET, kind, owned, runs.get),
        Endpoint("DELETE", _RUN, Verb.DELETE, kind, owned, common_runs.delete),
        Endpoint("POST", f"{_RUN}:archive", Verb.ARCHIVE, kind, owned, common_runs.archive, empty),
        Endpoint("POST", f"{_RUN}:unarchive", Verb.UNARCHIVE, kind, owned, common_runs.unarchive, empty),
        Endpoint("POST", f"{_RUN}/terminate", Verb.TERMINATE, kind, owned, common_runs.terminate, empty),
        Endpoint("POST", f"{_RUN}/retry", Verb.RETRY, kind, owned, common_runs.retry, empty),
        Endpoint("POST", metrics, Verb.REPORT_METRICS, kind, owned, runs.report_metrics, reported),
        Endpoint("GET", file, Verb.READ_ARTIFACT, kind, owned, artifact_files.read_artifact),
    ]


def _tasks() -> list[Endpoint]:
    path, kind = "/apis/v1alpha1/tasks", Resource.RUNS
    created, body = tasks.namespace_of_run, messages.TASK
    return [
        Endpoint("POST", path, Verb.UPDATE, kind, created, tasks.create, body),
        Endpoint("GET", path, Verb.LIST, kind, scopes.of_tasks, tasks.list_),
    ]


def _jobs() -> list[Endpoint]:
    kind, base = Resource.JOBS, f"{_V1}/jobs"
    one, owned, empty = f"{base}/{{recurring_run_id}}", common.of_schedule, wire_messages.EMPTY
    enable, disable = recurring_runs.enable, recurring_runs.disable
    return [
        Endpoint("POST", base, Verb.CREATE, kind, scopes.of_references, jobs.create, messages.JOB),
        Endpoint("GET", base, Verb.LIST, kind, scopes.of_key, jobs.list_),
        Endpoint("GET", one, Verb.GET, kind, owned, jobs.get),
        Endpoint("DELETE", one, Verb.DELETE, kind, owned, recurring_runs.delete),
        Endpoint("POST", f"{one}/enable", Verb.ENABLE, kind, owned, enable, empty),
        Endpoint("POST", f"{one}/disable", Verb.DISABLE, kind, owned, disable, empty),
    ]
