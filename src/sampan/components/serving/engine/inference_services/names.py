"""Names of all that is made for an InferenceService.

Source: kserve/kserve 0.20 pkg/constants/constants.go; knative.dev/serving 1.22 pkg/reconciler/revision/resources/names.
"""

from __future__ import annotations

import re

from sampan.components.serving.api.labels import EXPLAINER, PREDICTOR, TRANSFORMER

_NUMBER = re.compile(r"-(\d{5,})$")
CLUSTER_DOMAIN = "svc.cluster.local"


def component_name(service: str, component: str, variant: str = "") -> str:
    """Of the Service and, in mode Standard, of the Deployment; `variant` is the predictor's own name."""
    if component == PREDICTOR and variant:
        return f"{service}-{variant}-{PREDICTOR}"
    return f"{service}-{component}"


def revision_name(configuration: str, number: int) -> str:
    return f"{configuration}-{number:05d}"


def number_of(revision: str) -> int:
    """0 for what is none."""
    found = _NUMBER.search(revision)
    return int(found.group(1)) if found else 0


def deployment_name(revision: str) -> str:
    return f"{revision}-deployment"


def app_label(component: str) -> str:
    """By which pods are selected in mode Standard."""
    return f"isvc.{component}"


def cluster_host(service: str, namespace: str) -> str:
    return f"{service}.{namespace}.{CLUSTER_DOMAIN}"


COMPONENTS = (PREDICTOR, TRANSFORMER, EXPLAINER)
