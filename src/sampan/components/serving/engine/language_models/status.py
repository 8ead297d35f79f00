"""The status of an LLMInferenceService, out of what is seen of its workloads. Pure.

Source: kserve/kserve 0.20 pkg/apis/serving/v1alpha2/llm_inference_service_lifecycle.go,
pkg/controller/v1alpha2/llmisvc/{router,router_discovery_filter,workload_status}.go. Not so here: what keeps a workload
from being ready is said as soon as a pod says it; `observedGeneration` is written; the platform's gateway counts as
route, gateway, pool and scheduler.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sampan.components.serving.api.reading import child, mapping, mappings, text, whole
from sampan.components.serving.engine.inference_services import addresses
from sampan.components.serving.engine.inference_services import conditions as known
from sampan.components.serving.engine.inference_services.addresses import AddressError, Domain
from sampan.components.serving.engine.inference_services.conditions import FALSE, MET, READY, TRUE, Verdict
from sampan.components.serving.engine.inference_services.names import cluster_host
from sampan.components.serving.engine.language_models import combining, names
from sampan.components.serving.engine.language_models.combining import Combined
from sampan.components.serving.engine.language_models.limits import OWN_GATEWAY, Unserved
from sampan.kube import meta
from sampan.kube.meta import Object

PRESETS, WORKLOADS, ROUTER = "PresetsCombined", "WorkloadsReady", "RouterReady"
MAIN, PREFILL, SCALING, PREFILL_SCALING = (
    "MainWorkloadReady",
    "PrefillWorkloadReady",
    "ScalingReady",
    "PrefillScalingReady",
)
GATEWAYS, ROUTES, POOL, SCHEDULER = (
    "GatewaysReady",
    "HTTPRoutesReady",
    "InferencePoolReady",
    "SchedulerWorkloadReady",
)
GROUP = "GroupReady"
_OF_WORKLOADS = (
    *(MAIN, "WorkerWorkloadReady", PREFILL, "PrefillWorkerWorkloadReady"),
    *(SCALING, PREFILL_SCALING),
)
_OF_ROUTER = (GATEWAYS, ROUTES, POOL, SCHEDULER)
_GATEWAY = {
    "group": "gateway.networking.k8s.io",
    "kind": "Gateway",
    "namespace": OWN_GATEWAY[0],
    "name": OWN_GATEWAY[1],
}
_STOPPED = Verdict(FALSE, "Stopped", "Service is stopped")
_AGGREGATES = (READY, WORKLOADS, ROUTER)
Status = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """Of one workload."""

    role: str
    deployment: Object
    verdict: Verdict
    is_scaled: bool = False


@dataclass(frozen=True, slots=True)
class Around:
    domain: Domain
    now: str
    members: Sequence[Object] = ()
    """Of its routing group, as the status tells of them."""
    group: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What is to be told."""

    combined: Combined
    seen: Sequence[Seen] = ()
    limits: Sequence[Unserved] = field(default_factory=tuple)


def running(obj: Object, found: Found, around: Around) -> Status:
    verdicts: dict[str, Verdict] = {PRESETS: MET}
    for each in found.seen:
        is_prefill = each.role == names.PREFILL
        verdicts[PREFILL if is_prefill else MAIN] = _settled(each.verdict)
        if each.is_scaled:
            verdicts[PREFILL_SCALING if is_prefill else SCALING] = MET
    verdicts |= _of_router(found.combined)
    verdicts |= {each.condition: Verdict(FALSE, each.reason, each.message) for each in found.limits}
    if around.group is not None:
        verdicts[GROUP] = around.group
    made = _begun(obj)
    made["appliedConfigs"] = list(found.combined.applied)
    if found.seen:
        made["workloads"] = _workloads(obj, found.seen)
    made |= _addresses(obj, found.combined, around, verdicts)
    made["conditions"] = _conditions(obj, verdicts, around.now)
    return made


def stopped(obj: Object, combined: Combined | None, around: Around) -> Status:
    made = _begun(obj)
    if combined is not None:
        made["appliedConfigs"] = list(combined.applied)
    verdicts = {PRESETS: MET, MAIN: _STOPPED, PREFILL: _STOPPED, ROUTES: _STOPPED}
    made["conditions"] = _conditions(obj, verdicts, around.now)
    return made


def refused(obj: Object, reason: str, message: str, around: Around, condition: str = PRESETS) -> Status:
    """What runs goes on as it is, where it is reached too."""
    before = meta.status(obj)
    made = _begun(obj)
    made |= {key: before[key] for key in ("url", "addresses", "workloads", "router") if key in before}
    verdicts = {
        text(each.get("type")): Verdict(
            text(each.get("status")), text(each.get("reason")), text(each.get("message"))
        )
        for each in mappings(before.get("conditions"))
        if each.get("type") not in (*_AGGREGATES, PRESETS)
    }
    verdicts[condition] = Verdict(FALSE, reason, message)
    if condition == PRESETS and MAIN not in verdicts:
        verdicts[MAIN] = Verdict(FALSE, reason, message)
    made["conditions"] = _conditions(obj, verdicts, around.now)
    return made


def _settled(verdict: Verdict) -> Verdict:
    """As upstream has it, what is not ready yet is not ready."""
    if verdict.is_true:
        return MET
    return Verdict(FALSE, verdict.reason or "Progressing", verdict.message)


def _of_router(combined: Combined) -> dict[str, Verdict]:
    router = mapping(combined.spec.get("router"))
    found: dict[str, Verdict] = {}
    if isinstance(router.get("route"), dict):
        found |= {ROUTES: MET, GATEWAYS: MET}
    if isinstance(router.get("gateway"), dict):
        found[GATEWAYS] = MET
    if isinstance(router.get("scheduler"), dict):
        found |= {POOL: MET, SCHEDULER: MET}
    return found


def _begun(obj: Object) -> Status:
    return {"observedGeneration": meta.generation(obj), "annotations": combining.pinned(obj)}


def _workloads(obj: Object, seen: Sequence[Seen]) -> Status:
    told: Status = {"service": {"kind": "Service", "name": names.service(meta.name(obj))}}
    for each in seen:
        told["prefill" if each.role == names.PREFILL else "primary"] = {
            "apiGroup": "apps",
            "kind": "Deployment",
            "name": meta.name(each.deployment),
            "readyReplicas": whole(meta.status(each.deployment).get("availableReplicas")) or 0,
        }
    return told


def _addresses(obj: Object, combined: Combined, around: Around, verdicts: Mapping[str, Verdict]) -> Status:
    namespace, name = meta.namespace(obj), meta.name(obj)
    models = _models(namespace, combined)
    router = mapping(combined.spec.get("router"))
    if not isinstance(router.get("route"), dict):
        inside = f"http://{cluster_host(names.service(name), namespace)}:{names.PORT}"
        return {"addresses": [{"name": "internal", "url": inside, "models": models}]}
    domain, outside = around.domain, []
    from_gateway = {"origin": _GATEWAY}
    qualified = [each for each in models if each["name"].startswith(names.PUBLISHERS)]
    base = addresses.url(domain.name, domain)
    if namespace not in names.RESERVED:
        outside.append(f"{base}/{namespace}/{name}")
    outside.append(f"{base}/{names.qualified(namespace, combined.model)}")
    with contextlib.suppress(AddressError):
        outside.append(addresses.url(addresses.host(obj, name, domain), domain))
    made: Status = {
        "url": outside[0] if namespace not in names.RESERVED else outside[-1],
        "addresses": [
            *(
                {"name": "gateway-external", "url": each, "models": models, **from_gateway}
                for each in outside
            ),
            {
                "name": "gateway-external-model-routing",
                "url": f"{base}/{names.PUBLISHERS.rstrip('/')}",
                "models": qualified,
                **from_gateway,
            },
        ],
    }
    shown: Status = {}
    if around.members:
        group = text(child(router, "route").get("group"))
        shown["group"] = {"name": group, "members": list(around.members)}
    if verdicts.get(SCHEDULER) is not None:
        # Without the group, which is the empty text: Kubernetes 1.20 takes that for null, and refuses the status.
        shown["scheduler"] = {"service": {"kind": "Service", "name": names.service(name)}}
    return {**made, "router": shown} if shown else made


def _models(namespace: str, combined: Combined) -> list[Object]:
    adapters = mappings(child(combined.spec, "model", "lora").get("adapters"))
    found = [combined.model, *(text(each.get("name")) for each in adapters)]
    return [{"name": told} for each in found if each for told in (names.qualified(namespace, each), each)]


def _conditions(obj: Object, verdicts: Mapping[str, Verdict], now: str) -> list[dict[str, Any]]:
    made = {
        **verdicts,
        WORKLOADS: _first_unmet(verdicts, _OF_WORKLOADS),
        ROUTER: _first_unmet(verdicts, _OF_ROUTER),
    }
    presets = verdicts.get(PRESETS, MET)
    made[READY] = known.both(made[WORKLOADS], made[ROUTER])
    if presets.status == FALSE and made[READY].is_true:
        # What runs goes on, though what the spec says now cannot be.
        made[READY] = Verdict(TRUE, presets.reason, presets.message)
    written = known.written(meta.status(obj).get("conditions") or (), made, now)
    for each in written:
        if each["type"] in _AGGREGATES:
            each.pop("severity", None)
    return written


def _first_unmet(verdicts: Mapping[str, Verdict], types: Sequence[str]) -> Verdict:
    return next((verdicts[each] for each in types if each in verdicts and not verdicts[each].is_true), MET)
