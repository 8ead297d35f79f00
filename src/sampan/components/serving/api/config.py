"""`inferenceservice-config`: what it says of InferenceServices' defaults, and how its sections are read.

A section that cannot be read counts as not said, and `unreadable` says which and why. Source: kserve/kserve 0.20
pkg/apis/serving/v1beta1/configmap.go. What it says of storage and of the agent is read in `engine/{storage,agent}`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sampan.components.serving.api.labels import KNATIVE, MODES, STANDARD
from sampan.components.serving.api.reading import child, mapping, text
from sampan.kube import quantities
from sampan.kube.meta import Object

_AMOUNTS = (
    ("requests", "cpu", "cpuRequest"),
    ("requests", "memory", "memoryRequest"),
    ("limits", "cpu", "cpuLimit"),
    ("limits", "memory", "memoryLimit"),
)
_EXAMPLES = "_example"


@dataclass(frozen=True, slots=True)
class Config:
    deployment_mode: str = KNATIVE
    """Of InferenceServices that name none."""
    resources: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """`requests` and `limits` of containers of transformers, explainers and custom predictors that say none."""
    mounts_tokens: bool = True
    """Whether pods have their service account's token unless their spec says otherwise."""
    explainer_images: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Image and version by the explainer's field."""

    @staticmethod
    def of(data: Mapping[str, Any], deployment_mode: str = KNATIVE) -> Config:
        """From the ConfigMap's data; `deployment_mode` holds where it names none."""
        said = text(section(data, "deploy").get("defaultDeploymentMode"))
        token = section(data, "security").get("autoMountServiceAccountToken")
        explainers = section(data, "explainers")
        return Config(
            MODES.get(said, deployment_mode if deployment_mode in (KNATIVE, STANDARD) else KNATIVE),
            _resources(child(section(data, "inferenceService"), "resource")),
            token is not False,
            {
                name: (text(each.get("image")), text(each.get("defaultImageVersion")))
                for name, each in explainers.items()
                if isinstance(each, dict)
            },
        )


def section(data: Mapping[str, Any], name: str) -> Object:
    """Empty where it is not there or cannot be read."""
    try:
        return mapping(json.loads(data[name]))
    except (KeyError, ValueError, TypeError):
        return {}


def unreadable(data: Mapping[str, Any]) -> dict[str, str]:
    """Why sections cannot be read, by name."""
    found: dict[str, str] = {}
    for name, value in data.items():
        if name == _EXAMPLES:
            continue
        try:
            if not isinstance(json.loads(value), dict):
                found[name] = "it must be a JSON object"
        except (ValueError, TypeError) as error:
            found[name] = f"it must be JSON: {error}"
    mode = text(section(data, "deploy").get("defaultDeploymentMode"))
    if mode and mode not in MODES:
        found["deploy"] = f"defaultDeploymentMode must be {KNATIVE} or {STANDARD}, not {mode}"
    return found


def _resources(said: Object) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for kind, resource, key in _AMOUNTS:
        if _is_amount(said.get(key)):
            found.setdefault(kind, {})[resource] = str(said[key])
    return found


def _is_amount(value: Any) -> bool:
    try:
        return value not in ("", None) and quantities.parse(value) >= 0
    except (ValueError, TypeError):
        return False
