"""LimitRanger: a namespace's defaults for containers, and its least and most for containers, pods and claims.

Source: plugin/pkg/admission/limitranger/admission.go, v1.33.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from sampan.cluster.apiserver.admission.refusal import refused
from sampan.kube import meta, quantities, quotas
from sampan.kube.admission import AdmissionRequest
from sampan.kube.kinds import PODS
from sampan.kube.meta import Object

_ANNOTATION = "kubernetes.io/limit-ranger"
_Values = Mapping[str, Any]


def default(ranges: Sequence[Object], pod: Object) -> None:
    """Fills in what containers leave out, and says so in an annotation."""
    for limit_range in ranges:
        requests, limits = _defaults(limit_range)
        if not requests and not limits:
            continue
        notes: list[str] = []
        for key, word in (("containers", "container"), ("initContainers", "init container")):
            for container in pod["spec"].get(key) or ():
                notes += _merge(container, word, requests, limits)
        if notes:
            annotations = pod["metadata"].setdefault("annotations", {})
            annotations[_ANNOTATION] = "LimitRanger plugin set: " + "; ".join(notes)


def _defaults(limit_range: Object) -> tuple[_Values, _Values]:
    requests: dict[str, Any] = {}
    limits: dict[str, Any] = {}
    for item in meta.spec(limit_range).get("limits") or ():
        if item.get("type") == "Container":
            requests |= item.get("defaultRequest") or {}
            limits |= item.get("default") or {}
    return requests, limits


def _merge(container: Object, word: str, requests: _Values, limits: _Values) -> Iterator[str]:
    resources = container.setdefault("resources", {})
    for key, defaults in (("requests", requests), ("limits", limits)):
        own = resources.get(key) or {}
        added = {name: value for name, value in defaults.items() if name not in own}
        if added:
            resources[key] = {**own, **added}
            yield f"{', '.join(sorted(added))} {key[:-1]} for {word} {container.get('name', '')}"


def check(request: AdmissionRequest, ranges: Sequence[Object], obj: Object, old: Object | None) -> None:
    """Raises ForbiddenError. Pods are checked when created, claims also when they grow."""
    if request.resource == PODS and old is not None:
        return
    problems: list[str] = []
    for limit_range in ranges:
        for item in meta.spec(limit_range).get("limits") or ():
            checks = _of_pod if request.resource == PODS else _of_claim
            problems += checks(item, obj)
    if problems:
        text = problems[0] if len(problems) == 1 else f"[{', '.join(dict.fromkeys(problems))}]"
        raise refused(request, text)


def _of_claim(item: Object, claim: Object) -> Iterator[str]:
    if item.get("type") != "PersistentVolumeClaim":
        return
    asked = (meta.spec(claim).get("resources") or {}).get("requests") or {}
    # Of a claim the request counts for both ends.
    for name, least in (item.get("min") or {}).items():
        yield from _least("PersistentVolumeClaim", name, least, asked.get(name), None)
    for name, most in (item.get("max") or {}).items():
        value = asked.get(name)
        if value is not None and quantities.compare(value, most) > 0:
            yield f"maximum {name} usage per PersistentVolumeClaim is {most}, but request is {value}"


def _of_pod(item: Object, pod: Object) -> Iterator[str]:
    spec = meta.spec(pod)
    match item.get("type"):
        case "Container":
            for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
                resources = container.get("resources") or {}
                yield from _check(
                    "Container", item, resources.get("requests") or {}, resources.get("limits") or {}
                )
        case "Pod":
            requests, limits = (
                {name: quotas.written(name, value) for name, value in found.items()}
                for found in (quotas.pod_resources(pod, "requests"), quotas.pod_resources(pod, "limits"))
            )
            yield from _check("Pod", item, requests, limits)


def _check(kind: str, item: Object, requests: _Values, limits: _Values) -> Iterator[str]:
    for name, least in (item.get("min") or {}).items():
        yield from _least(kind, name, least, requests.get(name), limits.get(name))
    for name, most in (item.get("max") or {}).items():
        yield from _most(kind, name, most, requests.get(name), limits.get(name))
    for name, ratio in (item.get("maxLimitRequestRatio") or {}).items():
        yield from _ratio(kind, name, ratio, requests.get(name), limits.get(name))


def _least(kind: str, name: str, least: Any, request: Any, limit: Any) -> Iterator[str]:
    text = f"minimum {name} usage per {kind} is {least}"
    if request is None:
        yield f"{text}.  No request is specified"
    elif quantities.compare(request, least) < 0:
        yield f"{text}, but request is {request}"
    elif limit is not None and quantities.compare(limit, least) < 0:
        yield f"{text}, but limit is {limit}"


def _most(kind: str, name: str, most: Any, request: Any, limit: Any) -> Iterator[str]:
    text = f"maximum {name} usage per {kind} is {most}"
    if limit is None:
        yield f"{text}.  No limit is specified"
    elif quantities.compare(limit, most) > 0:
        yield f"{text}, but limit is {limit}"
    elif request is not None and quantities.compare(request, most) > 0:
        yield f"{text}, but request is {request}"


def _ratio(kind: str, name: str, ratio: Any, request: Any, limit: Any) -> Iterator[str]:
    text = f"{name} max limit to request ratio per {kind} is {ratio}"
    asked = Decimal(0) if request is None else quantities.parse(request)
    if asked == 0:
        yield f"{text}, but no request is specified or request is 0"
    elif limit is None or quantities.parse(limit) == 0:
        yield f"{text}, but no limit is specified or limit is 0"
    elif (given := quantities.parse(limit) / asked) > quantities.parse(ratio):
        yield f"{text}, but provided ratio is {given:.6f}"
