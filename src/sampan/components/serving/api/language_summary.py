"""What an LLMInferenceService is at, for commands and pages. Pure. `summary` has the words for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from sampan.components.serving.api import labels
from sampan.components.serving.api.kinds import LLM_INFERENCE_SERVICES
from sampan.components.serving.api.reading import child, mapping, mappings, text, whole
from sampan.components.serving.api.summary import State, Summary, condition
from sampan.kube import meta
from sampan.kube.meta import Object

OPENAI = "openai"
FORMAT = "language model"
_PASSING = frozenset(
    {
        *("", "Progressing", "Deploying", "MinimumReplicasUnavailable", "NewReplicaSetCreated"),
        *("FoundNewReplicaSet", "ReplicaSetUpdated", "ContainerCreating", "PodInitializing", "Unschedulable"),
    }
)
"""Reasons that a workload gives while it starts."""


def summarise(service: Object) -> Summary:
    status, spec = meta.status(service), meta.spec(service)
    state, why = _state(service)
    workloads = child(status, "workloads")
    copies = [whole(mapping(workloads.get(each)).get("readyReplicas")) for each in ("primary", "prefill")]
    is_current = whole(status.get("observedGeneration")) == meta.generation(service)
    return Summary(
        kind=LLM_INFERENCE_SERVICES.kind,
        namespace=meta.namespace(service),
        name=meta.name(service),
        created=text(meta.metadata(service).get("creationTimestamp")),
        state=state,
        why=why,
        url=text(status.get("url")),
        format=FORMAT,
        protocol=OPENAI,
        source=text(child(spec, "model").get("uri")),
        copies=sum(each or 0 for each in copies) if workloads else None,
        is_settled=is_current and state.answers,
        is_broken=is_current and state == State.FAILED,
    )


def model_name(service: Object) -> str:
    """By which requests name it."""
    for address in mappings(meta.status(service).get("addresses")):
        for each in mappings(address.get("models")):
            name = text(each.get("name"))
            if name and not name.startswith("publishers/"):
                return name
    return text(child(meta.spec(service), "model").get("name")) or meta.name(service)


def path(service: Object) -> str:
    """Below which its own API is on the platform's port; empty where there is none."""
    urls = [text(each.get("url")) for each in mappings(meta.status(service).get("addresses"))]
    return next((found for each in urls if (found := urlsplit(each).path.rstrip("/"))), "")


def _state(service: Object) -> tuple[State, str]:
    status = meta.status(service)
    if meta.is_deleting(service):
        return State.DELETING, ""
    if meta.annotations(service).get(labels.STOP, "").lower() == "true":
        return State.STOPPED, ""
    presets, ready = condition(status, "PresetsCombined"), condition(status, "Ready")
    if ready.get("status") == "True":
        return State.READY, _told(presets) if presets.get("status") == "False" else ""
    if not ready:
        return State.STARTING, ""
    reason = text(ready.get("reason"))
    return State.STARTING if reason in _PASSING else State.FAILED, _told(ready)


def _told(found: Mapping[str, Any]) -> str:
    reason, message = text(found.get("reason")), text(found.get("message"))
    return f"{reason}: {message}" if reason and message else message or reason
