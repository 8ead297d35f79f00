"""What a TrainedModel's status says.

Source: kserve/kserve v0.20.0 pkg/apis/serving/v1alpha1/trained_model_status.go,
pkg/controller/v1alpha1/trainedmodel/controller.go (updateConditions, updateStatus), pkg/constants/constants.go
(PredictPath). `FrameworkSupported` was said until 0.7; here it informs, and Ready does not depend on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sampan.components.serving.api import models as formats
from sampan.components.serving.api.reading import child, mapping, text
from sampan.components.serving.engine.inference_services import spec as reading
from sampan.components.serving.engine.inference_services.conditions import (
    FALSE,
    MET,
    READY,
    TRUE,
    UNKNOWN,
    Verdict,
    find,
)
from sampan.components.serving.engine.trained_models.models import is_multi_model, memory_limit, service_name
from sampan.kube import meta
from sampan.kube.meta import Object

SERVICE_READY, MULTI_MODEL, MEMORY = "InferenceServiceReady", "IsMMSPredictor", "MemoryResourceAvailable"
FRAMEWORK = "FrameworkSupported"
_DEPENDENTS = (SERVICE_READY, MEMORY, MULTI_MODEL)
Status = dict[str, Any]


def status(model: Object, isvc: Object, *, has_place: bool, now: str) -> Status:
    """Of a model whose service is there."""
    verdicts = {
        SERVICE_READY: _service(isvc),
        MULTI_MODEL: _multi_model(isvc),
        MEMORY: _memory(model, isvc, has_place=has_place),
        FRAMEWORK: _framework(model, isvc),
    }
    return _written(model, verdicts, now) | _addresses(model, isvc)


def waiting(model: Object, now: str) -> Status:
    """Of a model whose service is not there yet."""
    name = service_name(model)
    message = f'Inference Service "{name}" is not there in the namespace {meta.namespace(model)}'
    verdicts = {SERVICE_READY: Verdict(FALSE, "InferenceServiceNotFound", message)}
    return _written(model, verdicts, now)


def invalid(model: Object, message: str, now: str) -> Status:
    """Of a model that is refused where there is a webhook."""
    return _written(model, {READY: Verdict(FALSE, "InvalidTrainedModel", message)}, now)


def _service(isvc: Object) -> Verdict:
    ready = find(meta.status(isvc), READY)
    if ready.get("status") == TRUE:
        return MET
    why = text(ready.get("message")) or text(ready.get("reason"))
    message = "Inference Service needs to be ready before Trained Model can be ready"
    return Verdict(FALSE, "InferenceServiceNotReady", f"{message}: {why}" if why else message)


def _multi_model(isvc: Object) -> Verdict:
    if is_multi_model(isvc):
        return MET
    return Verdict(
        FALSE,
        "IsNotMMSPredictor",
        "Inference Service predictor is not configured for multi-model serving: it must have no storageUri of its own",
    )


def _memory(model: Object, isvc: Object, *, has_place: bool) -> Verdict:
    if has_place:
        return MET
    wanted, limit = child(model, "spec", "model").get("memory"), memory_limit(isvc)
    return Verdict(
        FALSE,
        "MemoryResourceNotAvailable",
        f"Inference Service does not have enough memory resources for Trained Model: it wants {wanted}, and of the "
        f"predictor's limit of {limit} bytes the older models have left less",
    )


def _framework(model: Object, isvc: Object) -> Verdict:
    wanted = text(child(model, "spec", "model").get("framework")).lower()
    predictor = reading.predictor(isvc)
    field = formats.framework(dict(predictor.spec))
    served = text(child(mapping(predictor.model), "modelFormat").get("name")) if field == "model" else field
    # Triton serves models of several frameworks, and of a custom container nobody knows.
    if not served or served in (wanted, "triton"):
        return MET
    return Verdict(
        FALSE,
        "FrameworkNotSupported",
        f'Inference Service "{meta.name(isvc)}" does not support the Trained Model "{meta.name(model)}" framework '
        f'"{wanted}": it serves {served}',
    )


def _addresses(model: Object, isvc: Object) -> Status:
    told, found = meta.status(isvc), Status()
    path = _path(meta.name(model), isvc)
    if url := text(told.get("url")):
        found["url"] = url + path
    if address := text(child(told, "address").get("url")):
        found["address"] = {"url": address + path}
    return found


def _path(name: str, isvc: Object) -> str:
    protocol = text(mapping(reading.predictor(isvc).model).get("protocolVersion")) or formats.V1
    return {formats.V1: f"/v1/models/{name}:predict", formats.V2: f"/v2/models/{name}/infer"}.get(
        protocol, ""
    )


def _written(model: Object, verdicts: Mapping[str, Verdict], now: str) -> Status:
    found = dict(verdicts)
    if READY not in found:
        found |= {each: found.get(each, Verdict(UNKNOWN)) for each in _DEPENDENTS}
        found[READY] = next((found[each] for each in _DEPENDENTS if found[each].status == FALSE), MET)
        if found[READY] is MET and any(found[each].status == UNKNOWN for each in _DEPENDENTS):
            found[READY] = Verdict(UNKNOWN)
    before = {each.get("type"): each for each in _conditions(model)}
    conditions = [_condition(each, found[each], before.get(each) or {}, now) for each in sorted(found)]
    return {"observedGeneration": meta.generation(model), "conditions": conditions}


def _condition(type_: str, verdict: Verdict, old: Mapping[str, Any], now: str) -> dict[str, Any]:
    wanted = {"type": type_, "status": verdict.status}
    if type_ == FRAMEWORK:
        wanted["severity"] = "Info"
    if verdict.reason:
        wanted |= {"reason": verdict.reason, "message": verdict.message}
    same = {key: value for key, value in old.items() if key != "lastTransitionTime"} == wanted
    return {**wanted, "lastTransitionTime": (old.get("lastTransitionTime") or now) if same else now}


def _conditions(model: Object) -> Sequence[Mapping[str, Any]]:
    return [each for each in meta.status(model).get("conditions") or () if isinstance(each, Mapping)]
