"""What a suggestion service of a user's own consists of: Deployment, Service, volume, and who it acts as. Pure.

Source: kubeflow/katib 0.19 pkg/controller.v1beta1/suggestion/composer/composer.go, pkg/apis/config/v1beta1/defaults.go.
Algorithms that come with the platform need none of it but the claim, which upstream's users look for. The Deployment
and the Service also have the labels that upstream gives to the pods only, by which they are watched.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sampan.components.tuning.api import labels
from sampan.components.tuning.api.kinds import GROUP, SUGGESTIONS, TRIALS
from sampan.components.tuning.api.reading import named_values
from sampan.components.tuning.engine.suggestion.katib_config import (
    STOPPING_PORT,
    STOPPING_PORT_NAME,
    SUGGESTION_PORT,
    SUGGESTION_PORT_NAME,
)
from sampan.kube import meta, owners, rbac
from sampan.kube.kinds import (
    DEPLOYMENTS,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    SERVICE_ACCOUNTS,
    SERVICES,
    Resource,
)
from sampan.kube.meta import Object
from sampan.kube.quantities import parse

_ISTIO = {"sidecar.istio.io/inject": "false"}
_CONTAINER, _STOPPING_CONTAINER = "suggestion", "early-stopping"
_VOLUME, _MOUNT_PATH = "suggestion-volume", "/opt/katib/data"
_CHECKPOINTS = "suggestion_trial_dir"
"""The setting by which trials find a folder of the volume."""
_PROBED_SERVICE = "manager.v1beta1.Suggestion"
_REQUESTS = {"cpu": "50m", "memory": "10Mi", "ephemeral-storage": "500Mi"}
_LIMITS = {"cpu": "500m", "memory": "100Mi", "ephemeral-storage": "5Gi"}
_OF_CONFIG = (
    *("algorithmName", "serviceAccountName", "volumeMountPath"),
    *("persistentVolumeClaimSpec", "persistentVolumeSpec", "persistentVolumeLabels"),
)
"""Of an entry; the rest is its container."""


@dataclass(frozen=True, slots=True)
class Composition:
    """Entries of katib-config for one suggestion: those of the user's own."""

    suggestion: Object
    service: Object | None
    """Of the algorithm; None where that comes with the platform."""
    stopping: Object | None
    """Of early stopping, likewise."""
    probes: bool = True

    @property
    def is_needed(self) -> bool:
        return self.service is not None or self.stopping is not None

    @property
    def name(self) -> str:
        return name_of(self.suggestion)


def name_of(suggestion: Object) -> str:
    """Of everything that belongs to it."""
    algorithm = (meta.spec(suggestion).get("algorithm") or {}).get("algorithmName")
    return f"{meta.name(suggestion)}-{algorithm}"


def labels_of(suggestion: Object) -> dict[str, str]:
    name = meta.name(suggestion)
    return {
        **meta.labels(suggestion),
        labels.DEPLOYMENT: name_of(suggestion),
        labels.EXPERIMENT: name,
        labels.SUGGESTION: name,
        **_ISTIO,
    }


def deployment_of(made: Composition) -> Object:
    suggestion, found = made.suggestion, labels_of(made.suggestion)
    account = str((made.service or {}).get("serviceAccountName") or "")
    pod: Object = {"containers": _containers(made)}
    if has_volume(suggestion) and made.service is not None:
        pod["volumes"] = [{"name": _VOLUME, "persistentVolumeClaim": {"claimName": made.name}}]
    if account or needs_account(made):
        pod["serviceAccountName"] = account or made.name
    annotations = {"annotations": held} if (held := meta.annotations(suggestion)) else {}
    obj = _owned(DEPLOYMENTS, suggestion, made.name)
    obj["metadata"] |= {"labels": found, **annotations}
    obj["spec"] = {
        "replicas": 1,
        "selector": {"matchLabels": found},
        "template": {"metadata": {"labels": found, **annotations}, "spec": pod},
    }
    return obj


def service_of(made: Composition) -> Object:
    ports = [{"name": SUGGESTION_PORT_NAME, "port": SUGGESTION_PORT}] if made.service is not None else []
    if made.stopping is not None:
        ports.append({"name": STOPPING_PORT_NAME, "port": STOPPING_PORT})
    found = labels_of(made.suggestion)
    obj = _owned(SERVICES, made.suggestion, made.name)
    obj["metadata"]["labels"] = found
    obj["spec"] = {"type": "ClusterIP", "selector": found, "ports": ports}
    return obj


def has_volume(suggestion: Object) -> bool:
    """Also where its trials keep their checkpoints in it, whatever the policy: upstream's wait for it for ever."""
    spec = meta.spec(suggestion)
    if spec.get("resumePolicy") == "FromVolume":
        return True
    return bool(named_values((spec.get("algorithm") or {}).get("algorithmSettings")).get(_CHECKPOINTS))


def claim_of(suggestion: Object, entry: Mapping[str, Any]) -> Object:
    """`entry` of the algorithm, upstream's own included; an empty one has defaults."""
    spec = copy.deepcopy(entry.get("persistentVolumeClaimSpec") or {})
    spec["accessModes"] = spec.get("accessModes") or ["ReadWriteOnce"]
    resources = spec.setdefault("resources", {})
    resources["requests"] = resources.get("requests") or {"storage": "1Gi"}
    return _owned(PERSISTENT_VOLUME_CLAIMS, suggestion, name_of(suggestion)) | {"spec": spec}


def volume_of(suggestion: Object, entry: Mapping[str, Any]) -> Object | None:
    """None where the configuration asks for none. Nobody owns it: it goes with its claim."""
    spec = entry.get("persistentVolumeSpec")
    if not spec:
        return None
    return {
        "apiVersion": PERSISTENT_VOLUMES.api_version,
        "kind": PERSISTENT_VOLUMES.kind,
        "metadata": {
            "name": f"{name_of(suggestion)}-{meta.namespace(suggestion)}",
            "labels": dict(entry.get("persistentVolumeLabels") or {}),
        },
        "spec": {**spec, "persistentVolumeReclaimPolicy": "Delete"},
    }


def needs_account(made: Composition) -> bool:
    """Whether it acts on trials, as early stopping does, and nobody has said as whom."""
    return made.stopping is not None and not (made.service or {}).get("serviceAccountName")


def account_of(made: Composition) -> list[tuple[Resource, Object]]:
    """A service account, what it may, and that it may."""
    suggestion, name = made.suggestion, made.name
    account, role, binding = (
        _owned(resource, suggestion, name) for resource in (SERVICE_ACCOUNTS, rbac.ROLES, rbac.ROLE_BINDINGS)
    )
    plural = TRIALS.plural
    role["rules"] = [{"apiGroups": [GROUP], "resources": [plural, f"{plural}/status"], "verbs": ["*"]}]
    subject = {"kind": "ServiceAccount", "name": name, "namespace": meta.namespace(suggestion)}
    binding |= {
        "subjects": [subject],
        "roleRef": {"apiGroup": rbac.GROUP, "kind": rbac.ROLES.kind, "name": name},
    }
    return [(SERVICE_ACCOUNTS, account), (rbac.ROLES, role), (rbac.ROLE_BINDINGS, binding)]


def _containers(made: Composition) -> list[Object]:
    found = []
    if made.service is not None:
        found.append(_container(made, made.service))
    if made.stopping is not None:
        entry = made.stopping
        found.append(
            {
                "name": _STOPPING_CONTAINER,
                "image": entry["image"],
                "imagePullPolicy": _pull_policy(entry),
                "ports": [{"name": STOPPING_PORT_NAME, "containerPort": STOPPING_PORT}],
                "resources": _resources(entry.get("resources")),
            }
        )
    return found


def _container(made: Composition, entry: Object) -> Object:
    container: Object = {key: copy.deepcopy(value) for key, value in entry.items() if key not in _OF_CONFIG}
    container["name"] = container.get("name") or _CONTAINER
    container["imagePullPolicy"] = _pull_policy(entry)
    container["resources"] = _resources(container.get("resources"))
    port = {"name": SUGGESTION_PORT_NAME, "containerPort": SUGGESTION_PORT}
    container["ports"] = [*(container.get("ports") or ()), port]
    if made.probes:
        probe = {"grpc": {"port": SUGGESTION_PORT, "service": _PROBED_SERVICE}, "initialDelaySeconds": 10}
        container.setdefault("readinessProbe", {**probe, "periodSeconds": 10})
        container.setdefault("livenessProbe", {**probe, "periodSeconds": 120, "failureThreshold": 12})
    mounts = container.get("volumeMounts") or []
    if has_volume(made.suggestion) and not any(each.get("name") == _VOLUME for each in mounts):
        path = entry.get("volumeMountPath") or _MOUNT_PATH
        container["volumeMounts"] = [*mounts, {"name": _VOLUME, "mountPath": path}]
    return container


def _pull_policy(entry: Mapping[str, Any]) -> str:
    found = entry.get("imagePullPolicy")
    return str(found) if found in ("Always", "Never") else "IfNotPresent"


def _resources(given: Any) -> Object:
    """With upstream's defaults, also for what is zero; a negative quantity takes one away."""
    found: Object = dict(given or {})
    for key, defaults in (("requests", _REQUESTS), ("limits", _LIMITS)):
        merged = dict(found.get(key) or {})
        merged |= {name: value for name, value in defaults.items() if _sign(merged.get(name, 0)) == 0}
        found[key] = {name: value for name, value in merged.items() if _sign(value) >= 0}
    return found


def _sign(value: Any) -> int:
    """Of what is no quantity, 1: the API says what is wrong with it."""
    try:
        found = parse(str(value))
    except ValueError:
        return 1
    return (found > 0) - (found < 0)


def _owned(resource: Resource, suggestion: Object, name: str) -> Object:
    owner = {"apiVersion": SUGGESTIONS.api_version, "kind": SUGGESTIONS.kind, **suggestion}
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {
            "name": name,
            "namespace": meta.namespace(suggestion),
            "ownerReferences": [owners.owner_reference(owner)],
        },
    }
