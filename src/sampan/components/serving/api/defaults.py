"""What an InferenceService means where it says nothing: written into it by admission, assumed by the controller.

A framework becomes `model` with that format, by which a runtime is found. Source: kserve/kserve 0.20
pkg/apis/serving/v1beta1/inference_service_defaults.go, {predictor,transformer,explainer}_custom.go, explainer_art.go.
A logger without a mode logs all, as its documentation has it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sampan.components.serving.api import models
from sampan.components.serving.api.config import Config
from sampan.components.serving.api.labels import (
    CONTAINER,
    DEPLOYMENT_MODE,
    EXPLAINER,
    MODES,
    PREDICTOR,
    STANDARD,
    TRANSFORMER,
)
from sampan.components.serving.api.reading import by_text, child, mapping, mappings, text
from sampan.kube import meta, quantities
from sampan.kube.meta import Object

_SPEAKING_V2 = frozenset(("triton", "onnx", "huggingface"))
"""Frameworks whose short form has always meant v2."""
_FORMATS_SPEAKING_V2 = frozenset(("triton", "vLLM"))
_EXPLAINERS = ("art", "alibi", "aix")


def with_defaults(service: Object, config: Config, old: Object | None = None) -> Object:
    """`old` is what was stored before: what an apply left of it gives way to the framework that was written."""
    spec = _with_amounts(dict(meta.spec(service)))
    if not spec:
        return service
    predictor = _with_model(child(spec, PREDICTOR), child(old or {}, "spec", PREDICTOR))
    spec[PREDICTOR] = _component(_with_container(predictor, config, is_predictor=True), config)
    for name in (TRANSFORMER, EXPLAINER):
        if isinstance(spec.get(name), dict):
            spec[name] = _component(_with_container(spec[name], config), config)
    if isinstance(spec.get("canary"), list):
        spec["canary"] = [_canary(each, config) for each in spec["canary"]]
    annotations = _annotations(service, old, config, predictor)
    metadata = {**meta.metadata(service), **({"annotations": annotations} if annotations else {})}
    return {**service, "metadata": metadata, "spec": spec}


def _with_amounts(value: Any, key: str = "") -> Any:
    """Fractions become texts, `cpu: 0.1` is `100m`: upstream's webhook reads and writes them, and only what comes of
    that is held against the definition, which knows no fractions."""
    if isinstance(value, dict):
        if key in ("requests", "limits"):
            return {name: _amount(each) for name, each in value.items()}
        return {name: _with_amounts(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [_with_amounts(each) for each in value]
    return value


def _amount(said: Any) -> Any:
    return quantities.format_decimal(Decimal(str(said))) if isinstance(said, float) else said


def _annotations(service: Object, old: Object | None, config: Config, predictor: Object) -> dict[str, Any]:
    found = dict(mapping(meta.metadata(service).get("annotations")))
    mode = found.get(DEPLOYMENT_MODE)
    if isinstance(mode, str):
        found[DEPLOYMENT_MODE] = MODES.get(mode, mode)
    elif config.deployment_mode == STANDARD:
        found[DEPLOYMENT_MODE] = STANDARD
    name = _format(predictor)
    before = _format(child(old or {}, "spec", PREDICTOR))
    if name and found.get(models.MODEL_FORMAT) in (None, before):
        found[models.MODEL_FORMAT] = name
    return found


def _format(predictor: Object) -> str:
    return text(child(predictor, "model", "modelFormat").get("name"))


def _with_model(predictor: Object, before: Object) -> Object:
    """With `model` in the place of the framework, if there is one of them."""
    frameworks = [each for each in models.FRAMEWORKS if isinstance(predictor.get(each), dict)]
    is_left_over = before.get("model") is not None and _is_part(predictor.get("model"), before["model"])
    if len(frameworks) == 1 and (predictor.get("model") is None or is_left_over):
        (name,) = frameworks
        model = {**predictor[name], "modelFormat": {"name": name}}
        if name in _SPEAKING_V2 and not text(model.get("protocolVersion")):
            model["protocolVersion"] = models.V2
        rest = {key: value for key, value in predictor.items() if key != name}
        return {**rest, "model": model}
    model = mapping(predictor.get("model"))
    if _format(predictor) in _FORMATS_SPEAKING_V2 and not text(model.get("protocolVersion")):
        return {**predictor, "model": {**model, "protocolVersion": models.V2}}
    return predictor


def _is_part(value: Any, whole: Any) -> bool:
    """An apply takes away what its manager had of a model, and leaves what others have."""
    if isinstance(value, dict) and isinstance(whole, dict):
        return all(key in whole and _is_part(each, whole[key]) for key, each in value.items())
    return bool(value == whole)


def _canary(canary: Any, config: Config) -> Any:
    if not isinstance(canary, dict) or not isinstance(canary.get(PREDICTOR), dict):
        return canary
    predictor = _with_model(canary[PREDICTOR], {})
    return {**canary, PREDICTOR: _component(_with_container(predictor, config, is_predictor=True), config)}


def _with_container(component: Object, config: Config, *, is_predictor: bool = False) -> Object:
    """The container that serves has its name, and asks for what the ConfigMap says."""
    for name in _EXPLAINERS:
        if isinstance(component.get(name), dict):
            return {**component, name: _explainer(component[name], name, config)}
    containers = component.get("containers")
    if models.framework(component) or not isinstance(containers, list) or not mappings(containers[:1]):
        return component
    first = dict(containers[0])
    if not is_predictor or len(containers) == 1 or not first.get("name"):
        first["name"] = CONTAINER
    first["resources"] = _resources(first.get("resources"), config)
    return {**component, "containers": [first, *containers[1:]]}


def _explainer(explainer: Object, name: str, config: Config) -> Object:
    image, version = config.explainer_images.get(name, ("", ""))
    found = {**explainer, "name": CONTAINER, "resources": _resources(explainer.get("resources"), config)}
    if image and version and explainer.get("runtimeVersion") is None:
        found["runtimeVersion"] = version
    return found


def _resources(said: Any, config: Config) -> Any:
    """What is filled in is never more than the limit that is said, nor less than the request."""
    if said is not None and not isinstance(said, dict):
        return said
    own: Object = dict(said or {})
    found = dict(own)
    for kind, other, keep in (("requests", "limits", -1), ("limits", "requests", 1)):
        amounts = config.resources.get(kind) or {}
        if amounts and (own.get(kind) is None or isinstance(own[kind], dict)):
            filled = {
                name: _held(each, mapping(own.get(other)).get(name), keep) for name, each in amounts.items()
            }
            found[kind] = {**filled, **(own.get(kind) or {})}
    return found


def _held(amount: str, bound: Any, sign: int) -> Any:
    try:
        return bound if bound is not None and quantities.compare(bound, amount) == sign else amount
    except (ValueError, TypeError):
        return amount


def _component(component: Object, config: Config) -> Object:
    found = dict(component)
    if not config.mounts_tokens and found.get("automountServiceAccountToken") is None:
        found["automountServiceAccountToken"] = False
    logger = found.get("logger")
    if isinstance(logger, dict) and logger.get("mode") is None:
        found["logger"] = {**logger, "mode": "all"}
    return found


def deployment_mode(service: Object, config: Config) -> str:
    """As its status has recorded it, as it asks for, or as the ConfigMap says.

    Source: pkg/controller/v1beta1/inferenceservice/utils/utils.go (GetDeploymentMode)."""
    recorded = text(meta.status(service).get("deploymentMode"))
    asked = by_text(meta.annotations(service)).get(DEPLOYMENT_MODE, "")
    return MODES.get(recorded) or MODES.get(asked) or config.deployment_mode
