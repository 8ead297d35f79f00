"""What an InferenceService is at, for commands, handles and steps: its state and why, its address, its traffic. Pure.

Source of what the status says: kserve/kserve 0.20 pkg/apis/serving/v1beta1/inference_service_status.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sampan.components.serving.api import labels, models, origins
from sampan.components.serving.api.reading import child, mapping, mappings, text, whole
from sampan.kube import meta
from sampan.kube.meta import Object

_FAILED = ("BlockedByFailedLoad", "InvalidSpec")
_UP_TO_DATE = "UpToDate"
_BROKEN = "ModelLoadFailed"
_FIRST = ("PredictorReady", "TransformerReady", "ExplainerReady", "Ready")


class State(StrEnum):
    READY = "Ready"
    ASLEEP = "Asleep"
    """Ready, and without pods for want of requests: the next request wakes it."""
    STARTING = "Starting"
    FAILED = "Failed"
    STOPPED = "Stopped"
    DELETING = "Deleting"

    @property
    def answers(self) -> bool:
        return self in (State.READY, State.ASLEEP)


@dataclass(frozen=True, slots=True)
class Share:
    """A revision of the predictor, and what it gets of the requests."""

    revision: str
    percent: int
    is_latest: bool = False
    tag: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    namespace: str
    name: str
    created: str
    state: State
    why: str = ""
    """What it waits for, or what is wrong; of one that answers: why its newest revision does not."""
    url: str = ""
    format: str = ""
    runtime: str = ""
    protocol: str = models.V1
    source: str = ""
    copies: int | None = None
    mode: str = ""
    canary_percent: int | None = None
    traffic: tuple[Share, ...] = ()
    latest: str = ""
    """The newest revision."""
    is_settled: bool = False
    """Whether what its spec says now is what answers."""
    is_broken: bool = False
    """Whether its newest pods have failed, or cannot be made."""
    ended: bool = False
    """Of one that is broken: whether its own program has ended, which waiting does not mend."""
    kind: str = "InferenceService"


def summarise(isvc: Object) -> Summary:
    status, spec = meta.status(isvc), meta.spec(isvc)
    model_status, predictor = child(status, "modelStatus"), child(spec, "predictor")
    part = child(status, "components", labels.PREDICTOR)
    state, why = _state(isvc)
    transition, failure = model_status.get("transitionStatus"), child(model_status, "lastFailureInfo")
    is_current = whole(status.get("observedGeneration")) == meta.generation(isvc)
    uris = origins.model_uris(isvc)
    return Summary(
        namespace=meta.namespace(isvc),
        name=meta.name(isvc),
        created=text(meta.metadata(isvc).get("creationTimestamp")),
        state=state,
        why=why,
        url=text(status.get("url")),
        format=_format(predictor),
        runtime=text(status.get("servingRuntimeName"))
        or text(status.get("clusterServingRuntimeName"))
        or text(models.model(predictor).get("runtime")),
        protocol=models.protocol(models.model(predictor)),
        source=uris[0] if uris else "",
        copies=whole(child(model_status, "copies").get("totalCopies")),
        mode=text(status.get("deploymentMode")),
        canary_percent=whole(predictor.get("canaryTrafficPercent")),
        traffic=tuple(_share(each) for each in mappings(part.get("traffic"))),
        latest=text(part.get("latestCreatedRevision")),
        is_settled=is_current and state.answers and transition in (None, _UP_TO_DATE),
        is_broken=is_current and transition in _FAILED,
        ended=transition == "InvalidSpec" or failure.get("reason") == _BROKEN,
    )


def condition(status: Mapping[str, Any], type_: str) -> Mapping[str, Any]:
    found = [each for each in mappings(status.get("conditions")) if each.get("type") == type_]
    return found[0] if found else {}


def _share(target: Object) -> Share:
    return Share(
        text(target.get("revisionName")),
        whole(target.get("percent")) or 0,
        target.get("latestRevision") is True,
        text(target.get("tag")),
        text(target.get("url")),
    )


def _format(predictor: Object) -> str:
    name = models.framework(predictor)
    if not name:
        containers = mappings(predictor.get("containers"))
        return text(containers[0].get("image")) if containers else ""
    wanted = child(predictor, "model", "modelFormat")
    return f"{text(wanted.get('name'))} {text(wanted.get('version'))}".strip() if name == "model" else name


def _state(isvc: Object) -> tuple[State, str]:
    status = meta.status(isvc)
    if meta.is_deleting(isvc):
        return State.DELETING, ""
    if meta.annotations(isvc).get(labels.STOP, "").lower() == "true":
        return State.STOPPED, ""
    ready, model = condition(status, "Ready"), child(status, "modelStatus")
    failed = model.get("transitionStatus") in _FAILED
    failure = _told(child(model, "lastFailureInfo"))
    if ready.get("status") == "True":
        asleep = child(model, "copies").get("totalCopies") == 0
        revision = text(child(status, "components", labels.PREDICTOR).get("latestCreatedRevision"))
        why = f"The newest revision {revision} does not start: {failure}" if failed and failure else ""
        return (State.ASLEEP if asleep else State.READY), why
    if failed:
        return State.FAILED, failure or _told(ready)
    return State.STARTING, waiting(status)


def waiting(status: Object) -> str:
    """The most telling of the conditions that are not met."""
    found = [
        each
        for each in mappings(status.get("conditions"))
        if each.get("status") != "True" and each.get("type") != "Stopped"
    ]
    found.sort(key=lambda each: _FIRST.index(each["type"]) if each.get("type") in _FIRST else len(_FIRST))
    told = [text(each.get("message")) for each in found] + [text(each.get("reason")) for each in found]
    return next((each for each in told if each), "")


def _told(info: Mapping[str, Any]) -> str:
    reason, message = text(info.get("reason")), text(info.get("message"))
    return f"{reason}: {message}" if reason and message else message or reason


def model_name(isvc: Object) -> str:
    """By which its server knows the model: its own name, unless an argument says another."""
    predictor = mapping(meta.spec(isvc).get("predictor"))
    servers = [models.model(predictor), *mappings(predictor.get("containers"))]
    for server in servers:
        words = [each for each in server.get("args") or () if isinstance(each, str)]
        for number, word in enumerate(words):
            key, equals, value = word.partition("=")
            if key in ("--model_name", "--model-name"):
                found = value if equals else "".join(words[number + 1 : number + 2])
                if found and "{{" not in found:
                    return found
    return meta.name(isvc)
