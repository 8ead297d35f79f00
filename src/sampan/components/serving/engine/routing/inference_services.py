"""InferenceServices to routes: what the gateway needs follows from their spec and status. Pure.

One route for the service as a whole, one for each of its components, which answers under the component's own names.

Source: kserve/kserve 0.20
pkg/controller/v1beta1/inferenceservice/reconcilers/ingress/{ingress,httproute}_reconciler.go,
pkg/constants/constants.go (ExplainPrefix). Not so here: a service that has never been ready takes requests, which
wait until it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sampan.components.serving.api import labels
from sampan.components.serving.api.labels import PREDICTOR
from sampan.components.serving.api.routing import Backend, Private, Route, Rule, Target
from sampan.components.serving.engine.inference_services import addresses, names
from sampan.components.serving.engine.inference_services import conditions as known
from sampan.components.serving.engine.inference_services import spec as reading
from sampan.components.serving.engine.inference_services.addresses import AddressError, Domain
from sampan.components.serving.engine.inference_services.spec import Component
from sampan.kube import meta
from sampan.kube.meta import Object

KIND = "InferenceService"
_EXPLAIN = r"/v1/models/[\w.-]+:explain"
_TIMEOUT_SECONDS = 300.0
_PORT = 80
Status = Mapping[str, Any]


def routes(isvc: Object, domain: Domain) -> tuple[Route, ...]:
    """None while it is not acted upon."""
    if meta.is_deleting(isvc) or not meta.status(isvc).get("deploymentMode") or _is_outdated(isvc):
        return ()
    return (
        _whole(isvc, domain),
        *(_own(isvc, each, domain) for each in reading.components(isvc)),
    )


def is_of_before(obj: Object) -> bool:
    """Whether a status says nothing of what its object is now: that has changed, or is to go on after a stop."""
    status = meta.status(obj)
    was_stopped = known.find(status, known.STOPPED).get("status") == known.TRUE
    return was_stopped or int(status.get("observedGeneration") or 0) < meta.generation(obj)


def cluster_names(service: str, namespace: str) -> tuple[str, ...]:
    """Hosts by which pods ask for a Service."""
    return f"{service}.{namespace}", f"{service}.{namespace}.svc", names.cluster_host(service, namespace)


def prefix(isvc: Object) -> str:
    return f"{addresses.PREFIX}/{meta.namespace(isvc)}/{meta.name(isvc)}"


def _is_outdated(isvc: Object) -> bool:
    """What serves already goes on meanwhile; else nobody is told why it did not before."""
    parts = meta.status(isvc).get("components") or {}
    serves = "url" in meta.status(isvc) or bool((parts.get(reading.entry(isvc).kind) or {}).get("traffic"))
    return not serves and not reading.is_stopped(isvc) and is_of_before(isvc)


def _whole(isvc: Object, domain: Domain) -> Route:
    name, entry, explainer = meta.name(isvc), reading.entry(isvc), reading.explainer(isvc)
    rules = [_rule(isvc, entry)]
    if explainer is not None:
        rules.insert(0, _rule(isvc, explainer, path=_EXPLAIN + "$"))
    hosts = (*_public_hosts(isvc, name, domain), *cluster_names(name, meta.namespace(isvc)))
    paths = [prefix(isvc), *_path(isvc, domain)]
    return _route(isvc, hosts, tuple(dict.fromkeys(paths)), tuple(rules), entry)


def _own(isvc: Object, component: Component, domain: Domain) -> Route:
    hosts = (
        *_public_hosts(isvc, component.name, domain),
        *cluster_names(component.name, meta.namespace(isvc)),
    )
    return _route(isvc, hosts, (), (_rule(isvc, component),), component)


def _route(
    isvc: Object,
    hosts: Sequence[str],
    prefixes: tuple[str, ...],
    rules: tuple[Rule, ...],
    component: Component,
) -> Route:
    return Route(
        KIND,
        meta.namespace(isvc),
        meta.name(isvc),
        tuple(dict.fromkeys(each.lower() for each in hosts)),
        prefixes,
        rules,
        timeout_seconds=float(component.spec.get("timeout") or _TIMEOUT_SECONDS),
        refusal=_refusal(isvc, component),
        is_public=not reading.is_cluster_local(isvc) and not domain_is_internal(isvc),
    )


def domain_is_internal(isvc: Object) -> bool:
    """By the address that it was given."""
    url = str(meta.status(isvc).get("url") or "")
    return url.split("/", 3)[2:3] != [] and url.split("/", 3)[2].endswith(names.CLUSTER_DOMAIN)


def _rule(isvc: Object, component: Component, path: str = "") -> Rule:
    headers = {"KServe-Isvc-Name": meta.name(isvc), "KServe-Isvc-Namespace": meta.namespace(isvc)}
    return Rule(tuple(_backends(isvc, component)), path=path, headers=headers)


def _backends(isvc: Object, component: Component) -> Iterator[Backend]:
    if _is_knative(isvc):
        yield from _revisions(isvc, component)
        return
    canaries = list(_canaries(isvc)) if component.kind == PREDICTOR else []
    rest = 100 - sum(each.weight for each in canaries)
    yield Backend(
        meta.namespace(isvc), component.name, _PORT, rest, container_concurrency=component.concurrency
    )
    yield from canaries


def _revisions(isvc: Object, component: Component) -> Iterator[Backend]:
    status = (meta.status(isvc).get("components") or {}).get(component.kind) or {}
    traffic = [each for each in status.get("traffic") or () if isinstance(each, Mapping)]
    if not traffic and status.get("latestCreatedRevision"):
        # None has been ready yet: whoever comes waits for the first.
        traffic = [{"revisionName": status["latestCreatedRevision"], "percent": 100}]
    for each in traffic:
        revision = str(each.get("revisionName") or "")
        yield Backend(
            meta.namespace(isvc),
            revision,
            _PORT,
            int(each.get("percent") or 0),
            str(each.get("tag") or ""),
            revision,
            Target(meta.namespace(isvc), names.deployment_name(revision)),
            component.concurrency,
        )


def _canaries(isvc: Object) -> Iterator[Backend]:
    """Those that are ready get their part, the others none of it."""
    for each in meta.status(isvc).get("canaryStatuses") or ():
        if each.get("ready") and int(each.get("trafficPercent") or 0) > 0:
            service = names.component_name(meta.name(isvc), PREDICTOR, str(each["name"]))
            yield Backend(meta.namespace(isvc), service, _PORT, int(each["trafficPercent"]))


def _refusal(isvc: Object, component: Component) -> str:
    """Why nothing can come of waiting."""
    if reading.is_stopped(isvc):
        return f"it is stopped: remove its annotation {labels.STOP}, and it starts again"
    status = (meta.status(isvc).get("components") or {}).get(component.kind) or {}
    if status.get("traffic") or not _is_knative(isvc):
        return ""
    type_ = known.COMPONENT_READY[component.kind]
    found = known.find(meta.status(isvc), type_)
    if found.get("status") == known.FALSE:
        plain = f"its {component.kind} is not ready"
        return Private(str(found.get("message") or found.get("reason") or plain), plain)
    return "" if status.get("latestCreatedRevision") else f"its {component.kind} has not been made yet"


def _is_knative(isvc: Object) -> bool:
    return bool(meta.status(isvc).get("deploymentMode") == labels.KNATIVE)


def _public_hosts(isvc: Object, name: str, domain: Domain) -> Iterator[str]:
    for each in (domain.name, *domain.more):
        try:
            yield addresses.host(isvc, name, domain, below=each)
        except AddressError:
            continue  # its condition IngressReady tells of it


def _path(isvc: Object, domain: Domain) -> list[str]:
    try:
        found = addresses.path(isvc, domain).rstrip("/")
    except AddressError:
        return []
    return [found] if found else []
