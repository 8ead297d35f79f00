"""A pod's template with the agent in it, where its component logs requests, batches them, or has models pulled.

Upstream does the same when a pod is made, by a webhook; here the template has it, on every cluster. Called by way of
`controller/agents.py`, after the storage has been added.

Source: kserve/kserve v0.20.0 pkg/webhook/admission/pod/agent_injector.go,
pkg/controller/v1beta1/inferenceservice/components/component.go (addLoggerAnnotations, addBatcherAnnotations),
pkg/constants/constants.go. Not so here: where logs are stored is what the component's own logger says, while upstream
takes the predictor's for the transformer too.
"""

from __future__ import annotations

import copy
import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sampan.components.serving.api import labels
from sampan.components.serving.engine.agent.config import AgentConfig
from sampan.kube import meta
from sampan.kube.meta import Object

PORT, COMPONENT_PORT = 9081, 8080
MODES = ("all", "request", "response")
PULLER = "internal.serving.kserve.io/agent"
"""Annotation of pods whose agent pulls models; beside it, where their list and they themselves are."""
CONFIG_VOLUME = "internal.serving.kserve.io/configVolumeName"
CONFIG_PATH = "internal.serving.kserve.io/configMountPath"
MODELS_PATH = "internal.serving.kserve.io/modelDir"
LOGGER_ACCOUNT = "logger-sa"
_INTERNAL = "internal.serving.kserve.io"
_MODELS_VOLUME, _CONFIG_MAP_VOLUME = "model-dir", "model-config"
_CONFIG_FOLDER = "/mnt/configs"
_CA_VOLUME, _CA_FOLDER = "agent-ca-bundle", "/etc/tls/logger"


@dataclass(frozen=True, slots=True)
class Access:
    """Variables, mounts and volumes by which the agent may write to a store, as `engine/storage` makes them."""

    env: Sequence[Mapping[str, Any]] = ()
    mounts: Sequence[Mapping[str, Any]] = ()
    volumes: Sequence[Mapping[str, Any]] = field(default_factory=tuple)


def is_wanted(component: Mapping[str, Any], template: Object) -> bool:
    return (
        _logger(component) is not None
        or _batcher(component) is not None
        or PULLER in meta.annotations(template)
    )


def logger_account(component: Mapping[str, Any]) -> str:
    """The service account whose credentials logs are stored with; empty where they are stored nowhere."""
    logger = _logger(component)
    storage = _mapping((logger or {}).get("storage"))
    return str(storage.get("serviceAccountName") or LOGGER_ACCOUNT) if storage else ""


def with_agent(
    template: Object,
    component: Mapping[str, Any],
    namespace: str,
    config: AgentConfig,
    access: Access | None = None,
) -> Object:
    """A copy of the pod template of a predictor, transformer or explainer. One that needs no agent is as it was."""
    containers = meta.spec(template).get("containers") or ()
    has_one = any(each.get("name") == labels.AGENT for each in containers)
    if has_one or not containers or not is_wanted(component, template):
        return template
    template = copy.deepcopy(template)
    template.setdefault("metadata", {}).setdefault("annotations", {}).update(_annotations(component))
    container = _container(template, config, _args(template, component, namespace, config))
    if access is not None:
        _give(template["spec"], container, access)
    if _logger(component) is not None and config.ca_bundle:
        _add_ca_bundle(template["spec"], container, config)
    template["spec"]["containers"].append(container)
    if PULLER in meta.annotations(template):
        _add_models(template, container)
    return template


def _annotations(component: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    if (logger := _logger(component)) is not None:
        found[f"{_INTERNAL}/logger"] = "true"
        found[f"{_INTERNAL}/logger-mode"] = _mode(logger)
        if logger.get("url"):
            found[f"{_INTERNAL}/logger-sink-url"] = str(logger["url"])
        for key, name in (("metadataHeaders", "headers"), ("metadataAnnotations", "annotations")):
            if isinstance(logger.get(key), list):
                found[f"{_INTERNAL}/logger-metadata-{name}"] = ",".join(map(str, logger[key]))
    if (batcher := _batcher(component)) is not None:
        found[f"{_INTERNAL}/batcher"] = "true"
        for key, name in (("maxBatchSize", "batchsize"), ("maxLatency", "latency")):
            if batcher.get(key) is not None:
                found[f"{_INTERNAL}/batcher-max-{name}"] = str(batcher[key])
    return found


def _args(template: Object, component: Mapping[str, Any], namespace: str, config: AgentConfig) -> list[str]:
    annotations = meta.annotations(template)
    args: list[str] = []
    if PULLER in annotations:
        args.append("--enable-puller")
        for name, argument in ((CONFIG_PATH, "--config-dir"), (MODELS_PATH, "--model-dir")):
            if name in annotations:
                args += [argument, annotations[name]]
    if _batcher(component) is not None:
        args.append("--enable-batcher")
        for name, argument in (("batchsize", "--max-batchsize"), ("latency", "--max-latency")):
            if (value := annotations.get(f"{_INTERNAL}/batcher-max-{name}")) is not None:
                args += [argument, value]
    if (logger := _logger(component)) is not None:
        args += _logger_args(template, logger, namespace, config)
    return [*args, "--component-port", str(_component_port(template))]


def _logger_args(
    template: Object, logger: Mapping[str, Any], namespace: str, config: AgentConfig
) -> list[str]:
    held, annotations = meta.labels(template), meta.annotations(template)
    storage = _mapping(logger.get("storage"))
    args = [
        *("--log-url", str(logger.get("url") or config.log_url)),
        # A pod of a Deployment has no name yet when upstream's webhook sees it.
        *("--source-uri", ""),
        *("--log-mode", _mode(logger)),
        *("--inference-service", held.get(labels.INFERENCE_SERVICE, "")),
        *("--namespace", namespace),
        *("--endpoint", held.get("endpoint", "")),
        *("--component", held.get(labels.COMPONENT, "")),
    ]
    optional = {
        "--log-store-path": storage.get("path"),
        "--log-store-format": _mapping(storage.get("parameters")).get("format"),
        "--log-marshaller-url": logger.get("marshallerUrl") or config.marshaller_url,
        "--log-batch-size": logger.get("batchSize") or config.batch_size,
        "--log-batch-interval": logger.get("batchInterval") or config.batch_interval,
        "--metadata-headers": annotations.get(f"{_INTERNAL}/logger-metadata-headers"),
        "--metadata-annotations": _told_annotations(annotations),
        "--logger-ca-cert-file": config.ca_cert_file,
    }
    args += [word for name, value in optional.items() if value for word in (name, str(value))]
    # One word: a flag without a value would be true.
    return [*args, f"--logger-tls-skip-verify={str(config.tls_skip_verify).lower()}"]


def _told_annotations(annotations: Mapping[str, str]) -> str:
    """`name=value` of those that the logger names, with commas, quoted where a value has some."""
    names = annotations.get(f"{_INTERNAL}/logger-metadata-annotations", "").split(",")
    pairs = [f"{name}={annotations[name]}" for name in names if name in annotations]
    written = io.StringIO()
    csv.writer(written, lineterminator="").writerow(pairs)
    return written.getvalue() if pairs else ""


def _component_port(template: Object) -> int:
    """Of whom requests go to: the transformer, where it shares the predictor's pod."""
    server = _named(template, labels.TRANSFORMER_CONTAINER) or _named(template, labels.CONTAINER) or {}
    ports = [each for each in server.get("ports") or () if isinstance(each, Mapping)]
    port = ports[0].get("containerPort") if ports else None
    return port if isinstance(port, int) else COMPONENT_PORT


def _container(template: Object, config: AgentConfig, args: list[str]) -> dict[str, Any]:
    containers = template["spec"]["containers"]
    probed = _named(template, labels.TRANSFORMER_CONTAINER) or containers[0]
    probe = _mapping(probed.get("readinessProbe"))
    env, path = [], "/"
    if probe.get("httpGet") or probe.get("tcpSocket"):
        env.append({"name": "SERVING_READINESS_PROBE", "value": json.dumps(probe, separators=(",", ":"))})
        path = str(_mapping(probe.get("httpGet")).get("path") or "/")
    ready = {
        "path": path,
        "port": PORT,
        "scheme": "HTTP",
        "httpHeaders": [{"name": "K-Network-Probe", "value": "queue"}],
    }
    made: dict[str, Any] = {
        "name": labels.AGENT,
        "image": config.image,
        "args": args,
        "resources": {
            "limits": {"cpu": config.cpu_limit, "memory": config.memory_limit},
            "requests": {"cpu": config.cpu_request, "memory": config.memory_request},
        },
        "ports": [{"name": "agent-port", "containerPort": PORT, "protocol": "TCP"}],
        "env": env,
        # As often as the container itself is asked: the agent asks it in turn.
        "readinessProbe": {"httpGet": ready, "periodSeconds": probe.get("periodSeconds") or 1},
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    if containers[0].get("securityContext"):
        made["securityContext"] = copy.deepcopy(containers[0]["securityContext"])
    return made


def _give(spec: dict[str, Any], container: dict[str, Any], access: Access) -> None:
    container["env"] = [*container["env"], *copy.deepcopy(list(access.env))]
    if access.mounts:
        container["volumeMounts"] = [*container.get("volumeMounts", ()), *copy.deepcopy(list(access.mounts))]
    for volume in access.volumes:
        _add_volume(spec, dict(volume))


def _add_ca_bundle(spec: dict[str, Any], container: dict[str, Any], config: AgentConfig) -> None:
    # Optional: who trusts no other certificates needs no ConfigMap.
    _add_volume(spec, {"name": _CA_VOLUME, "configMap": {"name": config.ca_bundle, "optional": True}})
    _mount(container, _CA_VOLUME, _CA_FOLDER, is_read_only=True)


def _add_models(template: Object, agent: dict[str, Any]) -> None:
    """What the puller reads and writes, and the model server reads."""
    annotations, spec = meta.annotations(template), template["spec"]
    if MODELS_PATH in annotations:
        _add_volume(spec, {"name": _MODELS_VOLUME, "emptyDir": {}})
        for container in (agent, _named(template, labels.CONTAINER)):
            if container is not None:
                _mount(container, _MODELS_VOLUME, labels.MODEL_DIR)
    if name := annotations.get(CONFIG_VOLUME):
        _add_volume(spec, {"name": _CONFIG_MAP_VOLUME, "configMap": {"name": name}})
        _mount(agent, _CONFIG_MAP_VOLUME, _CONFIG_FOLDER)


def _mount(container: dict[str, Any], volume: str, path: str, *, is_read_only: bool = False) -> None:
    mount = {"name": volume, "mountPath": path, **({"readOnly": True} if is_read_only else {})}
    container["volumeMounts"] = [*(container.get("volumeMounts") or ()), mount]


def _add_volume(spec: dict[str, Any], volume: dict[str, Any]) -> None:
    held = spec.get("volumes") or []
    if all(each.get("name") != volume["name"] for each in held):
        spec["volumes"] = [*held, volume]


def _named(template: Object, name: str) -> dict[str, Any] | None:
    containers: list[dict[str, Any]] = template["spec"]["containers"]
    return next((each for each in containers if each.get("name") == name), None)


def _logger(component: Mapping[str, Any]) -> Mapping[str, Any] | None:
    found = component.get("logger")
    return found if isinstance(found, Mapping) else None


def _batcher(component: Mapping[str, Any]) -> Mapping[str, Any] | None:
    found = component.get("batcher")
    return found if isinstance(found, Mapping) else None


def _mode(logger: Mapping[str, Any]) -> str:
    return str(logger.get("mode") or MODES[0])


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
