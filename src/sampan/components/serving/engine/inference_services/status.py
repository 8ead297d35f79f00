"""The status of an InferenceService, out of what is seen of its components. Pure.

Source: kserve/kserve 0.20 pkg/apis/serving/v1beta1/inference_service_status.go,
pkg/controller/v1beta1/inferenceservice/{controller.go,reconcilers/ingress}; knative.dev/serving 1.22
pkg/apis/serving/v1/{configuration,route,service,revision}_lifecycle.go. Not so here: `observedGeneration` is that of
the object itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sampan.components.serving.api import labels
from sampan.components.serving.api.labels import PREDICTOR
from sampan.components.serving.engine.inference_services import addresses, models
from sampan.components.serving.engine.inference_services import conditions as known
from sampan.components.serving.engine.inference_services import spec as reading
from sampan.components.serving.engine.inference_services.addresses import AddressError, Domain
from sampan.components.serving.engine.inference_services.conditions import FALSE, MET, TRUE, UNKNOWN, Verdict
from sampan.components.serving.engine.inference_services.models import Seen
from sampan.components.serving.engine.inference_services.spec import Component
from sampan.components.serving.engine.inference_services.traffic import Rollout
from sampan.kube import meta
from sampan.kube.meta import Object

Status = dict[str, Any]
_STOPPED = Verdict(FALSE, "Stopped")
_DEPENDS = (
    (known.ROUTES_READY, known.ROUTE_READY),
    (known.LATEST_DEPLOYMENT_READY, known.CONFIGURATION_READY),
)


@dataclass(frozen=True, slots=True)
class ComponentSeen:
    """What is seen of one component."""

    component: Component
    ready: Verdict
    seen: Seen
    rollout: Rollout | None = None
    """In mode Knative."""
    configuration: Verdict = MET
    route: Verdict = MET
    headless_port: int = 0
    """Of its pods, where its Service has no address."""
    is_grpc: bool = False
    """Whether its first port speaks gRPC."""


@dataclass(frozen=True, slots=True)
class CanarySeen:
    name: str
    percent: int
    is_ready: bool


@dataclass(frozen=True, slots=True)
class Whole:
    """What is seen of all of them."""

    components: Sequence[ComponentSeen]
    mode: str
    domain: Domain
    now: str
    canaries: Sequence[CanarySeen] = ()
    runtime: Mapping[str, str] = field(default_factory=dict)
    """`servingRuntimeName` or `clusterServingRuntimeName`."""
    ingress: Verdict = MET
    """False where something stands in the way of its names."""

    @property
    def is_knative(self) -> bool:
        return self.mode == labels.KNATIVE


def status(isvc: Object, whole: Whole) -> Status:
    before = meta.status(isvc)
    found: Status = {
        "observedGeneration": meta.generation(isvc),
        "deploymentMode": whole.mode,
        **whole.runtime,
    }
    verdicts = _of_components(whole)
    ingress = _ingress(isvc, whole)
    parts = {each.component.kind: _component(isvc, before, each, whole) for each in whole.components}
    try:
        _add_addresses(isvc, whole, found, parts, verdicts)
    except AddressError as error:
        ingress = Verdict(FALSE, "InvalidDomain", str(error))
    verdicts |= {known.INGRESS_READY: ingress, known.STOPPED: Verdict(FALSE)}
    if whole.canaries:
        found["canaryStatuses"] = [_canary(each) for each in whole.canaries]
        verdicts[known.CANARY_PREDICTOR_READY] = _canaries_ready(whole.canaries)
    if not ingress.is_true:
        found.pop("url", None)
        found.pop("address", None)
        _keep(before, found, "url", "address")
    verdicts = known.with_ready(verdicts)
    found["components"] = parts
    found["conditions"] = known.written(before.get("conditions") or (), verdicts, whole.now)
    predictor = next((each for each in whole.components if each.component.kind == PREDICTOR), None)
    if predictor is not None:
        found["modelStatus"] = _model(before, predictor, verdicts[known.READY])
    return found


def stopped(isvc: Object, mode: str, now: str) -> Status:
    """Nothing is left of it but that."""
    verdicts = {known.COMPONENT_READY[each.kind]: _STOPPED for each in reading.components(isvc)}
    verdicts |= {known.INGRESS_READY: _STOPPED, known.STOPPED: MET}
    before = meta.status(isvc).get("conditions") or ()
    return {
        "observedGeneration": meta.generation(isvc),
        "deploymentMode": mode,
        "conditions": known.written(before, known.with_ready(verdicts), now),
    }


def refused(isvc: Object, mode: str, component: str, verdict: Verdict, now: str) -> Status:
    """Nothing can be made of `component`; what there was of it goes on as it is."""
    before = meta.status(isvc)
    held = {
        str(each.get("type")): each for each in before.get("conditions") or () if isinstance(each, Mapping)
    }
    verdicts = {
        type_: Verdict(str(each.get("status")), str(each.get("reason") or ""), str(each.get("message") or ""))
        for type_, each in held.items()
    }
    verdicts[known.COMPONENT_READY[component]] = verdict
    verdicts.setdefault(known.STOPPED, Verdict(FALSE))
    if component != PREDICTOR or not verdicts.get(known.INGRESS_READY, Verdict()).is_true:
        what = component.capitalize()
        verdicts[known.INGRESS_READY] = Verdict(FALSE, f"{what} ingress not created")
    found = {**before, "observedGeneration": meta.generation(isvc), "deploymentMode": mode}
    found["conditions"] = known.written(list(held.values()), known.with_ready(verdicts), now)
    if component == PREDICTOR:
        old = before.get("modelStatus") or {}
        found["modelStatus"] = models.invalid(old, verdict.reason, verdict.message)
    return found


def _of_components(whole: Whole) -> dict[str, Verdict]:
    found: dict[str, Verdict] = {}
    for each in whole.components:
        kind = each.component.kind
        found[known.COMPONENT_READY[kind]] = each.ready
        if whole.is_knative:
            found[known.ROUTE_READY[kind]] = each.route
            found[known.CONFIGURATION_READY[kind]] = each.configuration
    if whole.is_knative:
        for type_, of in _DEPENDS:
            found[type_] = _across([of[each.component.kind] for each in whole.components], found)
    return found


def _across(types: Sequence[str], found: Mapping[str, Verdict]) -> Verdict:
    verdict = MET
    for type_ in types:
        if not found[type_].is_true:
            verdict = Verdict(found[type_].status, f"{type_} not ready")
    return verdict


def _ingress(isvc: Object, whole: Whole) -> Verdict:
    """Routes are there as soon as what they lead to has been ready."""
    if not whole.ingress.is_true:
        return whole.ingress
    for each in whole.components:
        if not each.ready.is_true and not _serves(each, whole):
            # A service that begins has no ingress yet; one that is changed keeps it.
            status = UNKNOWN if each.ready.status == UNKNOWN and whole.is_knative else FALSE
            return Verdict(status, f"{each.component.kind.capitalize()} ingress not created")
    return MET


def _serves(each: ComponentSeen, whole: Whole) -> bool:
    return whole.is_knative and each.rollout is not None and bool(each.rollout.traffic)


def _component(isvc: Object, before: Status, each: ComponentSeen, whole: Whole) -> Status:
    kind = each.component.kind
    old: Status = dict((before.get("components") or {}).get(kind) or {})
    if each.rollout is None:
        return old
    now = each.rollout
    names = {
        "latestCreatedRevision": now.latest_created,
        "latestReadyRevision": now.latest_ready,
        "previousRolledoutRevision": now.previous_rolled_out,
        "latestRolledoutRevision": now.latest_rolled_out,
    }
    found: Status = {key: value for key, value in names.items() if value}
    for key in ("url", "address", "restUrl", "grpcUrl"):
        if key in old:
            found[key] = old[key]
    if traffic := _traffic(isvc, each, whole):
        found["traffic"] = traffic
    return found


def _traffic(isvc: Object, each: ComponentSeen, whole: Whole) -> list[Status]:
    assert each.rollout is not None, "only in mode Knative"
    found = []
    for share in each.rollout.traffic:
        target: Status = {
            "revisionName": share.revision,
            "latestRevision": share.is_latest,
            "percent": share.percent,
        }
        if share.tag:
            target["tag"] = share.tag
            try:
                host = addresses.host(isvc, addresses.tagged(share.tag, each.component.name), whole.domain)
                target["url"] = addresses.url(host, whole.domain)
            except AddressError:
                pass
        found.append(target)
    return found


def _add_addresses(
    isvc: Object, whole: Whole, found: Status, parts: dict[str, Status], verdicts: Mapping[str, Verdict]
) -> None:
    """Raises AddressError."""
    namespace = meta.namespace(isvc)
    domain = (
        replace(whole.domain, name="svc.cluster.local") if reading.is_cluster_local(isvc) else whole.domain
    )
    for each in whole.components:
        if verdicts[known.COMPONENT_READY[each.component.kind]].is_true:
            part, name = parts[each.component.kind], each.component.name
            part["url"] = _component_url(isvc, name, domain)
            if whole.is_knative:
                part["address"] = {"url": addresses.cluster_url(name, namespace)}
    entry = reading.entry(isvc)
    if domain.is_internal and not domain.path_template:
        found["url"] = addresses.cluster_url(meta.name(isvc) if whole.is_knative else entry.name, namespace)
    else:
        found["url"] = addresses.external_url(isvc, domain)
    at = addresses.cluster_url(meta.name(isvc) if whole.is_knative else entry.name, namespace)
    port = next((each.headless_port for each in whole.components if each.component.name == entry.name), 0)
    if port:
        at += f":{port}"
    found["address"] = {"url": at}


def _component_url(isvc: Object, name: str, domain: Domain) -> str:
    if domain.is_internal:
        return addresses.cluster_url(name, meta.namespace(isvc))
    return addresses.url(addresses.host(isvc, name, domain), domain)


def _keep(before: Status, found: Status, *keys: str) -> None:
    for key in keys:
        if key in before:
            found[key] = before[key]


def _canary(each: CanarySeen) -> Status:
    return {
        "name": each.name,
        "ready": each.is_ready,
        "trafficPercent": each.percent,
        "modelStatus": {"transitionStatus": models.UP_TO_DATE if each.is_ready else models.IN_PROGRESS},
    }


def _canaries_ready(found: Sequence[CanarySeen]) -> Verdict:
    waiting = [each.name for each in found if not each.is_ready]
    if not waiting:
        return Verdict(TRUE, "AllCanariesReady")
    return Verdict(FALSE, "CanariesNotReady", f"not ready: {', '.join(waiting)}")


def _model(before: Status, predictor: ComponentSeen, ready: Verdict) -> Status:
    seen, rollout = predictor.seen, predictor.rollout
    is_newest = seen.is_newest if rollout is None else rollout.latest_created == rollout.latest_ready
    return models.status(before.get("modelStatus") or {}, replace(seen, is_ready=ready.is_true and is_newest))
