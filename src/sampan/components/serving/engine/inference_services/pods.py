"""A component as a pod template: what its spec and the runtime say, before anything is injected. Pure.

Source: kserve/kserve 0.20 pkg/controller/v1beta1/inferenceservice/components/{predictor,transformer,explainer}.go,
pkg/apis/serving/v1beta1/{transformer_custom,explainer_custom,predictor_custom}.go,
reconcilers/deployment/deployment_reconciler.go (setDefaultPodSpec); knative/serving v1.21
pkg/reconciler/revision/resources/deploy.go (rewriteUserProbe). Not so here: a container that fails says why with
the end of its log.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType
from typing import Any

from sampan.components.serving.api import labels
from sampan.components.serving.api.labels import EXPLAINER, PREDICTOR
from sampan.components.serving.engine.inference_services import explainers
from sampan.components.serving.engine.inference_services.spec import Component, is_multi_model, storage_uri
from sampan.kube import meta, quantities
from sampan.kube.meta import Object

HTTP_PORT, AGENT_PORT = 8080, 9081
_PROBED = (labels.CONTAINER, labels.TRANSFORMER_CONTAINER)
_PROBE = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
_PROBES, _ASKED = ("readinessProbe", "livenessProbe", "startupProbe"), ("httpGet", "tcpSocket", "grpc")
_INTERNAL = "internal.serving.kserve.io"


class SpecError(Exception):
    """A component of which no pod can be made. The message says what is wrong with it."""

    def __init__(self, message: str, reason: str = "InvalidPredictorSpec") -> None:
        super().__init__(message)
        self.reason = reason
        """One of upstream's FailureReasons."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """What the runtime that was selected adds."""

    pod_spec: Mapping[str, Any]
    """Merged with the component's."""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Disallowed:
    """Names of what is not handed on from the object to its pods."""

    annotations: frozenset[str] = frozenset(
        (
            labels.MIN_SCALE,
            labels.MAX_SCALE,
            f"{_INTERNAL}/storage-initializer-sourceuri",
            "kubectl.kubernetes.io/last-applied-configuration",
            "modelFormat",
        )
    )
    labels: frozenset[str] = frozenset(("networking.knative.dev/visibility",))


def template(
    isvc: Object,
    of: Component,
    runtime: Runtime | None,
    disallowed: Disallowed,
    predictor: str,
    images: Mapping[str, tuple[str, str]] = MappingProxyType({}),
) -> Object:
    """A PodTemplateSpec. `predictor` is the name of the predictor's Service, `images` are the ConfigMap's images and
    versions of explainers. Raises SpecError."""
    given = runtime.pod_spec if runtime is not None else _own_spec(isvc, of, predictor, images)
    spec = copy.deepcopy(dict(given))
    containers = spec.get("containers") or []
    if not containers or not all(isinstance(each, dict) for each in containers):
        raise SpecError(f"spec.{of.kind} has no container: name a model or give containers")
    for container in containers if of.kind == PREDICTOR else containers[:1]:
        if of.kind != EXPLAINER:
            _set_env(container, "INFERENCE_SERVICE_NAME", meta.name(isvc))
    for container in (*containers, *(spec.get("initContainers") or ())):
        container.setdefault("terminationMessagePolicy", "FallbackToLogsOnError")
    return {"metadata": _metadata(isvc, of, runtime, disallowed), "spec": spec}


def with_default_probes(template: Object, *, period_seconds: int) -> Object:
    """The template with readiness probes of what has none, whether the port takes connections, and with ports of
    probes that name none."""
    spec = meta.spec(template)
    told = spec.get("containers") or ()
    beside = _predictor_port(told)
    containers = [_probed(each, period_seconds, beside) for each in told]
    return {**template, "spec": {**spec, "containers": containers}}


def canonical(template: Object) -> Object:
    """The template with amounts of resources as the API writes them. What is no amount stays, and the API refuses
    it."""
    spec = dict(meta.spec(template))
    for key in ("containers", "initContainers"):
        if spec.get(key):
            spec[key] = [_canonical(each) for each in spec[key]]
    return {**template, "spec": spec}


def main_container(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """That requests come to in mode Standard, with ports or without: a sidecar's ports are not the service's."""
    containers = [each for each in spec.get("containers") or () if isinstance(each, Mapping)] or [{}]
    named = {str(each.get("name")): each for each in containers}
    return named.get(labels.TRANSFORMER_CONTAINER) or named.get(labels.CONTAINER) or containers[0]


def serving_container(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """That requests come to in mode Knative, where one container has ports: the transformer, where it shares the
    predictor's pod."""
    told: Sequence[Mapping[str, Any]] = spec.get("containers") or ()
    beside = (labels.AGENT, labels.QUEUE_PROXY)
    containers = [each for each in told if each.get("name") not in beside] or [{}]
    named = {str(each.get("name")): each for each in containers}
    return named.get(labels.TRANSFORMER_CONTAINER) or next(
        (each for each in containers if each.get("ports")), containers[0]
    )


def ports(of: Component, serving: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Of the Service in front of pods with such a container: 80 for the first of its ports."""
    told = [each for each in serving.get("ports") or () if isinstance(each, Mapping)]
    if not told:
        told = [{"name": name, "containerPort": HTTP_PORT}]
    found = [_port(each, 80 if index == 0 else int(each["containerPort"])) for index, each in enumerate(told)]
    if of.has_agent_before_it:
        found[0]["targetPort"] = AGENT_PORT
    if len(found) > 1:
        for index, each in enumerate(found):
            each.setdefault("name", f"port-{index}")
    return found


def http_port(found: Sequence[Mapping[str, Any]]) -> int:
    """Of a Service's ports the pods' own for HTTP: who asks a Service without an address asks the pods."""
    return next((int(each["targetPort"]) for each in found if not is_grpc(each)), HTTP_PORT)


def is_grpc(port: Mapping[str, Any]) -> bool:
    return any(each in str(port.get("name") or "") for each in ("grpc", "h2c"))


def _port(container_port: Mapping[str, Any], port: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        "port": port,
        "targetPort": int(container_port["containerPort"]),
        "protocol": str(container_port.get("protocol") or "TCP"),
    }
    if container_port.get("name"):
        found["name"] = str(container_port["name"])
    if is_grpc(container_port):
        found["appProtocol"] = "kubernetes.io/h2c"
    return found


def _own_spec(
    isvc: Object, of: Component, predictor: str, images: Mapping[str, tuple[str, str]]
) -> dict[str, Any]:
    """Of containers that the user gives."""
    spec = copy.deepcopy(of.pod_fields)
    containers = spec.setdefault("containers", [])
    if of.kind == EXPLAINER and not containers and (named := explainers.container(of, images)) is not None:
        containers.append(named)
    if of.kind == PREDICTOR or not containers or not isinstance(containers[0], dict):
        return spec
    first = containers[0]
    first["args"] = [*(first.get("args") or ()), *_arguments(isvc, of, first, predictor)]
    return spec


def _arguments(isvc: Object, of: Component, container: Mapping[str, Any], predictor: str) -> list[str]:
    """By which transformers and explainers find the predictor."""
    wanted = {
        "--model_name": meta.name(isvc),
        "--predictor_host": f"{predictor}.{meta.namespace(isvc)}",
        "--http_port": str(HTTP_PORT),
    }
    if of.spec.get("containerConcurrency") is not None:
        wanted["--workers"] = str(of.spec["containerConcurrency"])
    told = " ".join(map(str, container.get("args") or ()))
    missing = {key: value for key, value in wanted.items() if not _includes(told, key)}
    return [each for pair in missing.items() for each in pair]


def _includes(told: str, argument: str) -> bool:
    return any(each.split("=", 1)[0] == argument for each in told.split())


def _metadata(isvc: Object, of: Component, runtime: Runtime | None, disallowed: Disallowed) -> Object:
    """Runtime before object before component: the later word counts."""
    own_annotations = _strings(of.spec.get("annotations"))
    told = {**meta.annotations(isvc), **own_annotations}
    if runtime is not None:
        told = {**runtime.annotations, **told}
    annotations = {key: str(value) for key, value in told.items() if key not in disallowed.annotations}
    annotations |= _of_storage(of)
    if is_multi_model(of):
        annotations |= _of_puller(meta.name(isvc))
    found = {
        **(runtime.labels if runtime is not None else {}),
        **meta.labels(isvc),
        **_strings(of.spec.get("labels")),
        labels.INFERENCE_SERVICE: meta.name(isvc),
        labels.COMPONENT: of.kind,
    }
    found = {key: str(value) for key, value in found.items() if key not in disallowed.labels}
    return {"labels": found, "annotations": annotations}


def model_config_name(service: str) -> str:
    """Of the ConfigMap that lists the TrainedModels of a service; upstream has one shard too."""
    return f"modelconfig-{service}-0"


def _of_storage(of: Component) -> dict[str, str]:
    """Where the model comes from, so that another one makes other pods."""
    found: dict[str, str] = {}
    if uri := storage_uri(of):
        found[f"{_INTERNAL}/storage-initializer-sourceuri"] = uri
    storage = of.model.get("storage") if of.model is not None else None
    if isinstance(storage, Mapping):
        found[f"{_INTERNAL}/storage-spec"] = "true"
        if storage.get("parameters"):
            found[f"{_INTERNAL}/storage-spec-param"] = json.dumps(
                storage["parameters"], sort_keys=True, separators=(",", ":")
            )
        if storage.get("key"):
            found[f"{_INTERNAL}/storage-spec-key"] = str(storage["key"])
        if storage.get("path"):
            path = str(storage["path"]).removeprefix("/")
            found[f"{_INTERNAL}/storage-initializer-sourceuri"] = f"<scheme-placeholder>://{path}"
    return found


def _of_puller(service: str) -> dict[str, str]:
    """By which the agent comes that brings TrainedModels."""
    return {
        f"{_INTERNAL}/agent": "true",
        f"{_INTERNAL}/configVolumeName": model_config_name(service),
        f"{_INTERNAL}/configMountPath": "/mnt/configs",
        f"{_INTERNAL}/modelDir": labels.MODEL_DIR,
    }


def _canonical(container: Mapping[str, Any]) -> dict[str, Any]:
    told = container.get("resources")
    if not isinstance(told, Mapping):
        return dict(container)
    found = dict(told)
    for key in ("limits", "requests"):
        if isinstance(found.get(key), Mapping):
            found[key] = {name: _amount(value) for name, value in found[key].items()}
    return {**container, "resources": found}


def _amount(value: Any) -> Any:
    try:
        return quantities.canonical(value)
    except (ValueError, TypeError, ArithmeticError):
        return value


def _strings(found: Any) -> dict[str, str]:
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, Mapping) else {}


def _set_env(container: dict[str, Any], name: str, value: str) -> None:
    env = [each for each in container.get("env") or () if not _is_named(each, name)]
    container["env"] = [*env, {"name": name, "value": value}]


def _is_named(variable: Any, name: str) -> bool:
    return isinstance(variable, Mapping) and variable.get("name") == name


def _predictor_port(containers: Sequence[Mapping[str, Any]]) -> int:
    """Of the predictor beside a transformer, which says by `--predictor_host=localhost:8085` where it is.

    Upstream looks at the transformer's own port, and takes the one for ready as soon as the other is.
    """
    transformer = next((each for each in containers if each.get("name") == labels.TRANSFORMER_CONTAINER), {})
    words = " ".join(map(str, transformer.get("args") or ())).replace("=", " ").split()
    hosts = [value for name, value in pairwise(words) if name == "--predictor_host"]
    port = hosts[0].rpartition(":")[2] if hosts else ""
    return int(port) if port.isdecimal() else HTTP_PORT


def _probed(container: Mapping[str, Any], period_seconds: int, predictor_port: int) -> dict[str, Any]:
    told = [each for each in container.get("ports") or () if isinstance(each, Mapping)]
    otherwise = predictor_port if container.get("name") == labels.CONTAINER else HTTP_PORT
    port = int(told[0]["containerPort"]) if told else otherwise
    found = {**container, **{key: _at(container[key], port) for key in _PROBES if container.get(key)}}
    if found.get("readinessProbe") or container.get("name") not in _PROBED:
        return found
    return {
        **found,
        "readinessProbe": {**_PROBE, "periodSeconds": period_seconds, "tcpSocket": {"port": port}},
    }


def _at(probe: Mapping[str, Any], port: int) -> dict[str, Any]:
    """Where it names no port it is the container's."""
    return {
        key: {**value, "port": port}
        if key in _ASKED and isinstance(value, Mapping) and not value.get("port")
        else value
        for key, value in probe.items()
    }
