"""InferenceGraphs to routes: what the gateway needs follows from their spec and status. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sampan.components.serving.api import labels
from sampan.components.serving.api.routing import Backend, Private, Route, Rule, Target
from sampan.components.serving.engine.graphs import status as graphs
from sampan.components.serving.engine.inference_services import addresses, names
from sampan.components.serving.engine.inference_services import conditions as known
from sampan.components.serving.engine.inference_services import spec as services
from sampan.components.serving.engine.inference_services.addresses import AddressError, Domain
from sampan.components.serving.engine.routing.inference_services import cluster_names, is_of_before, prefix
from sampan.kube import meta
from sampan.kube.meta import Object

KIND = "InferenceGraph"
_TIMEOUT_SECONDS = 300.0
_PORT = 80


def routes(graph: Object, domain: Domain) -> tuple[Route, ...]:
    """None while it is not acted upon."""
    mode = meta.status(graph).get("deploymentMode")
    if meta.is_deleting(graph) or not mode or _is_outdated(graph):
        return ()
    backends = tuple(_revisions(graph) if mode == labels.KNATIVE else _service(graph))
    hosts = (*_public_hosts(graph, domain), *cluster_names(meta.name(graph), meta.namespace(graph)))
    route = Route(
        KIND,
        meta.namespace(graph),
        meta.name(graph),
        tuple(dict.fromkeys(each.lower() for each in hosts)),
        (prefix(graph),),
        (Rule(backends),),
        timeout_seconds=float(meta.spec(graph).get("timeout") or _TIMEOUT_SECONDS),
        refusal=_refusal(graph, is_made=bool(backends)),
        is_public=not services.is_cluster_local(graph),
    )
    return (route,)


def _is_outdated(graph: Object) -> bool:
    serves = "url" in meta.status(graph) or bool(graphs.rollout_of(graph).get("traffic"))
    return not serves and not graphs.is_stopped(graph) and is_of_before(graph)


def _service(graph: Object) -> Iterator[Backend]:
    yield Backend(meta.namespace(graph), meta.name(graph), _PORT)


def _revisions(graph: Object) -> Iterator[Backend]:
    told = graphs.rollout_of(graph)
    traffic = [each for each in told.get("traffic") or () if isinstance(each, Mapping)]
    if not traffic and told.get("latestCreatedRevision"):
        # None has been ready yet: whoever comes waits for the first.
        traffic = [{"revisionName": told["latestCreatedRevision"], "percent": 100}]
    for each in traffic:
        revision = str(each.get("revisionName") or "")
        yield Backend(
            meta.namespace(graph),
            revision,
            _PORT,
            int(each.get("percent") or 0),
            revision=revision,
            target=Target(meta.namespace(graph), names.deployment_name(revision)),
        )


def _refusal(graph: Object, *, is_made: bool) -> str:
    """Why nothing can come of waiting."""
    if graphs.is_stopped(graph):
        return f"it is stopped: remove its annotation {labels.STOP}, and it starts again"
    told = graphs.rollout_of(graph)
    if told.get("traffic"):
        return ""
    ready = known.find(meta.status(graph), known.READY)
    is_served = ready.get("status") == known.TRUE or "url" in meta.status(graph)
    if ready.get("status") == known.FALSE and not is_served:
        return Private(
            str(ready.get("message") or ready.get("reason") or "it is not ready"), "it is not ready"
        )
    return "" if is_made else "its router has not been made yet"


def _public_hosts(graph: Object, domain: Domain) -> Iterator[str]:
    for each in (domain.name, *domain.more):
        try:
            yield addresses.host(graph, meta.name(graph), domain, below=each)
        except AddressError:
            continue  # its condition Ready tells of it
