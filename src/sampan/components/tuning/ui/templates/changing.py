"""Trial templates written and taken away. Other ConfigMaps are left alone.

Source: kubeflow/katib 0.19 pkg/ui/v1beta1/util.go (updateTrialTemplates): the last template takes its ConfigMap along.
"""

from __future__ import annotations

from typing import Any

from sampan.components.tuning.api import labels
from sampan.components.tuning.ui import actions
from sampan.components.tuning.ui.templates import finding
from sampan.components.tuning.ui.templates.finding import Template
from sampan.kube import meta
from sampan.ui.api import Api, ApiFailureError
from sampan.ui.objects.making import MANAGER

_NOT_FOUND = 404
_REFUSED = 409


async def write(api: Api, template: Template, *, is_new: bool) -> None:
    """Raises ApiFailureError."""
    found = await _found(api, template)
    if found is None:
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": template.config_map,
                "namespace": template.namespace,
                "labels": finding.LABEL,
            },
            "data": {template.key: template.text},
        }
        await api.post(finding.config_maps(template.namespace), body, MANAGER)
        return
    if is_new and template.key in (found.get("data") or {}):
        raise ApiFailureError(_REFUSED, f"{template.config_map} has a template {template.key} already.")
    await _patch(api, template, template.text)


async def remove(api: Api, template: Template) -> None:
    """Raises ApiFailureError."""
    found = await _found(api, template)
    if found is None:
        return
    if set(found.get("data") or {}) <= {template.key}:
        version = meta.resource_version(found)
        path = finding.config_maps(template.namespace, template.config_map)
        # Of that version: somebody may be adding one.
        await api.delete(path, json={"preconditions": {"resourceVersion": version}} if version else None)
        return
    await _patch(api, template, None)


async def _found(api: Api, template: Template) -> Any:
    """None where there is none. Raises ApiFailureError, for one that holds something else too."""
    try:
        found = await api.get(finding.config_maps(template.namespace, template.config_map))
    except ApiFailureError as error:
        if error.status == _NOT_FOUND:
            return None
        raise
    if meta.labels(found).get(labels.COMPONENT) != labels.TRIAL_TEMPLATES:
        told = f"The ConfigMap {template.config_map} is there, and is none of trial templates: take another name."
        raise ApiFailureError(_REFUSED, told)
    return found


async def _patch(api: Api, template: Template, text: str | None) -> None:
    path = finding.config_maps(template.namespace, template.config_map)
    await api.patch(path, {"data": {template.key: text}}, MANAGER, content_type=actions.MERGE)
