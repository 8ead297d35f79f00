"""The status of an InferenceGraph, out of what is seen of its router. Pure.

Source: kserve/kserve v0.20.0 pkg/controller/v1alpha1/inferencegraph/{controller,raw_ig}.go, whose conditions in mode
Knative are those of a Knative Service. Not so here: a missing service is a condition (ServicesReady) of its own, on
which Ready depends; `observedGeneration` is the object's own; which revisions there are stands in an annotation of the
status, as the kind has no field for it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sampan.components.serving.api import labels
from sampan.components.serving.api.reading import mapping
from sampan.components.serving.engine.inference_services import addresses
from sampan.components.serving.engine.inference_services import conditions as known
from sampan.components.serving.engine.inference_services.addresses import AddressError, Domain
from sampan.components.serving.engine.inference_services.conditions import (
    FALSE,
    MET,
    READY,
    STOPPED,
    TRUE,
    Verdict,
)
from sampan.components.serving.engine.inference_services.status import ComponentSeen
from sampan.components.serving.engine.inference_services.traffic import Rollout
from sampan.kube import meta
from sampan.kube.meta import Object

SERVICES_READY, CONFIGURATIONS_READY, ROUTES_READY = "ServicesReady", "ConfigurationsReady", "RoutesReady"
ROLLOUT = "sampan.dev/rollout"
"""An annotation of the status."""
Status = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Around:
    mode: str
    domain: Domain
    now: str


def is_stopped(graph: Object) -> bool:
    return meta.annotations(graph).get(labels.STOP, "").lower() == "true"


def deployment_mode(graph: Object, default: str) -> str:
    """What its annotation says, else what it has had, else the default: one that is changed by hand changes."""
    wanted = labels.MODES.get(meta.annotations(graph).get(labels.DEPLOYMENT_MODE, ""))
    recorded = labels.MODES.get(str(meta.status(graph).get("deploymentMode") or ""))
    return wanted or recorded or labels.MODES.get(default, default)


def rollout_of(graph: Object) -> Mapping[str, Any]:
    """Its revisions, in the words of an InferenceService's component."""
    text = mapping(meta.status(graph).get("annotations")).get(ROLLOUT)
    try:
        found = json.loads(text) if isinstance(text, str) else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def with_component(graph: Object, kind: str) -> Object:
    """The graph as whoever keeps components of InferenceServices reads it."""
    return {**graph, "status": {"components": {kind: dict(rollout_of(graph))}}}


def running(graph: Object, seen: ComponentSeen, around: Around) -> Status:
    found = _begun(graph, around)
    verdicts: dict[str, Verdict] = {SERVICES_READY: MET, STOPPED: Verdict(FALSE)}
    if around.mode == labels.KNATIVE:
        verdicts |= {CONFIGURATIONS_READY: seen.configuration, ROUTES_READY: seen.route}
        if seen.rollout is not None:
            found["annotations"] = {ROLLOUT: _told(seen.rollout)}
    ready = seen.ready
    if ready.is_true or (seen.rollout is not None and seen.rollout.latest_ready):
        try:
            found["url"] = addresses.url(
                addresses.host(graph, meta.name(graph), around.domain), around.domain
            )
        except AddressError as error:
            ready = Verdict(FALSE, "DomainNotValid", str(error))
    found["conditions"] = _conditions(graph, {**verdicts, READY: ready}, around.now)
    return found


def waiting(graph: Object, reason: str, message: str, around: Around) -> Status:
    """For services that are missing. A router that runs goes on as it is."""
    before = meta.status(graph)
    found = _begun(graph, around)
    found |= {key: before[key] for key in ("url", "annotations") if key in before}
    verdict = Verdict(FALSE, reason, message)
    kept = {
        str(each["type"]): Verdict(each["status"], each.get("reason", ""), each.get("message", ""))
        for each in before.get("conditions") or ()
        if isinstance(each, Mapping) and each.get("type") in (CONFIGURATIONS_READY, ROUTES_READY)
    }
    verdicts = {**kept, SERVICES_READY: verdict, STOPPED: Verdict(FALSE), READY: verdict}
    found["conditions"] = _conditions(graph, verdicts, around.now)
    return found


def refused(graph: Object, reason: str, message: str, around: Around) -> Status:
    """For a graph that cannot be served as it is."""
    before = meta.status(graph)
    found = _begun(graph, around)
    found |= {key: before[key] for key in ("annotations",) if key in before}
    verdicts = {STOPPED: Verdict(FALSE), READY: Verdict(FALSE, reason, message)}
    found["conditions"] = _conditions(graph, verdicts, around.now)
    return found


def stopped(graph: Object, around: Around) -> Status:
    found = _begun(graph, around)
    verdicts = {STOPPED: Verdict(TRUE), READY: Verdict(FALSE, "Stopped")}
    found["conditions"] = _conditions(graph, verdicts, around.now)
    return found


def _begun(graph: Object, around: Around) -> Status:
    return {"observedGeneration": meta.generation(graph), "deploymentMode": around.mode}


def _conditions(graph: Object, verdicts: Mapping[str, Verdict], now: str) -> list[dict[str, Any]]:
    before = meta.status(graph).get("conditions") or ()
    written = known.written(before, verdicts, now)
    for each in written:
        if each["type"] in (CONFIGURATIONS_READY, ROUTES_READY, SERVICES_READY):
            # Ready follows from them.
            each.pop("severity", None)
    return written


def _told(rollout: Rollout) -> str:
    told = {
        "latestCreatedRevision": rollout.latest_created,
        "latestReadyRevision": rollout.latest_ready,
        "latestRolledoutRevision": rollout.latest_rolled_out,
        "previousRolledoutRevision": rollout.previous_rolled_out,
        "traffic": [
            {"revisionName": each.revision, "percent": each.percent, "latestRevision": each.is_latest}
            for each in rollout.traffic
        ],
    }
    return json.dumps(
        {key: value for key, value in told.items() if value}, sort_keys=True, separators=(",", ":")
    )
