"""SeldonDeployments to routes: what the gateway needs follows from their spec and status. Pure.

`/seldon/NAMESPACE/NAME` leads to the predictors by their traffic, with copies to a shadow, and
`/seldon/NAMESPACE/NAME-explainer/PREDICTOR` to an explainer. Source: seldon-core 1.18.2
operator/controllers/seldondeployment_controller.go (createIstioResources), seldondeployment_explainers.go.
"""

from __future__ import annotations

from collections.abc import Iterator

from sampan.components.serving.api.reading import child, mapping, text, whole
from sampan.components.serving.api.routing import Backend, Private, Route, Rule, Target
from sampan.components.serving.engine.inference_services import addresses
from sampan.components.serving.engine.inference_services.addresses import AddressError, Domain
from sampan.components.serving.engine.seldon import desired, names, spec
from sampan.components.serving.engine.seldon.config import SeldonConfig
from sampan.kube import meta
from sampan.kube.meta import Object

KIND = "SeldonDeployment"
_TIMEOUT_SECONDS = 300.0
_REST_TIMEOUT = "seldon.io/rest-timeout"


def routes(sdep: Object, domain: Domain) -> tuple[Route, ...]:
    """None while it is not acted upon."""
    if meta.is_deleting(sdep) or not meta.status(sdep).get("serviceStatus"):
        return ()
    found = spec.with_defaults(sdep, SeldonConfig())
    return (_whole(found, domain), *_explainers(found))


def _whole(sdep: Object, domain: Domain) -> Route:
    predictors = spec.predictors(sdep)
    shown = [each for each in predictors if not each.get("shadow")]
    backends = [_backend(sdep, each, _weight(each, len(shown))) for each in shown]
    shadows = [
        _backend(sdep, each, whole(each.get("traffic")) or 100) for each in predictors if each.get("shadow")
    ]
    rule = Rule(tuple(each for each in backends if each), shadows=tuple(each for each in shadows if each))
    return Route(
        KIND,
        meta.namespace(sdep),
        meta.name(sdep),
        tuple(dict.fromkeys(each.lower() for each in _hosts(sdep, domain))),
        (f"/seldon/{meta.namespace(sdep)}/{meta.name(sdep)}",),
        (rule,),
        timeout_seconds=_timeout(sdep),
        refusal=_refusal(sdep, is_made=bool(rule.backends)),
    )


def _weight(predictor: Object, count: int) -> int:
    return 100 if count == 1 else whole(predictor.get("traffic")) or 0


def _backend(sdep: Object, predictor: Object, weight: int) -> Backend | None:
    """At the port that the status tells; None while it tells none."""
    key = names.predictor_key(meta.name(sdep), predictor)
    port = _port(sdep, key)
    if not port:
        return None
    target = Target(meta.namespace(sdep), desired.executor_deployment(sdep, predictor))
    return Backend(meta.namespace(sdep), key, port, weight, target=target)


def _port(sdep: Object, service: str) -> int:
    told = text(child(meta.status(sdep), "serviceStatus", service).get("httpEndpoint"))
    number = told.rpartition(":")[2]
    return int(number) if number.isdecimal() else 0


def _explainers(sdep: Object) -> Iterator[Route]:
    for predictor in spec.predictors(sdep):
        name = names.explainer(meta.name(sdep), predictor)
        port = _port(sdep, name)
        if not port:
            continue
        prefix = f"/seldon/{meta.namespace(sdep)}/{meta.name(sdep)}-explainer/{predictor.get('name')}"
        backend = Backend(meta.namespace(sdep), name, port, target=Target(meta.namespace(sdep), name))
        yield Route(
            KIND,
            meta.namespace(sdep),
            meta.name(sdep),
            (),
            (prefix,),
            (Rule((backend,)),),
            timeout_seconds=_timeout(sdep),
        )


def _refusal(sdep: Object, *, is_made: bool) -> str:
    """Why nothing can come of waiting."""
    status = meta.status(sdep)
    if not is_made:
        return "its predictors have not been made yet"
    deployments = [mapping(each) for each in mapping(status.get("deploymentStatus")).values()]
    if status.get("state") == "Failed" and not any(each.get("availableReplicas") for each in deployments):
        return Private(text(status.get("description")) or "it has failed", "it has failed")
    told = [each.get("replicas") for each in spec.predictors(sdep)]
    if all(each == 0 for each in [*told, *([] if told else [0])]) or meta.spec(sdep).get("replicas") == 0:
        return "it has no replicas: set spec.replicas to 1 or more, and it starts"
    return ""


def _timeout(sdep: Object) -> float:
    told = spec.annotation(sdep, _REST_TIMEOUT)
    return max(int(told) / 1000, 1.0) if told.isdecimal() else _TIMEOUT_SECONDS


def _hosts(sdep: Object, domain: Domain) -> Iterator[str]:
    for each in (domain.name, *domain.more):
        try:
            yield addresses.host(sdep, meta.name(sdep), domain, below=each)
        except AddressError:
            continue
