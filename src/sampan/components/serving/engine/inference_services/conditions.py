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
COMPONENT_READY = {
    "predictor": PREDICTOR_READY,
    "transformer": "TransformerReady",
    "explainer": "ExplainerReady",
}
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
    def is_true(self) -> bool:
        return self.status == TRUE


MET = Verdict(TRUE)
_NOT_YET = Verdict()


def both(first: Verdict, second: Verdict) -> Verdict:
    """What depends on two: False counts before Unknown, the first before the second."""
    for status in (FALSE, UNKNOWN):
        for each in (first, second):
            if each.status == status:
                return each
    return MET


def with_ready(verdicts: Mapping[str, Verdict]) -> dict[str, Verdict]:
    """`verdicts` and what follows for Ready."""
    found = {type_: verdicts.get(type_, _NOT_YET) for type_ in _DEPENDENTS}
    return {**verdicts, **found, READY: both(found[PREDICTOR_READY], found[INGRESS_READY])}


def written(
    before: Sequence[Mapping[str, Any]], verdicts: Mapping[str, Verdict], now: str
) -> list[dict[str, Any]]:
    """The list for the status, sorted by type. A time changes with anything else of its condition."""
    old = {str(each.get("type")): each for each in before if isinstance(each, Mapping)}
    return [_written(type_, verdicts[type_], old.get(type_) or {}, now) for type_ in sorted(verdicts)]


def _written(type_: str, verdict: Verdict, old: Mapping[str, Any], now: str) -> dict[str, Any]:
    wanted = {"type": type_, "status": verdict.status}
    if type_ != READY and type_ not in _DEPENDENTS:
        wanted["severity"] = "Info"
    if verdict.reason:
        wanted["reason"] = verdict.reason
    if verdict.message:
        wanted["message"] = verdict.message
    same = {key: value for key, value in old.items() if key != "lastTransitionTime"} == wanted
    time = str(old.get("lastTransitionTime") or "") if same else ""
    return {**wanted, "lastTransitionTime": time or now}


def find(status: Mapping[str, Any], type_: str) -> Mapping[str, Any]:
    """The condition of that type; empty where there is none."""
    for each in status.get("conditions") or ():
        if isinstance(each, Mapping) and each.get("type") == type_:
            return each
    return {}
