"""The `scale` sub-resource: an autoscaling/v1 Scale read out of an object, and put back into it. Pure.

Where the numbers stand is declared as `ScalePaths` on the kind's strategy; `verbs` does the reading and writing.

Source: kubernetes/pkg/registry/apps/deployment/storage/storage.go (ScaleREST),
pkg/apis/autoscaling/validation/validation.go, k8s.io/apiextensions-apiserver/pkg/registry/customresource/etcd.go,
v1.33.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sampan.cluster.apiserver.strategy import Column, ScalePaths, Strategy
from sampan.cluster.apiserver.tables import AGE, NAME
from sampan.kube import meta, selectors
from sampan.kube.errors import BadRequestError, InternalError, invalid
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object

SCALE = Resource("autoscaling", "v1", "Scale", "scales", subresources=())
"""Not registered: it exists as a sub-resource only."""
SCALE_KIND = (SCALE.group, SCALE.version, SCALE.kind)
_MOST = 2**31 - 1
_UNSAID = -(2**31)
"""In place of a number of replicas that an object lacks, while its scale is changed."""
_COPIED = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def _number(*path: str) -> Any:
    def read(scale: Object, _: datetime) -> int:
        value: Any = scale
        for key in path:
            value = (value or {}).get(key)
        return int(value or 0)

    return read


STRATEGY = Strategy(
    resource=SCALE,
    columns=(
        NAME,
        Column("Desired", _number("spec", "replicas"), type="integer"),
        Column("Available", _number("status", "replicas"), type="integer"),
        AGE,
    ),
)
"""For the columns of `kubectl get --subresource=scale`."""


def scale_of(obj: Object, paths: ScalePaths, *, to_change: bool = False) -> Object:
    """Raises InternalError for an object that does not say how many replicas it wants, unless that is to be changed."""
    wanted = meta.lookup(obj, paths.spec)
    if not _is_count(wanted):
        if to_change:
            wanted = _UNSAID
        else:
            raise InternalError(f'the spec replicas field ".{paths.spec}" does not exist')
    actual = meta.lookup(obj, paths.status)
    status: Object = {"replicas": actual if _is_count(actual) else 0}
    if selector := _selector_text(meta.lookup(obj, paths.selector) if paths.selector else None):
        status["selector"] = selector
    metadata = meta.metadata(obj)
    return {
        "kind": SCALE.kind,
        "apiVersion": SCALE.api_version,
        "metadata": {key: metadata[key] for key in _COPIED if key in metadata},
        "spec": {"replicas": wanted},
        "status": status,
    }


class MistypedScaleError(BadRequestError):
    """Where a patch made it so, the request is not bad but the patch invalid."""


def with_scale(obj: Object, scale: Any, paths: ScalePaths) -> Object:
    """`obj` (changed in place) with the replicas of `scale`, for the version that `scale` was read from.

    Raises BadRequestError for what is no Scale of this object, InvalidError for a number that cannot be.
    """
    metadata, name = _checked(scale), meta.name(obj)
    for key, mine in (("name", name), ("namespace", meta.namespace(obj))):
        given = metadata.get(key)
        if given and given != mine:
            raise BadRequestError(
                f"the {key} of the object ({given}) does not match the {key} on the URL ({mine})"
            )
    spec = scale.get("spec") or {}
    wanted = spec.get("replicas") if isinstance(spec, dict) else spec
    wanted = 0 if wanted is None else wanted
    if (
        not isinstance(spec, dict)
        or not isinstance(wanted, int)
        or isinstance(wanted, bool)
        or wanted > _MOST
    ):
        raise MistypedScaleError("Scale in the request cannot be handled: spec.replicas must be an integer")
    if wanted == _UNSAID:
        raise BadRequestError(f'the spec replicas field ".{paths.spec}" cannot be empty')
    if wanted < 0:
        errors = FieldErrors()
        errors.invalid("spec.replicas", wanted, "must be greater than or equal to 0")
        raise invalid(SCALE.group, SCALE.kind, name, errors.causes)
    for key in ("uid", "resourceVersion"):
        if metadata.get(key):
            obj["metadata"][key] = metadata[key]
    *parents, last = paths.spec.split(".")
    holder = obj
    for part in parents:
        holder = holder.setdefault(part, {})
    holder[last] = wanted
    return obj


def _checked(scale: Any) -> Object:
    """The metadata of something that is a Scale."""
    if not isinstance(scale, dict):
        raise BadRequestError("the body of the request must be an object")
    kind, version = scale.get("kind") or SCALE.kind, scale.get("apiVersion") or SCALE.api_version
    if (kind, version) != (SCALE.kind, SCALE.api_version):
        raise BadRequestError(
            f"the object provided is unrecognized (must be of type Scale, {SCALE.api_version}): "
            f"kind {kind!r}, apiVersion {version!r}"
        )
    metadata = scale.get("metadata") or {}
    if not isinstance(metadata, dict) or not all(isinstance(metadata.get(key) or "", str) for key in _COPIED):
        raise BadRequestError("Scale in the request cannot be handled: metadata must be an object")
    return metadata


def _selector_text(selector: Any) -> str:
    """Of a LabelSelector, or the text that a custom resource holds already."""
    return selectors.format_selector(selector) if isinstance(selector, dict) else str(selector or "")


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
