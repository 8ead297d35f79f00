"""How a definition is put together from a kind and its schema, and what schemas of several kinds share.

Source: kserve/kserve 0.20 pkg/apis/serving, config/crd/full; knative.dev/pkg apis/duck/v1 and apis/condition_types.go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from sampan.kube.crd_schemas import (
    CORE,
    INT64,
    TEXT,
    TEXTS,
    Schema,
    a_list,
    an_object,
    built_in,
)
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object

WHOLE: Schema = {"type": "integer"}
ANYTHING: Schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
QUANTITY: Schema = {
    "anyOf": [{"type": "integer"}, {"type": "string"}],
    "pattern": r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
    r"(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$",
    "x-kubernetes-int-or-string": True,
}
SCALE_METRIC: Schema = {"type": "string", "enum": ["cpu", "memory", "concurrency", "rps"]}
ATOMIC = {"x-kubernetes-list-type": "atomic"}

_CONDITIONS = a_list(
    an_object(
        dict.fromkeys(("lastTransitionTime", "message", "reason", "severity", "status", "type"), TEXT),
        "status",
        "type",
    )
)
ADDRESS = an_object(dict.fromkeys(("CACerts", "audience", "name", "url"), TEXT))
KNATIVE_STATUS: Schema = {"annotations": TEXTS, "conditions": _CONDITIONS, "observedGeneration": INT64}
"""The fields that the status of every kind of Knative's manner has."""

_NO_COLUMNS: Mapping[str, Sequence[Object]] = MappingProxyType({})
URL: Object = {"name": "URL", "type": "string", "jsonPath": ".status.url"}
READY: Object = {
    "name": "Ready",
    "type": "string",
    "jsonPath": ".status.conditions[?(@.type=='Ready')].status",
}
AGE: Object = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}


def loose(name: str, *optional: str, properties: Schema | None = None) -> Schema:
    """The place of a built-in type of which `optional` need not be written, although the type requires them."""
    found = built_in(f"{CORE}.{name}", **{"x-sampan-optional": sorted(optional)})
    return {**found, "properties": properties} if properties else found


def _action(name: str) -> Schema:
    return loose(name, "port")


_PROBE = built_in(
    f"{CORE}.Probe", properties={"httpGet": _action("HTTPGetAction"), "tcpSocket": _action("TCPSocketAction")}
)
_PROBES: Schema = dict.fromkeys(("livenessProbe", "readinessProbe", "startupProbe"), _PROBE)
"""Probes may leave out the port: it is the container's."""

CONTAINER = built_in(f"{CORE}.Container", properties=_PROBES)


def container_like(properties: Schema) -> Schema:
    """A container that needs no name, with more beside."""
    return loose("Container", "name", properties={**_PROBES, **properties})


def pod_like(properties: Schema) -> Schema:
    """A pod's spec that needs no containers, with more beside."""
    known = {"containers": a_list(CONTAINER), "initContainers": a_list(CONTAINER)}
    return loose("PodSpec", "containers", properties={**known, **properties})


def definition(
    versions: Mapping[Resource, Schema],
    columns: Sequence[Object] = (),
    scale: Object | None = None,
    columns_of: Mapping[str, Sequence[Object]] = _NO_COLUMNS,
) -> Object:
    """Versions of one kind with their schemas; the first is the one that is stored. `columns_of`: of a version that has
    others."""
    stored = next(iter(versions))
    names: Object = {
        "kind": stored.kind,
        "listKind": stored.collection_kind,
        "plural": stored.plural,
        "singular": stored.singular,
    }
    if stored.short_names:
        names["shortNames"] = list(stored.short_names)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": stored.key},
        "spec": {
            "group": stored.group,
            "names": names,
            "scope": "Namespaced" if stored.namespaced else "Cluster",
            "versions": [
                _version(each, schema, columns_of.get(each.version, columns), scale, is_stored=each is stored)
                for each, schema in versions.items()
            ],
        },
    }


def _version(
    resource: Resource, schema: Schema, columns: Sequence[Object], scale: Object | None, *, is_stored: bool
) -> Object:
    subresources: Object = {"status": {}} if "status" in resource.subresources else {}
    if scale is not None:
        subresources["scale"] = dict(scale)
    version: Object = {
        "name": resource.version,
        "served": True,
        "storage": is_stored,
        "schema": {"openAPIV3Schema": schema},
    }
    if subresources:
        version["subresources"] = subresources
    if columns:
        version["additionalPrinterColumns"] = [dict(each) for each in columns]
    return version
