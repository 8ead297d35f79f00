"""What of an LLMInferenceService is not done, and is said in the condition that it concerns. Pure.

Here a model is served by the pods of one Deployment behind the platform's own gateway. Upstream's refusals of what a
spec refers to and is not there: kserve/kserve 0.20 pkg/controller/v1alpha2/llmisvc/router_validation.go.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sampan.components.serving.api.labels import NAMESPACE
from sampan.components.serving.api.reading import child, mapping, mappings, text
from sampan.kube import meta
from sampan.kube.meta import Object

OWN_GATEWAY = (NAMESPACE, "kserve-ingress-gateway")
"""What KServe calls its gateway where nobody calls it otherwise: here the platform's own stands at its place."""
_DEVICES = "serving.kserve.io/exp-dra-device-class"
_NODES = (
    "a model over several nodes is not served: LeaderWorkerSets and the networks between their pods are not here. "
    "Leave {0} out, or run the service on a cluster with KServe's own controller"
)


@dataclass(frozen=True, slots=True)
class Unserved:
    condition: str
    reason: str
    message: str
    is_final: bool = True
    """Whether nothing is made."""


def unserved(obj: Object, spec: Object) -> list[Unserved]:
    """`spec` with all configurations."""
    return [*_of_workloads(obj, spec), *_of_router(obj, mapping(spec.get("router")))]


def _of_workloads(obj: Object, spec: Object) -> Iterator[Unserved]:
    if spec.get("worker") is not None:
        yield Unserved("WorkerWorkloadReady", "MultiNodeNotServed", _NODES.format("spec.worker"))
    if child(spec, "prefill").get("worker") is not None:
        message = _NODES.format("spec.prefill.worker")
        yield Unserved("PrefillWorkerWorkloadReady", "MultiNodeNotServed", message)
    if meta.annotations(obj).get(_DEVICES):
        yield Unserved(
            "MainWorkloadReady",
            "DevicesNotServed",
            f"ResourceClaims are not made here: remove the annotation {_DEVICES}, and ask for devices by "
            "resources.limits of the container main",
        )
    for key in ("template", "prefill"):
        found = child(spec, key) if key == "template" else child(spec, key, "template")
        if (key == "template" or spec.get(key) is not None) and not any(
            each.get("name") == "main" for each in mappings(found.get("containers"))
        ):
            where = "spec.template" if key == "template" else "spec.prefill.template"
            condition = "MainWorkloadReady" if key == "template" else "PrefillWorkloadReady"
            yield Unserved(condition, "NoContainer", f"{where}.containers has no container named main")


def _of_router(obj: Object, router: Object) -> Iterator[Unserved]:
    own = meta.namespace(obj)
    hint = "the platform's own gateway leads to the service, and refers to none"
    gateways = [
        (text(each.get("namespace")) or own, text(each.get("name")))
        for each in mappings(child(router, "gateway").get("refs"))
    ]
    if missing := [f"Gateway {'/'.join(each)} does not exist" for each in gateways if each != OWN_GATEWAY]:
        yield Unserved("GatewaysReady", "RefsInvalid", f"{'; '.join(missing)}: {hint}", is_final=False)
    routes = [text(each.get("name")) for each in mappings(child(router, "route", "http").get("refs"))]
    if missing := [f"HTTPRoute {own}/{each} does not exist" for each in routes]:
        yield Unserved("HTTPRoutesReady", "RefsInvalid", f"{'; '.join(missing)}: {hint}", is_final=False)
    ingresses = [text(each.get("name")) for each in mappings(child(router, "ingress").get("refs"))]
    if missing := [f"Ingress {own}/{each} does not lead here" for each in ingresses]:
        yield Unserved("GatewaysReady", "RefsInvalid", f"{'; '.join(missing)}: {hint}", is_final=False)
    if pool := text(child(router, "scheduler", "pool", "ref").get("name")):
        message = (
            f"InferencePool {own}/{pool} does not exist: the platform's own gateway chooses among the pods"
        )
        yield Unserved("InferencePoolReady", "RefsInvalid", message, is_final=False)
