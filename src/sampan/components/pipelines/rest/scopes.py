"""Which namespace a request is about: found before the request is authorised, and before its endpoint runs.

With one user, as upstream without multi-user mode, a namespace that a client names is ignored. With many it counts,
and a request that names none is refused, but for pipelines, which may be shared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sampan.components.pipelines.api.errors import InvalidArgumentError, NotFoundError
from sampan.components.pipelines.rest.authorise import SHARED
from sampan.components.pipelines.rest.dispatch import Call, Scoping
from sampan.components.pipelines.store import experiments, pipelines, runs, schedules, task_pages


def anyone(call: Call) -> str:
    """For what is no namespace's, such as the server's health: open to whoever is a user."""
    return SHARED if call.backend.multi_user else call.backend.namespace


def requested(call: Call) -> str:
    """The namespace that the query or the body names, or their experiment's; for lists and for what is created."""
    given = call.body.get("namespace", "") or call.query.get("namespace", "")
    experiment_id = call.body.get("experiment_id", "") or call.query.get("experiment_id", "")
    return chosen(call, given, experiment_id)


def requested_for_pipelines(call: Call) -> str:
    """The same, or none: then it is about shared pipelines."""
    nested = call.body.get("pipeline", {}).get("namespace", "")
    given = nested or call.body.get("namespace", "") or call.query.get("namespace", "")
    return given if call.backend.multi_user else call.backend.namespace


def queried(name: str) -> Scoping:
    """The namespace that the query's parameter `name` gives."""
    return lambda call: chosen(call, call.query.get(name, ""))


def in_path(name: str) -> Scoping:
    """The namespace that the path's parameter `name` gives."""
    return lambda call: chosen(call, call.params[name])


def chosen(call: Call, namespace: str, experiment_id: str = "") -> str:
    """`namespace`, or the experiment's, where namespaces count. Raises InvalidArgumentError, NotFoundError."""
    if not call.backend.multi_user:
        return call.backend.namespace
    found = of_experiment_id(call, experiment_id) if experiment_id else namespace
    if not found:
        raise InvalidArgumentError(
            "namespace must not be empty in multi-user mode: name it, or an experiment that is in one"
        )
    if namespace and found != namespace:
        raise InvalidArgumentError(f"the experiment {experiment_id!r} is not in the namespace {namespace!r}")
    return found


def of_experiment(call: Call) -> str:
    return of_experiment_id(call, call.params["experiment_id"])


def of_experiment_id(call: Call, experiment_id: str) -> str:
    found = call.backend.database.read_now(lambda connection: experiments.get(connection, experiment_id))
    if found is None:
        raise not_found("experiment", experiment_id)
    return found.namespace


def of_pipeline(call: Call) -> str:
    """Of a pipeline, and of its versions."""
    return of_pipeline_id(call, call.params["pipeline_id"])


def of_uploaded_version(call: Call) -> str:
    """Of the pipeline that a version is uploaded to, which the query names."""
    return of_pipeline_id(call, call.query.get("pipelineid", ""))


def of_run(call: Call) -> str:
    run_id = call.params["run_id"]
    found = call.backend.database.read_now(lambda connection: runs.namespace_of(connection, run_id))
    if found is None:
        raise not_found("run", run_id)
    return found


def of_named_run(call: Call) -> str:
    """Of the run that the body or the query names as `run_id`."""
    call.params["run_id"] = call.body.get("run_id", "") or call.query.get("run_id", "")
    if not call.params["run_id"]:
        raise InvalidArgumentError("run_id must name a run")
    return of_run(call)


def of_linked(call: Call) -> str:
    """Of the first run, task or artifact whose links are asked for; of others nothing will be found."""
    if not call.backend.multi_user or call.query.get("namespace"):
        return requested(call)
    for name, look_up in (
        ("run_ids", runs.namespace_of),
        ("task_ids", task_pages.namespace_of_task),
        ("artifact_ids", task_pages.namespace_of_artifact),
    ):
        if key := call.query.get(name, ""):
            call.params[name] = key
            return of_row(name.removesuffix("_ids"), name, look_up)(call)
    raise InvalidArgumentError("give at least one of run_ids, task_ids and artifact_ids")


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


def of_pipeline_id(call: Call, pipeline_id: str) -> str:
    found = call.backend.database.read_now(lambda connection: pipelines.get(connection, pipeline_id))
    if found is None:
        raise not_found("pipeline", pipeline_id)
    return found.namespace


def not_found(kind: str, key: str) -> NotFoundError:
    return NotFoundError(f"{kind} {key!r} not found")


of_schedule = of_row("recurring run", "recurring_run_id", schedules.namespace_of)
