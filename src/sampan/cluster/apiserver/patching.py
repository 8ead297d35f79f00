"""Which patch algorithm a media type means, as a function from the stored object to the wanted one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sampan.client.protocol import PatchType, WriteOptions
from sampan.cluster.apiserver import strictness
from sampan.cluster.apiserver.strategy import Strategies
from sampan.kube import managedfields, patches
from sampan.kube.errors import BadRequestError, InvalidError, UnsupportedMediaTypeError, invalid
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object
from sampan.kube.strategic import strategic_merge

_GO_MAP = "Go value of type map[string]interface {}"
"""In Go's words, as the body is decoded upstream (endpoints/handlers/patch.go, v1.37)."""


def patcher(  # noqa: PLR0913  as the request
    strategies: Strategies,
    resource: Resource,
    patch_type: PatchType,
    patch: Any,
    options: WriteOptions,
    now: str,
    subresource: str = "",
) -> Callable[[Object], Object]:
    """Raises BadRequestError for a body that is no such patch; the function, what the patch raises."""
    if patch_type is PatchType.JSON:
        return lambda old: patches.json_patch(old, patch)
    if patch_type is PatchType.MERGE:
        if not isinstance(patch, dict):
            raise BadRequestError(
                f"error decoding patch: json: cannot unmarshal {_json_type(patch)} into {_GO_MAP}"
            )
        return lambda old: patches.merge(old, patch)
    if not isinstance(patch, dict):
        raise BadRequestError("the body of the patch must be an object")
    if patch_type is PatchType.STRATEGIC:
        type_name = strategies.type_name(resource)
        if not type_name:
            raise UnsupportedMediaTypeError(
                "the body of the request was in an unknown format - accepted media types include: "
                "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
            )
        return lambda old: strategic_merge(strategies.schema, type_name, old, patch)
    _check_apply(resource, patch, options)
    writer = managedfields.Writer(options.field_manager, now, resource.api_version, subresource)
    schema, type_name = strategies.typed(resource)
    if strategies.type_name(resource):
        strictness.check_applied(schema, type_name, patch)
    return lambda old: managedfields.apply(schema, type_name, old, patch, writer, force=options.force)


def invalid_patch(made: Any, why: str) -> InvalidError:
    """Of a patch that leaves no object of its kind (endpoints/handlers/patch.go, v1.31)."""
    errors = FieldErrors()
    errors.invalid("patch", made, why)
    return invalid("", "", "", errors.causes)


def _json_type(value: Any) -> str:
    match value:
        case bool():
            return "bool"
        case str():
            return "string"
        case list():
            return "array"
        case None:
            return "null"
    return "number"


def _check_apply(resource: Resource, config: Object, options: WriteOptions) -> None:
    if not options.field_manager:
        errors = FieldErrors()
        errors.required("fieldManager", "is required for apply patch")
        raise invalid("meta.k8s.io", "PatchOptions", "", errors.causes)
    if (config.get("apiVersion"), config.get("kind")) != (resource.api_version, resource.kind):
        raise BadRequestError(
            f"an applied object must say that it is of apiVersion {resource.api_version} and kind {resource.kind}"
        )
    if not isinstance(config.get("metadata", {}), dict):
        raise BadRequestError("metadata must be an object")
