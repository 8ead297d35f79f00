"""Parts of a pod that a workflow and its templates say: scheduling, volumes, sidecars, patches. Pure.

Source: workflow/controller/workflowpod.go, argo-workflows v3.7.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from sampan.components.pipelines.api.argo.durations import seconds
from sampan.components.pipelines.api.argo.errors import ArgoError
from sampan.components.pipelines.api.argo.tags import Variables, substitute
from sampan.components.pipelines.engine.argo.context import ArgoContext

_BOTH = {
    "nodeSelector": "nodeSelector",
    "affinity": "affinity",
    "schedulerName": "schedulerName",
    "priorityClassName": "podPriorityClassName",
    "hostAliases": "hostAliases",
    "securityContext": "securityContext",
    "automountServiceAccountToken": "automountServiceAccountToken",
    "serviceAccountName": "serviceAccountName",
    "terminationGracePeriodSeconds": "terminationGracePeriodSeconds",
    "resourceClaims": "resourceClaims",
}
"""Fields of a pod, and what they are called in a workflow's spec. The template's own count first."""
_OF_WORKFLOW = ("imagePullSecrets", "hostNetwork", "dnsPolicy", "dnsConfig")
_MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "volumes": "name",
    "env": "name",
    "volumeMounts": "mountPath",
    "ports": "containerPort",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
}


def apply_defaults(spec: dict[str, Any], context: ArgoContext, template: Mapping[str, Any]) -> None:
    """All that surrounds the containers."""
    workflow = context.document.spec
    for name, general in _BOTH.items():
        value = template.get("priorityClassName" if name == "priorityClassName" else name)
        if value is None:
            value = workflow.get(general)
        if value is not None:
            spec[name] = value
    for name in _OF_WORKFLOW:
        if workflow.get(name) is not None:
            spec[name] = workflow[name]
    if context.service_account and "serviceAccountName" not in template:
        spec["serviceAccountName"] = context.service_account
    tolerations = [*(template.get("tolerations") or ()), *(workflow.get("tolerations") or ())]
    if tolerations:
        spec["tolerations"] = tolerations
    volumes = {str(volume.get("name")): volume for volume in context.volumes}
    volumes |= {str(volume.get("name")): volume for volume in template.get("volumes") or ()}
    if volumes:
        spec["volumes"] = [dict(volume) for volume in volumes.values()]
    active = template.get("activeDeadlineSeconds")
    if active is not None and str(active) != "":
        spec["activeDeadlineSeconds"] = max(int(seconds(active)), 1)


def sidecars(template: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Containers beside the program, that go when it ends: Kubernetes' own sidecars do just that."""
    return [{**item, "restartPolicy": "Always"} for item in template.get("sidecars") or ()]


def patched(pod: dict[str, Any], patches: Sequence[Any], variables: Variables) -> dict[str, Any]:
    """The pod with `podSpecPatch`, of the workflow and then of the template, in JSON or YAML. Raises ArgoError."""
    spec = pod["spec"]
    for patch in patches:
        if not patch:
            continue
        try:
            found = yaml.safe_load(str(substitute(patch, variables)))
        except yaml.YAMLError as error:
            raise ArgoError(f"podSpecPatch is neither JSON nor YAML: {error}") from None
        if not isinstance(found, dict):
            raise ArgoError("podSpecPatch must be an object")
        spec = _merged(spec, found)
    return {**pod, "spec": spec}


def _merged(base: Any, over: Any, key: str = "") -> Any:
    """A strategic merge, as far as a pod's spec has lists that are merged by a key."""
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        found = dict(base)
        for name, value in over.items():
            if value is None:
                found.pop(name, None)
            else:
                found[name] = _merged(base[name], value, name) if name in base else value
        return found
    by = _MERGE_KEYS.get(key)
    if isinstance(base, list) and isinstance(over, list) and by:
        items = {item.get(by): item for item in base if isinstance(item, Mapping)}
        for item in over:
            if isinstance(item, Mapping):
                name = item.get(by)
                items[name] = _merged(items[name], item) if name in items else item
        return list(items.values())
    return over
