"""The set of conditions of an InferenceService: Ready follows from some, the others inform.

Source: knative.dev/pkg apis/condition_set.go; kserve/kserve 0.20 pkg/apis/serving/v1beta1/inference_service_status.go.
Not so here: of several that are not met the predictor's comes first as Ready's reason, for upstream's "Predictor
ingress not created" hides it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TRUE, FALSE, UNKNOWN = "True", "False", "Unknown"
READY, PREDICTOR_READY, INGRESS_READY = "Ready", "PredictorReady", "IngressReady"
ROUTES_READY, LATEST_DEPLOYMENT_READY = "RoutesReady", "LatestDeploymentReady"
CANARY_PREDICTOR_READY, STOPPED = "CanaryPredictorReady", "Stopped"
_DEPENDENTS = (PREDICTOR_READY, INGRESS_READY)
COMPONENT_READY = {"predictor": PREDICTOR_READY, "transformer": "TransformerReady", "explainer": "ExplainerReady"}
ROUTE_READY = {
    "predictor": "PredictorRouteReady",
    "transformer": "TransformerRouteReady",
    "explainer": "ExplainerRoutesReady",
}
CONFIGURATION_READY = {
    "predictor": "PredictorConfigurationReady",
    "transformer": "TransformerConfigurationReady",
    "explainer": "ExplainerConfigurationReady",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a condition is to say."""

    status: str = UNKNOWN
    reason: str = ""
    message: str = ""

    @property
    def find(status: Mapping[str, Any], type_: str) -> Mapping[str, Any]:
    """The condition of that type; empty where there is none."""
    for each in status.get("conditions") or ():
        if isinstance(each, Mapping) and each.get("type") == type_:
            return each
    return {}
