"""What `inferenceservice-config` says that concerns InferenceServices. Pure.

A section that cannot be read counts as not said. Source: kserve/kserve 0.20 pkg/apis/serving/v1beta1/configmap.go.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sampan.components.serving.api import labels
from sampan.components.serving.engine.inference_services.addresses import DOMAIN_TEMPLATE, Domain
from sampan.components.serving.engine.inference_services.keda import Windows
from sampan.components.serving.engine.inference_services.pods import Disallowed
from sampan.components.serving.engine.inference_services.standard import Rules

Section = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Configured:
    domain: Domain
    deployment_mode: str
    """Of those that name none."""
    disallowed: Disallowed = field(default_factory=Disallowed)
    rules: Rules = field(default_factory=Rules)


def configured(data: Mapping[str, Any], *, domain: str, port: int, deployment_mode: str) -> Configured:
    """`data` of the ConfigMap; the rest is what counts where it says nothing."""
    ingress, deploy = _section(data, "ingress"), _section(data, "deploy")
    more = ingress.get("additionalIngressDomains")
    found = Domain(
        name=_text(ingress, "ingressDomain") or domain,
        template=_text(ingress, "domainTemplate") or DOMAIN_TEMPLATE,
        scheme=_text(ingress, "urlScheme") or "http",
        port=port,
        path_template=_text(ingress, "pathTemplate"),
        more=tuple(dict.fromkeys(map(str, more))) if isinstance(more, list) else (),
    )
    mode = _text(deploy, "defaultDeploymentMode") or deployment_mode
    service = _section(data, "service")
    # What is said for all Deployments counts where services are in mode Standard by default, as upstream has it.
    is_said = labels.MODES.get(mode, mode) == labels.STANDARD
    rollout = _child(_child(deploy, "deploymentRolloutStrategy"), "defaultRollout") if is_said else {}
    rules = Rules(
        is_headless=service.get("serviceClusterIPNone") is True,
        max_surge=_text(rollout, "maxSurge"),
        max_unavailable=_text(rollout, "maxUnavailable"),
        windows=_windows(_section(data, "autoscaler")),
    )
    return Configured(found, mode, _disallowed(_section(data, "inferenceService")), rules)


def _windows(section: Section) -> Windows:
    """Written as texts; one that is no number counts as not said."""
    down, up = (_text(section, f"scale{way}StabilizationWindowSeconds") for way in ("Down", "Up"))
    return Windows(*(int(each) if each.isdecimal() else None for each in (down, up)))


def _disallowed(section: Section) -> Disallowed:
    """What it names comes on top of what is not handed on anyway."""
    base = Disallowed()
    annotations, labels = (section.get(f"service{what}DisallowedList") for what in ("Annotation", "Label"))
    return Disallowed(
        base.annotations | frozenset(map(str, annotations if isinstance(annotations, list) else ())),
        base.labels | frozenset(map(str, labels if isinstance(labels, list) else ())),
    )


def _section(data: Mapping[str, Any], name: str) -> Section:
    try:
        found = json.loads(data.get(name) or "{}")
    except (ValueError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def _child(section: Section, name: str) -> Section:
    found = section.get(name)
    return found if isinstance(found, dict) else {}


def _text(section: Section, name: str) -> str:
    found = section.get(name)
    return found if isinstance(found, str) else ""
