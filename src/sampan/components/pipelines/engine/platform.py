"""kfp-kubernetes: what a KubernetesExecutorConfig adds to a step's pod. Pure.

Source: kubernetes_platform/proto/kubernetes_executor_config.proto and backend/src/v2/driver/k8s.go,
kubeflow/pipelines 2.17. Most names may be input parameters; what resolves to null is skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sampan.components.pipelines.api.ir_model import ParameterInput, Value
from sampan.components.pipelines.api.ir_parse import field as get
from sampan.components.pipelines.api.ir_parse import parse_parameter_input
from sampan.components.pipelines.api.ir_values import kind_of
from sampan.components.pipelines.engine.errors import NullInputError, StepError

_Json = Mapping[str, Any]
Resolve = Callable[[ParameterInput], Value]
"""Raises NullInputError where the input is null."""

_SHARED_MEMORY = "/dev/shm"  # noqa: S108  not a file of ours: where POSIX shared memory is
_MAIN = "main"
_PULL_POLICIES = ("Always", "Never", "IfNotPresent")


@dataclass(slots=True)
class Platform:
    """Parts of a pod, as Kubernetes writes them. The first six may be handed to the step as a parameter instead."""

    env: list[dict[str, Any]] = field(default_factory=list)
    volumes: list[dict[str, Any]] = field(default_factory=list)
    volume_mounts: list[dict[str, Any]] = field(default_factory=list)
    node_selector: dict[str, str] = field(default_factory=dict)
    tolerations: list[dict[str, Any]] = field(default_factory=list)
    affinity: dict[str, Any] = field(default_factory=dict)
    own_volumes: list[dict[str, Any]] = field(default_factory=list)
    """Volumes of the pod's own: ephemeral and empty ones."""
    own_mounts: list[dict[str, Any]] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    image_pull_policy: str = ""
    image_pull_secrets: list[dict[str, str]] = field(default_factory=list)
    active_deadline_seconds: int = 0
    security_context: dict[str, Any] = field(default_factory=dict)
    init_containers: list[dict[str, Any]] = field(default_factory=list)


def platform(config: _Json, resolve: Resolve) -> Platform:
    """Raises StepError for what is missing or of the wrong shape."""
    parts = Platform()
    if not config:
        return parts
    _claims(config, resolve, parts)
    _mounted(config, resolve, parts)
    _environment(config, resolve, parts)
    _scheduling(config, resolve, parts)
    _own_volumes(config, parts)
    metadata = get(config, "podMetadata", {})
    parts.labels.update(get(metadata, "labels", {}))
    parts.annotations.update(get(metadata, "annotations", {}))
    parts.image_pull_policy = get(config, "imagePullPolicy", "")
    if parts.image_pull_policy and parts.image_pull_policy not in _PULL_POLICIES:
        raise StepError(
            f"imagePullPolicy {parts.image_pull_policy!r}: expected one of {', '.join(_PULL_POLICIES)}"
        )
    for secret in get(config, "imagePullSecret", []):
        if (name := _name(secret, "secretName", resolve)) is not None:
            parts.image_pull_secrets.append({"name": name})
    parts.active_deadline_seconds = int(get(config, "activeDeadlineSeconds", 0))
    parts.security_context = _security_context(get(config, "securityContext"))
    parts.init_containers = _init_containers(config)
    return parts


def _security_context(security: _Json | None) -> dict[str, Any]:
    if security is None:
        return {}
    found: dict[str, Any] = {
        key: int(value) for key in ("runAsUser", "runAsGroup") if (value := get(security, key)) is not None
    }
    if (value := get(security, "runAsNonRoot")) is not None:
        found["runAsNonRoot"] = bool(value)
    if found.get("runAsNonRoot") and found.get("runAsUser") == 0:
        raise StepError("securityContext: runAsUser 0 is root, and runAsNonRoot is true; use another user")
    return {**found, "capabilities": {"drop": ["ALL"]}}


def claim_names(config: _Json, resolve: Resolve) -> list[str]:
    """The persistent volume claims that the step mounts: they count for caching."""
    return [name for name, _ in _claim_mounts(config, resolve)]


def _claims(config: _Json, resolve: Resolve, parts: Platform) -> None:
    for name, mount in _claim_mounts(config, resolve):
        parts.volumes.append({"name": name, "persistentVolumeClaim": {"claimName": name}})
        mounted = {"name": name, "mountPath": get(mount, "mountPath", "")}
        if sub_path := get(mount, "subPath", ""):
            mounted["subPath"] = sub_path
        parts.volume_mounts.append(mounted)


def _claim_mounts(config: _Json, resolve: Resolve) -> Iterator[tuple[str, _Json]]:
    for mount in get(config, "pvcMount", []):
        if not get(mount, "mountPath", ""):
            raise StepError("a volume mount has no mountPath")
        if (parameter := get(mount, "pvcNameParameter")) is None:
            # The deprecated form puts the reference into the mount itself.
            constant = get(mount, "constant")
            parameter = {"runtimeValue": {"constant": constant}} if constant is not None else mount
        name = _text(resolve(parse_parameter_input(parameter)), "the name of a volume claim")
        yield name, mount


def _mounted(config: _Json, resolve: Resolve, parts: Platform) -> None:
    for key, name_field, source, name_key in (
        ("secretAsVolume", "secretName", "secret", "secretName"),
        ("configMapAsVolume", "configMapName", "configMap", "name"),
    ):
        for item in get(config, key, []):
            if (name := _name(item, name_field, resolve)) is None:
                continue
            optional = bool(get(item, "optional", False))
            volume = {"name": name, source: {name_key: name, "optional": optional}}
            if any(other["name"] == name and source not in other for other in parts.volumes):
                # A Secret and a ConfigMap may have the same name, two volumes of a pod may not.
                volume["name"] = f"{name}-{source.lower()}"
            parts.volumes.append(volume)
            parts.volume_mounts.append({"name": volume["name"], "mountPath": get(item, "mountPath", "")})


def _environment(config: _Json, resolve: Resolve, parts: Platform) -> None:
    for key, name_field, ref, key_field in (
        ("secretAsEnv", "secretName", "secretKeyRef", "secretKey"),
        ("configMapAsEnv", "configMapName", "configMapKeyRef", "configMapKey"),
    ):
        for item in get(config, key, []):
            if (name := _name(item, name_field, resolve)) is None:
                continue
            for mapping in get(item, "keyToEnv", []):
                selector: dict[str, Any] = {"name": name, "key": get(mapping, key_field, "")}
                if (optional := get(item, "optional")) is not None:
                    selector["optional"] = bool(optional)
                parts.env.append({"name": get(mapping, "envVar", ""), "valueFrom": {ref: selector}})
    for item in get(config, "fieldPathAsEnv", []):
        source = {"fieldRef": {"fieldPath": get(item, "fieldPath", "")}}
        parts.env.append({"name": get(item, "name", ""), "valueFrom": source})


def _scheduling(config: _Json, resolve: Resolve, parts: Platform) -> None:
    selector = get(config, "nodeSelector", {})
    if (given := get(selector, "nodeSelectorJson")) is not None:
        found = _optional(given, resolve)
        parts.node_selector.update(_mapping(found, "a node selector") if found is not None else {})
    else:
        parts.node_selector.update(get(selector, "labels", {}))
    for item in get(config, "tolerations", []):
        if (given := get(item, "tolerationJson")) is None:
            toleration = {key: get(item, key) for key in ("key", "operator", "value", "effect")}
            seconds = get(item, "tolerationSeconds")
            toleration["tolerationSeconds"] = int(seconds) if seconds is not None else None
            parts.tolerations.append({key: value for key, value in toleration.items() if value is not None})
            continue
        found = _optional(given, resolve)
        for toleration in found if isinstance(found, list) else [found] if found else []:
            parts.tolerations.append(_mapping(toleration, "a toleration"))
    _node_affinity(config, resolve, parts)
    _pod_affinity(config, parts)


def _node_affinity(config: _Json, resolve: Resolve, parts: Platform) -> None:
    required: list[Any] = []
    preferred: list[Any] = []
    for item in get(config, "nodeAffinity", []):
        if (given := get(item, "nodeAffinityJson")) is not None:
            found = _optional(given, resolve)
            affinity = _mapping(found, "a node affinity") if found is not None else {}
            needed = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
            required.extend(needed.get("nodeSelectorTerms") or ())
            preferred.extend(affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or ())
            continue
        term = {key: get(item, key) for key in ("matchExpressions", "matchFields") if get(item, key)}
        if not term:
            continue
        weight = get(item, "weight")
        if weight is None:
            required.append(term)
        else:
            preferred.append({"weight": int(weight), "preference": term})
    affinity = {}
    if required:
        affinity["requiredDuringSchedulingIgnoredDuringExecution"] = {"nodeSelectorTerms": required}
    if preferred:
        affinity["preferredDuringSchedulingIgnoredDuringExecution"] = preferred
    if affinity:
        parts.affinity["nodeAffinity"] = affinity


def _pod_affinity(config: _Json, parts: Platform) -> None:
    for item in get(config, "podAffinity", []):
        term: dict[str, Any] = {"topologyKey": get(item, "topologyKey", "")}
        for key, labels, expressions in (
            ("labelSelector", "matchPodLabels", "matchPodExpressions"),
            ("namespaceSelector", "matchNamespaceLabels", "matchNamespaceExpressions"),
        ):
            selector = {"matchLabels": get(item, labels), "matchExpressions": get(item, expressions)}
            if chosen := {name: value for name, value in selector.items() if value}:
                term[key] = chosen
        if namespaces := get(item, "namespaces"):
            term["namespaces"] = namespaces
        kind = "podAntiAffinity" if get(item, "anti", False) else "podAffinity"
        group = parts.affinity.setdefault(kind, {})
        weight = get(item, "weight")
        if weight is None:
            group.setdefault("requiredDuringSchedulingIgnoredDuringExecution", []).append(term)
        else:
            preferred = {"weight": int(weight), "podAffinityTerm": term}
            group.setdefault("preferredDuringSchedulingIgnoredDuringExecution", []).append(preferred)


def _own_volumes(config: _Json, parts: Platform) -> None:
    for item in get(config, "genericEphemeralVolume", []):
        spec: dict[str, Any] = {
            "accessModes": get(item, "accessModes", []),
            "resources": {"requests": {"storage": get(item, "size", "")}},
        }
        if not get(item, "defaultStorageClass", False):
            spec["storageClassName"] = get(item, "storageClassName", "")
        template = {"metadata": dict(get(item, "metadata", {})), "spec": spec}
        _own(item, {"ephemeral": {"volumeClaimTemplate": template}}, get(item, "mountPath", ""), parts)
    for item in get(config, "emptyDirMounts", []):
        source = {key: get(item, key) for key in ("medium", "sizeLimit") if get(item, key)}
        _own(item, {"emptyDir": source}, get(item, "mountPath", ""), parts)
    if shared := get(config, "enabledSharedMemory"):
        source = {"medium": "Memory"}
        if size := get(shared, "size", ""):
            source["sizeLimit"] = size
        named = dict(shared) | {"volumeName": get(shared, "volumeName", "") or "shm"}
        _own(named, {"emptyDir": source}, _SHARED_MEMORY, parts)


def _own(item: _Json, source: dict[str, Any], mount_path: str, parts: Platform) -> None:
    name = get(item, "volumeName", "")
    parts.own_volumes.append({"name": name, **source})
    parts.own_mounts.append({"name": name, "mountPath": mount_path})


def _init_containers(config: _Json) -> list[dict[str, Any]]:
    found = [_init_container(item) for item in get(config, "initContainers", [])]
    names = [_MAIN, *(container["name"] for container in found)]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise StepError(f'init container "{twice}": another container of the pod has this name')
    return found


def _init_container(item: _Json) -> dict[str, Any]:
    if not get(item, "name", "") or not get(item, "image", ""):
        raise StepError("an init container needs a name and an image")
    name = get(item, "name")
    if (policy := get(item, "restartPolicy", "Always")) != "Always":
        raise StepError(
            f'init container "{name}": restartPolicy {policy!r}: only "Always", a sidecar, is possible'
        )
    if any(not get(variable, "name", "") for variable in get(item, "env", [])):
        raise StepError(f'init container "{name}": an environment variable has no name')
    container: dict[str, Any] = {
        "name": name,
        "image": get(item, "image"),
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    for key in ("command", "args", "env", "restartPolicy", "resources"):
        if value := get(item, key):
            container[key] = value
    mounts = [
        {"name": get(mount, "volumeName", ""), "mountPath": get(mount, "mountPath", "")}
        for mount in get(item, "volumeMounts", [])
    ]
    for mount in mounts:
        if not mount["name"] or not mount["mountPath"].startswith("/"):
            raise StepError(f'init container "{name}": a volume mount needs a volume and an absolute path')
    return container | {"volumeMounts": mounts} if mounts else container


def _name(item: _Json, name_field: str, resolve: Resolve) -> str | None:
    """The name of a secret or such: a parameter, or the deprecated plain field; None when the parameter is null."""
    if (parameter := get(item, f"{name_field}Parameter")) is not None:
        found = _optional(parameter, resolve)
        return None if found is None else _text(found, name_field)
    return _text(get(item, name_field), name_field)


def _optional(parameter: _Json, resolve: Resolve) -> Value:
    try:
        return resolve(parse_parameter_input(parameter))
    except NullInputError:
        return None


def _text(value: Value, what: str) -> str:
    if not isinstance(value, str) or not value:
        raise StepError(f"{what} must be a text that is not empty, not {kind_of(value)}")
    return value


def _mapping(value: Value, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise StepError(f"{what} must be a mapping, not {kind_of(value)}")
    return value
