"""LLMInferenceServices to routes: what the gateway needs follows from their spec and status. Pure.

`/NAMESPACE/NAME`, `/publishers/NAMESPACE/models/MODEL` and the service's own host lead to all of its pods. Of a routing
group the publisher's path leads to all members by their weights. An adapter has such a path too, which the header
`X-Gateway-Model-Name` names in its place (`controller/gateway/core.py`). Source: kserve/kserve 0.20
config/llmisvcconfig/config-llm-router-route.yaml, pkg/controller/v1alpha2/llmisvc/router_group_routing.go.
"""

from __future__ import annotations

from collections.abc import Iterator

from sampan.components.serving.api import labels
from sampan.components.serving.api.reading import child, mapping, mappings, text, whole
from sampan.components.serving.api.routing import Backend, Route, Rule, Target
from sampan.components.serving.engine.inference_services import addresses
from sampan.components.serving.engine.inference_services import conditions as known
from sampan.components.serving.engine.inference_services import names as services
from sampan.components.serving.engine.inference_services.addresses import AddressError, Domain
from sampan.components.serving.engine.language_models import names
from sampan.kube import meta
from sampan.kube.meta import Object

KIND = "LLMInferenceService"
_TIMEOUT_SECONDS = 3600.0
"""Until an answer begins: upstream sets no limit."""


def routes(obj: Object, domain: Domain) -> tuple[Route, ...]:
    """None while it is not acted upon."""
    status = meta.status(obj)
    if meta.is_deleting(obj) or not status.get("conditions"):
        return ()
    is_public = bool(status.get("url"))
    own = _own(obj, domain, is_public=is_public)
    return (own, *_of_publisher(obj)) if is_public else (own,)


def _own(obj: Object, domain: Domain, *, is_public: bool) -> Route:
    namespace, name = meta.namespace(obj), meta.name(obj)
    hosts = dict.fromkeys(each.lower() for each in _hosts(obj, domain))
    has_path = is_public and namespace not in names.RESERVED
    return Route(
        KIND,
        namespace,
        name,
        tuple(hosts),
        (f"/{namespace}/{name}",) if has_path else (),
        (Rule((_backend(obj, name, 100),)),),
        timeout_seconds=_TIMEOUT_SECONDS,
        refusal=_refusal(obj),
        is_public=is_public,
    )


def _of_publisher(obj: Object) -> Iterator[Route]:
    namespace, model = meta.namespace(obj), _model(obj)
    members = mappings(child(meta.status(obj), "router", "group").get("members"))
    backends = [
        _backend(obj, text(each.get("name")), 0 if each.get("stopped") else whole(each.get("weight")) or 0)
        for each in members
    ]
    if not any(each.weight for each in backends):
        backends = [_backend(obj, meta.name(obj), 100)]
    yield Route(
        KIND,
        namespace,
        meta.name(obj),
        (),
        tuple(f"/{each}" for each in dict.fromkeys((names.qualified(namespace, model), *_qualified(obj)))),
        (Rule(tuple(backends)),),
        timeout_seconds=_TIMEOUT_SECONDS,
        refusal="" if members else _refusal(obj),
    )


def _model(obj: Object) -> str:
    """As its address tells, which knows what configurations say."""
    for each in mappings(meta.status(obj).get("addresses")):
        _, found, rest = text(each.get("url")).partition(f"/publishers/{meta.namespace(obj)}/models/")
        if found:
            return rest
    return text(child(meta.spec(obj), "model").get("name")) or meta.name(obj)


def _qualified(obj: Object) -> Iterator[str]:
    """Of the model and its adapters, as its addresses tell."""
    for address in mappings(meta.status(obj).get("addresses")):
        for each in mappings(address.get("models")):
            if (name := text(each.get("name"))).startswith(names.qualified(meta.namespace(obj), "")):
                yield name


def _backend(obj: Object, name: str, weight: int) -> Backend:
    namespace = meta.namespace(obj)
    is_scaled = name == meta.name(obj) and any(
        each.get("type") == "ScalingReady" for each in mappings(meta.status(obj).get("conditions"))
    )
    target = Target(namespace, names.deployment(name)) if is_scaled else None
    return Backend(namespace, names.service(name), names.PORT, weight, target=target)


def _hosts(obj: Object, domain: Domain) -> Iterator[str]:
    service = names.service(meta.name(obj))
    namespace = meta.namespace(obj)
    inside = services.cluster_host(service, namespace)
    yield from (inside, inside.removesuffix(".cluster.local"), f"{service}.{namespace}")
    for each in (domain.name, *domain.more):
        try:
            yield addresses.host(obj, meta.name(obj), domain, below=each)
        except AddressError:
            continue


def _refusal(obj: Object) -> str:
    """Why nothing can come of waiting."""
    status = meta.status(obj)
    if meta.annotations(obj).get(labels.STOP, "").lower() == "true":
        return f"it is stopped: remove its annotation {labels.STOP}, and it starts again"
    if not mapping(status.get("workloads")):
        found = known.find(status, known.READY)
        return text(found.get("message")) or text(found.get("reason")) or "its pods have not been made yet"
    if meta.spec(obj).get("replicas") == 0 and meta.spec(obj).get("prefill") is None:
        return "it has no replicas: set spec.replicas to 1 or more, and it starts"
    return ""
