"""What an LLMInferenceService is in the end: its own spec over the configurations that it names, over those that go
with what it is. Pure.

Source: kserve/kserve 0.20 pkg/controller/v1alpha2/llmisvc/config_merge.go (combineBaseRefsConfig, getConfig,
WellKnownConfigResolver). Not so here: of several nodes no configuration is looked for, and TLS is always off.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sampan.components.serving.api import language_presets as presets
from sampan.components.serving.api.labels import NAMESPACE
from sampan.components.serving.api.reading import child, mapping, mappings, text
from sampan.components.serving.engine.language_models import merging, names
from sampan.components.serving.engine.language_models.merging import MergeError
from sampan.components.serving.engine.language_models.templates import TemplateError, filled
from sampan.kube import meta
from sampan.kube.meta import Object

_PINNED = "serving.kserve.io/"
"""Annotations of the status: which configurations a service began with, by what they are for."""
_LATENCY_PLUGIN = "predicted-latency-producer"
Find = Callable[[str, str], "Object | None"]
"""A configuration by namespace and name."""


class CombineError(Exception):
    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Combined:
    spec: Object
    model: str
    """The model's name."""
    applied: tuple[Object, ...] = ()
    """As the status tells of them."""


def pinned(obj: Object) -> dict[str, str]:
    """Annotations for its status."""
    told = {key: text(value) for key, value in child(meta.status(obj), "annotations").items()}
    own = {f"{_PINNED}{name}": f"{presets.PREFIX}{name}" for name in presets.WELL_KNOWN}
    return {**told, **{key: told.get(key) or name for key, name in own.items()}}


def uses(obj: Object, name: str, namespace: str) -> bool:
    """Whether a configuration is the service's, as its status or its spec tells."""
    applied = mappings(meta.status(obj).get("appliedConfigs"))
    if applied:
        return any(each.get("name") == name and each.get("namespace") == namespace for each in applied)
    refs = [text(each.get("name")) for each in mappings(meta.spec(obj).get("baseRefs"))]
    return name in (*child(meta.status(obj), "annotations").values(), *refs)


def combined(obj: Object, find: Find) -> Combined:
    """Raises CombineError."""
    own = meta.spec(obj)
    refs = [text(each.get("name")) for each in mappings(own.get("baseRefs"))]
    found = [_found(obj, name, find) for name in refs]
    try:
        # What is there at all decides which others go with it.
        known = merging.merged(own, *(meta.spec(each) for each in found))
        model = text(child(known, "model").get("name")) or meta.name(obj)
        own = {**own, "model": {**child(own, "model"), "name": model}}
        begun = [_found(obj, name, find) for name in _well_known(known, pinned(obj))]
        spec = merging.merged(*(meta.spec(each) for each in (*begun, *found)), own)
        spec = filled(spec, _data(obj, own, spec))
    except (MergeError, TemplateError) as error:
        raise CombineError("CombineBaseError", str(error)) from error
    spec.pop("baseRefs", None)
    applied = (
        *(_applied(each, "Preset") for each in begun),
        *(_applied(each, "UserRef") for each in found),
    )
    return Combined(spec, model, applied)


def with_spec(combined_: Combined, spec: Object) -> Combined:
    return replace(combined_, spec=spec)


def _well_known(spec: Object, names_: Mapping[str, str]) -> list[str]:
    """Of one node; by what the service has."""
    router = mapping(spec.get("router"))
    wanted = []
    scheduler = router.get("scheduler")
    if isinstance(scheduler, dict) and not child(scheduler, "pool", "ref").get("name"):
        wanted.append(presets.SCHEDULER)
    if _LATENCY_PLUGIN in str(child(spec, "router", "scheduler", "config").get("inline") or ""):
        wanted.append(presets.LATENCY)
    if isinstance(router.get("route"), dict) and not child(router, "route", "http").get("refs"):
        wanted.append(presets.ROUTE)
    if spec.get("tracing") is not None:
        wanted.append(presets.TRACING)
    prefill = spec.get("prefill")
    if isinstance(prefill, dict) and not prefill.get("worker"):
        wanted.append(presets.PREFILL)
    if not spec.get("worker"):
        wanted.append(presets.DECODE if isinstance(prefill, dict) else presets.TEMPLATE)
    return [names_.get(f"{_PINNED}{name}") or f"{presets.PREFIX}{name}" for name in wanted]


def _found(obj: Object, name: str, find: Find) -> Object:
    """In its own namespace, else in KServe's. Raises CombineError."""
    places = [meta.namespace(obj), NAMESPACE]
    for namespace in places:
        found = find(namespace, name)
        if found is not None:
            return found
    told = " ".join(places)
    raise CombineError(
        "ConfigNotFound", f'LLMInferenceServiceConfig "{name}" not found in namespaces [{told}]'
    )


def _applied(config: Object, source: str) -> Object:
    return {"name": meta.name(config), "namespace": meta.namespace(config), "source": source}


def _data(obj: Object, own: Object, spec: Object) -> dict[str, Any]:
    """What templates are filled in with: the service as it was written, as upstream has it, but for what only its
    configurations say of parallelism and of the pod, which they are about."""
    more: dict[str, Any] = {
        key: spec[key] for key in ("parallelism", "prefill", "kvCacheOffloading") if key in spec
    }
    known = {**own, **more}
    return {
        "ObjectMeta": meta.metadata(obj),
        "Name": meta.name(obj),
        "Namespace": meta.namespace(obj),
        "Spec": known,
        "GlobalConfig": {
            "SystemNamespace": NAMESPACE,
            "IngressGatewayName": "kserve-ingress-gateway",
            "IngressGatewayNamespace": NAMESPACE,
            "EnableTLS": False,
            "ModelBasedRoutingHeaderName": "X-Gateway-Model-Name",
            "InferencePoolNamespacedName": f"{meta.namespace(obj)}/{names.pool(meta.name(obj))}",
        },
    }
