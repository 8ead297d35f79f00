"""Which namespace a request of v1 is about: named by resource references, in the body or in the query."""

from __future__ import annotations

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.api.wire_messages_v1 import ResourceType
from sampan.components.pipelines.rest import scopes
from sampan.components.pipelines.rest.authorise import SHARED
from sampan.components.pipelines.rest.dispatch import Call
from sampan.components.pipelines.rest.scopes import not_found
from sampan.components.pipelines.rest.v1 import references
from sampan.components.pipelines.rest.v1.pipelines import pipeline_of_versions
from sampan.components.pipelines.store import pipelines

_NO_NAMESPACE = "-"
"""How a path says that no namespace is meant."""


def of_references(call: Call) -> str:
    """Of what is created: the namespace that the body refers to, or its experiment's."""
    found = call.body.get("resource_references", ())
    namespace = references.referred(found, ResourceType.NAMESPACE)
    return scopes.chosen(call, namespace, references.referred(found, ResourceType.EXPERIMENT))


def of_key(call: Call) -> str:
    """Of a list: the namespace in the query's key, or that of what the key names."""
    kind, key = references.queried(call.query, "resource_reference_key")
    if kind is ResourceType.EXPERIMENT:
        return scopes.chosen(call, "", key)
    if kind in (None, ResourceType.NAMESPACE) or not call.backend.multi_user:
        return scopes.chosen(call, key)
    if kind is ResourceType.JOB:
        call.params["recurring_run_id"] = key
        return scopes.of_schedule(call)
    # Runs of a pipeline may be in any namespace, where pipelines are shared.
    return scopes.chosen(call, call.query.get("namespace", ""))


def of_namespace_key(call: Call) -> str:
    """Of a list of experiments."""
    _only_namespaces(call)
    return of_key(call)


def of_pipelines(call: Call) -> str:
    """Of a list of pipelines, and of a new one: none means the shared ones."""
    _only_namespaces(call)
    key = references.queried(call.query, "resource_reference_key")[1]
    referred = references.referred(call.body.get("resource_references", ()), ResourceType.NAMESPACE)
    if not call.backend.multi_user:
        return call.backend.namespace
    return key or referred or call.query.get("namespace", "") or SHARED


def of_tasks(call: Call) -> str:
    """Of a list of tasks, which upstream asks for by pipeline too: that does not say where."""
    kind, key = references.queried(call.query, "resource_reference_key")
    namespace = key if kind is ResourceType.NAMESPACE else call.query.get("namespace", "")
    return scopes.chosen(call, namespace)


def of_path(call: Call) -> str:
    namespace = call.params["namespace"]
    if not call.backend.multi_user:
        return call.backend.namespace
    return SHARED if namespace == _NO_NAMESPACE else namespace


def of_versions(call: Call) -> str:
    """Of the pipeline whose versions are listed, or added to."""
    return scopes.of_pipeline_id(call, pipeline_of_versions(call))


def of_version(call: Call) -> str:
    key = call.params["version_id"]
    found = call.backend.database.read_now(lambda connection: pipelines.get_version(connection, key))
    if found is None:
        raise not_found("pipeline version", key)
    return scopes.of_pipeline_id(call, found.pipeline_id)


def _only_namespaces(call: Call) -> None:
    kind = references.queried(call.query, "resource_reference_key")[0]
    if kind not in (None, ResourceType.NAMESPACE):
        raise InvalidArgumentError("resource_reference_key.type must be NAMESPACE")
