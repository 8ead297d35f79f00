"""LLMInferenceServices that share the requests to one model name, by weights. Pure.

Source: kserve/kserve 0.20 pkg/controller/v1alpha2/llmisvc/{router_group,router_group_status}.go: members of a group
are those of one namespace that name it; a member that is stopped stays, and gets nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from sampan.components.serving.api import labels
from sampan.components.serving.api.reading import child, text, whole
from sampan.components.serving.engine.inference_services.conditions import FALSE, MET, Verdict
from sampan.components.serving.engine.language_models import names
from sampan.kube import meta
from sampan.kube.meta import Object


def key(service: Object) -> tuple[str, str] | None:
    """None for one that is in no group."""
    group = text(child(meta.spec(service), "router", "route").get("group"))
    return (meta.namespace(service), group) if group else None


def concerns(service: Object) -> tuple[Any, ...]:
    """What of a member the others have to know."""
    return key(service), _weight(service), _is_stopped(service), _model(service), meta.is_deleting(service)


def members(service: Object, services: Iterable[Object]) -> tuple[list[Object], Verdict | None]:
    """As the status tells of them, and whether the group is well; nothing of one that is in no group."""
    own = key(service)
    if own is None:
        return [], None
    found = sorted(
        (each for each in services if key(each) == own and not meta.is_deleting(each)), key=meta.name
    )
    models = Counter(map(_model, found))
    if len(models) > 1:
        (first, most), (_, second) = models.most_common(2)
        told = ", ".join(f"{meta.name(each)} serves {_model(each)!r}" for each in found)
        if most == second:
            return [], Verdict(
                FALSE, "ModelNameAmbiguous", f"members of the group serve other models: {told}"
            )
        if _model(service) != first:
            return [], Verdict(FALSE, "ModelNameMismatch", f"most of the group serve {first!r}: {told}")
        found = [each for each in found if _model(each) == first]
    return [_member(each) for each in found], MET


def _member(service: Object) -> Object:
    made: Object = {"name": meta.name(service), "weight": _weight(service)}
    if _is_stopped(service):
        made["stopped"] = True
    backend = {"kind": "Service", "name": names.service(meta.name(service)), "port": names.PORT}
    return {**made, "backendRef": backend}


def _weight(service: Object) -> int:
    found = whole(child(meta.spec(service), "router", "route").get("weight"))
    return 1 if found is None else found


def _is_stopped(service: Object) -> bool:
    return meta.annotations(service).get(labels.STOP, "").lower() == "true"


def _model(service: Object) -> str:
    return text(child(meta.spec(service), "model").get("name")) or meta.name(service)
