"""Predictors of several pods, `workerSpec`. For `services` and `runtimes`.

Source: kserve/kserve 0.20 pkg/apis/serving/v1beta1/inference_service_validation.go (validateMultiNodeVariables),
pkg/webhook/admission/servingruntime/servingruntime_webhook.go (validateMultiNodeSpec), pkg/utils/utils.go
(HasUnknownGpuResourceType).
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from sampan.components.serving.api.labels import AUTOSCALER_CLASS, CONTAINER
from sampan.components.serving.api.reading import child, mapping, mappings, named, text, whole
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.meta import Object

GPU_TYPES = "serving.kserve.io/gpu-resource-types"
"""An annotation: further resources that are GPUs, a JSON list."""
_KNOWN_GPUS = ("nvidia.com/gpu", "amd.com/gpu", "intel.com/gpu", "habana.ai/gaudi")
_BASIC = ("cpu", "memory", "storage", "ephemeral-storage")
_SIZES = (
    ("pipelineParallelSize", "PipelineParallelSize", "PIPELINE_PARALLEL_SIZE"),
    ("tensorParallelSize", "TensorParallelSize", "TENSOR_PARALLEL_SIZE"),
)
_SHARED_SCHEMES = ("pvc", "oci")


def check(predictor: Object, annotations: Mapping[str, str], errors: FieldErrors) -> None:
    if not isinstance(predictor.get("workerSpec"), dict):
        return
    at = "spec.predictor"
    model = mapping(predictor.get("model"))
    if model:
        check_variables(model, f"{at}.model.env", errors)
        _check_gpus(model, annotations, f"{at}.model.resources", errors)
        _check_storage(model, f"{at}.model.storageUri", errors)
        scaled = annotations.get(AUTOSCALER_CLASS, "")
        if scaled != "none":
            errors.invalid(
                f"metadata.annotations[{AUTOSCALER_CLASS}]",
                scaled,
                f"Multinode only supports 'none' autoscaler({scaled})",
            )
    check_workers(predictor["workerSpec"], annotations, f"{at}.workerSpec", errors)


def check_of_runtime(spec: Object, before: Object, errors: FieldErrors) -> None:
    """Of a runtime; `before` is its spec as it was stored."""
    at = "spec.workerSpec"
    workers = spec.get("workerSpec")
    if not isinstance(workers, dict):
        if isinstance(before.get("workerSpec"), dict):
            errors.forbidden(at, "removing workerSpec where it already exists is not allowed")
        return
    if not mappings(workers.get("containers")):
        errors.required(f"{at}.containers")
    annotations = {key: text(value) for key, value in child(spec, "annotations").items()}
    main = named(spec.get("containers"), CONTAINER)
    if main is not None:
        check_variables(dict(main), "spec.containers", errors)
        _check_gpus(dict(main), annotations, "spec.containers", errors)
    check_workers(workers, annotations, at, errors)


def check_workers(workers: Object, annotations: Mapping[str, str], at: str, errors: FieldErrors) -> None:
    containers = mappings(workers.get("containers"))
    if len(containers) > 1:
        errors.forbidden(f"{at}.containers", "setting multiple containers in workerSpec is not allowed")
    for field, name, _variable in _SIZES:
        size = whole(workers.get(field))
        if size is not None and size < 1:
            errors.invalid(f"{at}.{field}", size, f"WorkerSpec.{name} cannot be less than 1({size})")
    for index, each in enumerate(containers):
        _check_gpus(each, annotations, f"{at}.containers[{index}].resources", errors)


def check_variables(container: Object, at: str, errors: FieldErrors) -> None:
    names = [each.get("name") for each in mappings(container.get("env"))]
    for field, _name, variable in _SIZES:
        if variable in names:
            errors.forbidden(
                at, f"setting {variable} in environment variables is not allowed: write workerSpec.{field}"
            )


def _check_storage(model: Object, at: str, errors: FieldErrors) -> None:
    uri = text(model.get("storageUri"))
    if not uri:
        errors.required(at, "StorageURI must be set for multinode enabled")
    elif (scheme := uri.partition("://")[0]) not in _SHARED_SCHEMES:
        errors.invalid(
            at,
            uri,
            f"Multinode only supports 'pvc' and 'oci' Storage Protocol({scheme}): all pods read one place",
        )


def _check_gpus(container: Object, annotations: Mapping[str, str], at: str, errors: FieldErrors) -> None:
    known = gpu_types(annotations.get(GPU_TYPES, ""))
    if known is None:
        errors.invalid(
            f"annotations[{GPU_TYPES}]",
            annotations[GPU_TYPES],
            f"invalid GPU format({annotations[GPU_TYPES]}) for {GPU_TYPES} annotation: must be a valid JSON array",
        )
        return
    asked = {key for kind in ("limits", "requests") for key in child(container, "resources", kind)}
    if unknown := sorted(str(each) for each in asked - {*known, *_BASIC}):
        errors.invalid(
            at,
            unknown[0],
            f"Unknown GPU resource type. Set '{GPU_TYPES}' annotation to use custom gpu resource type",
        )


def gpu_types(annotation: str) -> tuple[str, ...] | None:
    """With those of the annotation; None where it cannot be read."""
    if not annotation:
        return _KNOWN_GPUS
    try:
        more = json.loads(annotation)
    except ValueError:
        return None
    if not isinstance(more, list) or not more or not all(isinstance(each, str) and each for each in more):
        return None
    return (*_KNOWN_GPUS, *more)
