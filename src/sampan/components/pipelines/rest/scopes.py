"""Which namespace a request is about: found before the request is authorised, and before its endpoint runs.

With one user, as upstream without multi-user mode, a namespace that a client names is ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sampan.components.pipelines.api.errors import NotFoundError
from sampan.components.pipelines.rest.dispatch import Call, Scoping
from sampan.components.pipelines.store import experiments, pipelines, runs


def requested(call: Call) -> str:
    """The namespace that the query or the body names; for lists and for what is created."""
    return call.backend.namespace


def of_experiment(call: Call) -> str:
    experiment_id = call.params["experiment_id"]
    found = call.backend.database.read_now(lambda connection: experiments.get(connection, experiment_id))
    if found is None:
        raise not_found("experiment", experiment_id)
    return found.namespace


def of_pipeline(call: Call) -> str:
    """Of a pipeline, and of its versions."""
    return _pipeline_namespace(call, call.params["pipeline_id"])


def of_uploaded_version(call: Call) -> str:
    """Of the pipeline that a version is uploaded to, which the query names."""
    return _pipeline_namespace(call, call.query.get("pipelineid", ""))


def of_run(call: Call) -> str:
    run_id = call.params["run_id"]
    found = call.backend.database.read_now(lambda connection: runs.namespace_of(connection, run_id))
    if found is None:
        raise not_found("run", run_id)
    return found


def of_queried_run(name: str) -> Scoping:
    """Of the run that the query parameter `name` gives."""

    def scope(call: Call) -> str:
        call.params["run_id"] = call.query.get(name, "")
        return of_run(call)

    return scope


def of_row(kind: str, name: str, look_up: Callable[[Any, str], str | None]) -> Scoping:
    """Of what the path's parameter `name` identifies; `look_up` gives its namespace."""

    def scope(call: Call) -> str:
        key = call.params[name]
        found = call.backend.database.read_now(lambda connection: look_up(connection, key))
        if found is None:
            raise not_found(kind, key)
        return found

    return scope


def not_found(kind: str, key: str) -> NotFoundError:
    return NotFoundError(f"{kind} {key!r} not found")


def _pipeline_namespace(call: Call, pipeline_id: str) -> str:
    found = call.backend.database.read_now(lambda connection: pipelines.get(connection, pipeline_id))
    if found is None:
        raise not_found("pipeline", pipeline_id)
    return found.namespace
