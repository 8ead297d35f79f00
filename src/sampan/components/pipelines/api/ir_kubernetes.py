"""kfp-kubernetes at upload: fields of a KubernetesExecutorConfig that nobody knows, and what can never be right in it.

Called by `ir_validate`. A field that is not here would be left out of the pod in silence, so it is refused: this table
has to grow with upstream's proto, and a test compares them.

Source: kubernetes_platform/proto/kubernetes_executor_config.proto, kubeflow/pipelines 2.17 and its master of 2026-11.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sampan.components.pipelines.api.ir_parse import field as get

_QUANTITY = re.compile(r"[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+|[numkKMGTPE]i?)?\Z")

ANY = "any"
"""The value's own form is checked elsewhere, or is the user's: a Struct, an input parameter, a map of texts."""
_REQUIREMENT = {"key": ANY, "operator": ANY, "values": ANY}
_CLAIM_SOURCE = {"taskOutputParameter": ANY, "constant": ANY, "componentInputParameter": ANY}
_METADATA = {"labels": ANY, "annotations": ANY}

Fields = Mapping[str, Any]
FIELDS: Fields = {
    "secretAsVolume": {"secretName": ANY, "mountPath": ANY, "optional": ANY, "secretNameParameter": ANY},
    "secretAsEnv": {
        "secretName": ANY,
        "keyToEnv": {"secretKey": ANY, "envVar": ANY},
        "optional": ANY,
        "secretNameParameter": ANY,
    },
    "pvcMount": {**_CLAIM_SOURCE, "mountPath": ANY, "pvcNameParameter": ANY, "subPath": ANY},
    "nodeSelector": {"labels": ANY, "nodeSelectorJson": ANY},
    "podMetadata": _METADATA,
    "imagePullSecret": {"secretName": ANY, "secretNameParameter": ANY},
    "imagePullPolicy": ANY,
    "configMapAsVolume": {
        "configMapName": ANY,
        "mountPath": ANY,
        "optional": ANY,
        "configMapNameParameter": ANY,
    },
    "configMapAsEnv": {
        "configMapName": ANY,
        "keyToEnv": {"configMapKey": ANY, "envVar": ANY},
        "configMapNameParameter": ANY,
        "optional": ANY,
    },
    "activeDeadlineSeconds": ANY,
    "fieldPathAsEnv": {"name": ANY, "fieldPath": ANY},
    "tolerations": {
        "key": ANY,
        "operator": ANY,
        "value": ANY,
        "effect": ANY,
        "tolerationSeconds": ANY,
        "tolerationJson": ANY,
    },
    "genericEphemeralVolume": {
        "volumeName": ANY,
        "mountPath": ANY,
        "accessModes": ANY,
        "size": ANY,
        "defaultStorageClass": ANY,
        "storageClassName": ANY,
        "metadata": _METADATA,
    },
    "nodeAffinity": {
        "matchExpressions": _REQUIREMENT,
        "matchFields": _REQUIREMENT,
        "weight": ANY,
        "nodeAffinityJson": ANY,
    },
    "podAffinity": {
        "matchPodExpressions": _REQUIREMENT,
        "matchPodLabels": ANY,
        "topologyKey": ANY,
        "namespaces": ANY,
        "matchNamespaceExpressions": _REQUIREMENT,
        "matchNamespaceLabels": ANY,
        "weight": ANY,
        "anti": ANY,
    },
    "enabledSharedMemory": {"volumeName": ANY, "size": ANY},
    "emptyDirMounts": {"volumeName": ANY, "mountPath": ANY, "medium": ANY, "sizeLimit": ANY},
    "securityContext": {"runAsUser": ANY, "runAsGroup": ANY, "runAsNonRoot": ANY},
    "initContainers": {
        "name": ANY,
        "image": ANY,
        "command": ANY,
        "args": ANY,
        "env": {"name": ANY, "value": ANY},
        "volumeMounts": {"volumeName": ANY, "mountPath": ANY},
        "restartPolicy": ANY,
        "resources": {"requests": ANY, "limits": ANY},
    },
}
_SIZES = (
    ("genericEphemeralVolume", "size"),
    ("emptyDirMounts", "sizeLimit"),
    ("enabledSharedMemory", "size"),
)
_PULL_POLICIES = ("Always", "Never", "IfNotPresent")


def executor_problems(place: str, config: Any) -> Iterator[str]:
    """What is wrong with one executor's config, each with its place."""
    found = list(_unknown(place, config, FIELDS))
    yield from found
    if found:
        return  # its shape may be anything
    policy = get(config, "imagePullPolicy", "")
    if policy and policy not in _PULL_POLICIES:
        yield f"{place}.imagePullPolicy: {policy!r}: expected one of {', '.join(_PULL_POLICIES)}"
    for key, size in _SIZES:
        for item in _listed(get(config, key, [])):
            yield from quantity_problems(f"{place}.{key}.{size}", get(item, size, ""))
    for item in get(config, "initContainers", []):
        resources = get(item, "resources", {})
        for section in ("requests", "limits"):
            for name, amount in get(resources, section, {}).items():
                yield from quantity_problems(f"{place}.initContainers.resources.{section}.{name}", amount)


def quantity_problems(place: str, text: str) -> Iterator[str]:
    """One problem, or none: nothing, a quantity, or a placeholder, whose value is known once the step is reached."""
    if text and "{{$" not in text and not is_quantity(text):
        yield f"{place}: {text!r} is not a quantity such as 500m, 2 or 4Gi"


def is_quantity(text: str) -> bool:
    return _QUANTITY.match(text) is not None


def _unknown(place: str, value: Any, fields: Fields | str) -> Iterator[str]:
    if isinstance(fields, str):
        return
    for item in _listed(value):
        if not isinstance(item, dict):
            yield f"{place}: expected a mapping, not {type(item).__name__}"
            continue
        for name, inner in item.items():
            known = fields.get(name, fields.get(_camel(name)))
            if known is None:
                yield f'{place}: no field named "{name}" in KubernetesExecutorConfig'
            elif inner is not None:
                yield from _unknown(f"{place}.{name}", inner, known)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)
