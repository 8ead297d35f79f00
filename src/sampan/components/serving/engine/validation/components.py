"""Which of the ways a predictor, transformer or explainer is written in, and what all of them have. For `services`.

Source: kserve/kserve 0.20 pkg/apis/serving/v1beta1/component.go, {predictor,explainer,transformer}.go,
predictor_{custom,torchserve}.go; pkg/validation/env_policy.go.
"""

from __future__ import annotations

from collections.abc import Iterator

from sampan.components.serving.api import models
from sampan.components.serving.api.labels import CONTAINER, EXPLAINER, PREDICTOR
from sampan.components.serving.api.reading import child, mapping, mappings, text, whole
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.meta import Object

_MODEL_FIELDS = (*models.FRAMEWORKS, "model")
_EXPLAINERS = ("art", "alibi", "aix")
_MODES = ("all", "request", "response")
_BLOCKED = ("PYTHONPATH",)
_PROTOCOL, _STORAGE_URI = "PROTOCOL", "STORAGE_URI"
_TYPES = {
    "predictor": (
        "Name, SKLearn, XGBoost, Tensorflow, PyTorch, Triton, ONNX, HuggingFace, PMML, LightGBM, Paddle, Model,"
        " StorageUris, StorageContainerName, WorkerSpec, PodSpec",
        "PredictorSpec",
    ),
    "transformer": ("PodSpec, ComponentExtensionSpec", "TransformerSpec"),
    "explainer": ("ART, PodSpec, ComponentExtensionSpec", "ExplainerSpec"),
}
"""As upstream names what a component may be, in its error."""


def check(name: str, component: Object, at: str, errors: FieldErrors) -> None:
    _check_one(name, component, at, errors)
    for field in _MODEL_FIELDS:
        if name == PREDICTOR and text(mapping(component.get(field)).get("name")):
            errors.forbidden(f"{at}.{field}.name", "the 'name' field is not allowed in standard predictor")
    if name == PREDICTOR:
        _check_protocol(component, at, errors)
    _check_replicas(component, at, errors)
    _check_logger(component.get("logger"), f"{at}.logger", errors)
    _check_batcher(child(component, "batcher"), f"{at}.batcher", errors)
    percent = whole(component.get("canaryTrafficPercent"))
    if percent is not None and not 0 <= percent <= 100:
        errors.invalid(f"{at}.canaryTrafficPercent", percent, "must be between 0 and 100, inclusive")


def implementations(name: str, component: Object) -> list[str]:
    """The fields by which it says what runs."""
    known = _MODEL_FIELDS if name == PREDICTOR else _EXPLAINERS if name == EXPLAINER else ()
    found = [each for each in known if isinstance(component.get(each), dict)]
    containers = mappings(component.get("containers"))
    serves = any(each.get("name") == CONTAINER for each in containers)
    # Beside a model other containers stand for themselves.
    if containers and (name != PREDICTOR or serves or not found):
        found.append("containers")
    return found


def storage_uri(component: Object) -> str:
    """Of its model, or of the container that serves."""
    if models.framework(component):
        return text(models.model(component).get("storageUri"))
    for field in _EXPLAINERS:
        if isinstance(component.get(field), dict):
            return text(component[field].get("storageUri"))
    return _variable(_serving(component), _STORAGE_URI) or ""


def check_variables(component: Object, at: str, errors: FieldErrors) -> None:
    for field, container in containers(component):
        for variable in mappings(container.get("env")):
            if variable.get("name") in _BLOCKED:
                shown = text(container.get("name")) or field.rpartition(".")[2]
                errors.forbidden(
                    f"{at}.{field}.env",
                    f'setting {variable["name"]} in container "{shown}" is not allowed for security reasons',
                )


def containers(component: Object) -> Iterator[tuple[str, Object]]:
    """All that it has, by their fields."""
    for field in (*_MODEL_FIELDS, *_EXPLAINERS):
        if isinstance(component.get(field), dict):
            yield field, component[field]
    workers = child(component, "workerSpec")
    for prefix, holder in (("", component), ("workerSpec.", workers)):
        for field in ("containers", "initContainers"):
            for index, each in enumerate(mappings(holder.get(field))):
                yield f"{prefix}{field}[{index}]", each


def _check_one(name: str, component: Object, at: str, errors: FieldErrors) -> None:
    found = implementations(name, component)
    if len(found) != 1:
        fields, kind = _TYPES[name]
        said = " and ".join(found) if found else "none of them"
        errors.invalid_as_a_whole(
            at, f"exactly one of [{fields}] must be specified in {kind}: there is {said}"
        )
        return
    if name == PREDICTOR and found == ["containers"] and not _serving(component):
        errors.required(f"{at}.containers", f"one of several containers must be named {CONTAINER}: it serves")


def _check_protocol(predictor: Object, at: str, errors: FieldErrors) -> None:
    field = models.framework(predictor)
    if field:
        asked = predictor[field].get("protocolVersion")
        if asked is not None and asked not in models.PROTOCOLS:
            errors.unsupported(f"{at}.{field}.protocolVersion", asked, models.PROTOCOLS, in_order=True)
        return
    asked = _variable(_serving(predictor), _PROTOCOL)
    if asked is not None and asked not in (models.V1, models.V2):
        errors.invalid(f"{at}.containers", asked, f"invalid protocol {asked}. Must be one of [v1, v2]")


def _check_replicas(component: Object, at: str, errors: FieldErrors) -> None:
    least, most = whole(component.get("minReplicas")), whole(component.get("maxReplicas")) or 0
    if least is not None and least < 0:
        errors.invalid(f"{at}.minReplicas", least, "'MinReplicas' cannot be less than 0")
    if most < 0:
        errors.invalid(f"{at}.maxReplicas", most, "'MaxReplicas' cannot be less than 0")
    if 0 < most < (1 if least is None else least):
        errors.invalid(f"{at}.minReplicas", least, "'MinReplicas' cannot be greater than MaxReplicas")
    parallel, seconds = whole(component.get("containerConcurrency")), whole(component.get("timeout"))
    if parallel is not None and parallel < 0:
        errors.invalid(f"{at}.containerConcurrency", parallel, "parallelism cannot be less than 0")
    if seconds is not None and seconds < 0:
        errors.invalid(f"{at}.timeout", seconds, "must be greater than or equal to 0")


def _check_logger(logger: object, at: str, errors: FieldErrors) -> None:
    if not isinstance(logger, dict):
        return
    mode = logger.get("mode")
    if mode is not None and mode not in _MODES:
        errors.invalid(f"{at}.mode", mode, f"invalid logger type: take one of {', '.join(_MODES)}")
    storage = logger.get("storage")
    if isinstance(storage, dict) and any(storage.get(key) is None for key in ("path", "parameters", "key")):
        errors.invalid_as_a_whole(
            f"{at}.storage", "invalid logger storage configuration: path, parameters and key are needed"
        )


def _check_batcher(batcher: Object, at: str, errors: FieldErrors) -> None:
    for field in ("maxBatchSize", "maxLatency", "timeout"):
        value = whole(batcher.get(field))
        if value is not None and value < 0:
            errors.invalid(f"{at}.{field}", value, "must be greater than or equal to 0")


def _serving(component: Object) -> Object:
    """The container that serves; the only one, if there is no more."""
    found = mappings(component.get("containers"))
    named = next((each for each in found if each.get("name") == CONTAINER), None)
    return named if named is not None else found[0] if len(found) == 1 else {}


def _variable(container: Object, name: str) -> str | None:
    found = (each for each in mappings(container.get("env")) if each.get("name") == name)
    value = next(found, {}).get("value")
    return value if isinstance(value, str) else None
