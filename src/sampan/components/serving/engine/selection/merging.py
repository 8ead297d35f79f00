"""The pod of a runtime and a predictor: the predictor's say comes last.

Source: kserve/kserve 0.20 pkg/controller/v1beta1/inferenceservice/components/predictor.go (buildPodSpec),
utils/utils.go (MergeRuntimeContainers, MergePodSpec, UpdateImageTag), pkg/utils/container_merge.go. Other than there, a
volume of the predictor takes the place of the runtime's of the same name, since a volume has one source.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sampan.components.serving.api import models
from sampan.components.serving.api.labels import CONTAINER, TRANSFORMER_CONTAINER
from sampan.components.serving.api.reading import by_text, child, mapping, mappings, named, text, texts
from sampan.components.serving.engine.container_types import CONTAINER_TYPES
from sampan.components.serving.engine.selection import servers
from sampan.components.serving.engine.selection.choosing import INVALID_PREDICTOR, Selected, UnselectableError
from sampan.components.serving.engine.selection.placeholders import PlaceholderError, metadata_of, replaced
from sampan.components.serving.engine.selection.runtimes import Runtime
from sampan.kube.errors import BadRequestError
from sampan.kube.meta import Object
from sampan.kube.schema import Schema
from sampan.kube.strategic import strategic_merge

_SCHEMA = Schema.parse(
    """
package sampan.serving serving.kserve.io/v1beta1

PodSpec
    containers:[Container]@name ephemeralContainers:[Container]@name hostAliases:[Aliases]@ip
    imagePullSecrets:[Named]@name initContainers:[Container]@name nodeSelector:{string}
    resourceClaims:[Named]@name schedulingGates:[Named]@name topologySpreadConstraints:[Spread]@topologyKey
"""
    + CONTAINER_TYPES
)
"""Where lists are merged, and by what. Others are replaced."""

_OF_RUNTIMES = (
    "nodeSelector",
    "affinity",
    "tolerations",
    "volumes",
    "imagePullSecrets",
    "schedulerName",
)
_TAG = re.compile(r":[\w.\-]*$")
_GPU, _GPU_SLICE = "nvidia.com/gpu", "nvidia.com/mig"
_WITH_GPU_TAG = (servers.TENSORFLOW, servers.TORCHSERVE, servers.HUGGINGFACE)
NOT_OF_PODS = frozenset(
    (
        *models.FRAMEWORKS,
        "model",
        "art",
        "alibi",
        "aix",
        "name",
        "storageUris",
        "storageContainerName",
        "workerSpec",
        "minReplicas",
        "maxReplicas",
        "scaleTarget",
        "scaleMetric",
        "scaleMetricType",
        "autoScaling",
        "containerConcurrency",
        "timeout",
        "canaryTrafficPercent",
        "logger",
        "batcher",
        "labels",
        "annotations",
        "deploymentStrategy",
        "pipelineParallelSize",
        "tensorParallelSize",
    )
)
"""Fields of a component that are not its pods' spec."""


@dataclass(frozen=True, slots=True)
class Merged:
    pod_spec: Object
    labels: dict[str, str]
    """That the runtime gives its pods."""
    annotations: dict[str, str]


def pod_spec(component: Object) -> Object:
    """What a predictor, a transformer or an explainer says of its pods."""
    return {key: value for key, value in component.items() if key not in NOT_OF_PODS and value is not None}


def merged(selected: Selected, service: Object, predictor: Object) -> Merged:
    """Of the InferenceService `service` and its predictor, or one of its canaries. Raises UnselectableError."""
    runtime = selected.runtime
    its_containers = mappings(runtime.spec.get("containers"))
    if not its_containers:
        raise _invalid("no container configuration found in selected serving runtime", runtime)
    metadata = metadata_of(service, selected.labels)
    overrides = {**models.container(selected.model), "name": CONTAINER}
    main = merged_container(runtime, its_containers, CONTAINER, overrides)
    main = _with_image(_filled(main, metadata, runtime), selected)
    own = mappings(predictor.get("containers"))
    containers = [
        main,
        *_transformer(runtime, its_containers, own, metadata),
        *(each for each in its_containers if each.get("name") not in (CONTAINER, TRANSFORMER_CONTAINER)),
        *(each for each in own if each.get("name") != TRANSFORMER_CONTAINER),
    ]
    spec = merged_pod(runtime.spec, predictor)
    return Merged(
        {**spec, "containers": containers},
        by_text(runtime.spec.get("labels")),
        by_text(runtime.spec.get("annotations")),
    )


def merged_pod(of_runtime: Object, component: Object) -> Object:
    """Without containers. Raises UnselectableError."""
    base = {key: of_runtime[key] for key in _OF_RUNTIMES if of_runtime.get(key) is not None}
    own = pod_spec(component)
    own.pop("containers", None)
    volumes = _volumes(base.pop("volumes", None), own.pop("volumes", None))
    try:
        found = mapping(strategic_merge(_SCHEMA, "PodSpec", base, own))
    except BadRequestError as error:
        message = f"failed to consolidate serving runtime PodSpecs. Detail: {error.message}"
        raise UnselectableError(INVALID_PREDICTOR, message) from error
    return {**found, "volumes": volumes} if volumes else found


def merged_container(runtime: Runtime, containers: list[Object], name: str, overrides: Object) -> Object:
    """The runtime's container of this name, with the arguments of both. Raises UnselectableError."""
    base = named(containers, name)
    if base is None:
        raise _invalid(f"failed to find {name} in ServingRuntime containers", runtime)
    return _merged_container(dict(base), overrides)


def _merged_container(base: Object, overrides: Object) -> Object:
    try:
        found = mapping(strategic_merge(_SCHEMA, "Container", base, overrides))
    except BadRequestError as error:
        message = f"failed to merge container. Detail: {error.message}"
        raise UnselectableError(INVALID_PREDICTOR, message) from error
    if args := [*texts(base.get("args")), *texts(overrides.get("args"))]:
        found = {**found, "args": args}
    if env := _one_source(mappings(found.get("env")), mappings(overrides.get("env"))):
        found = {**found, "env": env}
    return found


def _transformer(
    runtime: Runtime, its_containers: list[Object], own: list[Object], metadata: Object
) -> list[Object]:
    base, overrides = (named(each, TRANSFORMER_CONTAINER) for each in (its_containers, own))
    if base is None and overrides is None:
        return []
    found = (
        _merged_container(dict(base), dict(overrides))
        if base and overrides
        else dict(base or overrides or {})
    )
    return [_filled(found, metadata, runtime)]


def _filled(container: Object, metadata: Object, runtime: Runtime) -> Object:
    try:
        return mapping(replaced(container, metadata))
    except PlaceholderError as error:
        name = text(container.get("name"))
        message = (
            f"failed to replace placeholders in serving runtime {runtime.name} Container {name}: {error}"
        )
        raise UnselectableError(INVALID_PREDICTOR, message) from error


def _one_source(merged_env: list[Object], own: list[Object]) -> list[Object]:
    """A variable has a value or a source; where the two sides say either, the predictor's holds."""
    said = {each.get("name"): each for each in own}

    def settled(variable: Object) -> Object:
        its = said.get(variable.get("name"))
        if its is None or not ("value" in variable and "valueFrom" in variable):
            return variable
        dropped = "value" if its.get("valueFrom") is not None else "valueFrom"
        return {key: value for key, value in variable.items() if key != dropped}

    return [settled(each) for each in merged_env]


def _volumes(of_runtime: Any, own: Any) -> list[Object]:
    replacing = mappings(own)
    names = {each.get("name") for each in replacing}
    return [each for each in mappings(of_runtime) if each.get("name") not in names] + replacing


def _with_image(container: Object, selected: Selected) -> Object:
    image = text(container.get("image"))
    if not image or "@sha256:" in image:
        return container
    return {**container, "image": _image(image, container, selected)}


def _image(image: str, container: Object, selected: Selected) -> str:
    tag = found[0] if (found := _TAG.search(image)) else ""
    plain = image.removesuffix(tag)
    if version := text(selected.model.get("runtimeVersion")):
        return f"{plain}:{version}"
    kind = servers.server_type(selected.runtime)
    if not kind or not tag:
        return image
    limits = child(container, "resources", "limits")
    if any(key == _GPU or str(key).startswith(_GPU_SLICE) for key in limits):
        return f"{image}-gpu" if kind in _WITH_GPU_TAG and not image.endswith("-gpu") else image
    return f"{plain}-cpu{tag}" if kind == servers.VLLM and not plain.endswith("-cpu") else image


def _invalid(message: str, runtime: Runtime) -> UnselectableError:
    return UnselectableError(INVALID_PREDICTOR, f"{message} ({runtime.kind} {runtime.name})")
