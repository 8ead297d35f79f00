"""A language model as the form has it: the LLMInferenceService that it makes, and the form's beginning for one that is
there, only where it loses nothing of it. Pure.

Fields are upstream's: kserve/kserve 0.20 pkg/apis/serving/v1alpha2/llm_inference_service_types.go.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sampan.components.serving.api.kinds import LLM_INFERENCE_SERVICES
from sampan.components.serving.api.reading import child, mapping, mappings, text, texts, whole
from sampan.kube import meta
from sampan.kube.meta import Object

_MAIN = "main"
_ROUTER: Object = {"route": {}, "gateway": {}, "scheduler": {}}
"""As upstream's samples have it: reached from outside, by the usual ways."""
_SCALED_BY: Object = {"variantCost": "10.0", "hpa": {}}
_GPU = "nvidia.com/gpu"


@dataclass(frozen=True, slots=True)
class Language:
    name: str = ""
    namespace: str = ""
    uri: str = ""
    model: str = ""
    """By which requests name it; empty for the endpoint's own name."""
    adapters: Mapping[str, str] = field(default_factory=dict)
    """Where each is, by its name."""
    configurations: tuple[str, ...] = ()
    """`baseRefs`."""
    replicas: int | None = None
    most: int | None = None
    """Where it is scaled by requests: from `replicas` to so many."""
    image: str = ""
    arguments: str = ""
    """For vLLM, as in a shell."""
    environment: Mapping[str, str] = field(default_factory=dict)
    cpu: str = ""
    memory: str = ""
    gpu: str = ""
    limits: Mapping[str, str] | None = None
    """Where they are others than what is asked for; the form has no fields for them, nor for what follows."""
    router: Object = field(default_factory=lambda: _ROUTER)


def service(wanted: Language) -> Object:
    model: Object = {"name": wanted.model or wanted.name}
    if wanted.uri:
        model["uri"] = wanted.uri
    if wanted.adapters:
        model["lora"] = {
            "adapters": [{"name": name, "uri": uri} for name, uri in wanted.adapters.items()],
        }
    spec: Object = {"model": model, **_size(wanted), "router": wanted.router}
    if wanted.configurations:
        spec["baseRefs"] = [{"name": each} for each in wanted.configurations]
    if container := _container(wanted):
        spec["template"] = {"containers": [{"name": _MAIN, **container}]}
    return {
        "apiVersion": LLM_INFERENCE_SERVICES.api_version,
        "kind": LLM_INFERENCE_SERVICES.kind,
        "metadata": {"name": wanted.name, "namespace": wanted.namespace},
        "spec": spec,
    }


def wanted(obj: Object) -> Language | None:
    """None where the form has no field for something in it."""
    found = _read(obj)
    return found if _said(service(found)["spec"]) == _said(meta.spec(obj)) else None


def _size(wanted: Language) -> Object:
    if wanted.most is None:
        return {} if wanted.replicas is None else {"replicas": wanted.replicas}
    least = 1 if wanted.replicas is None else wanted.replicas
    return {"scaling": {"minReplicas": least, "maxReplicas": wanted.most, "wva": dict(_SCALED_BY)}}


def _container(wanted: Language) -> Object:
    found: Object = {}
    if wanted.image:
        found["image"] = wanted.image
    if wanted.arguments:
        found["args"] = shlex.split(wanted.arguments)
    if wanted.environment:
        found["env"] = [{"name": name, "value": value} for name, value in wanted.environment.items()]
    asked = {"cpu": wanted.cpu, "memory": wanted.memory, _GPU: wanted.gpu}
    given = {name: amount for name, amount in asked.items() if amount and amount != "0"}
    limits = dict(given) if wanted.limits is None else dict(wanted.limits)
    if resources := {key: each for key, each in (("requests", given), ("limits", limits)) if each}:
        found["resources"] = resources
    return found


def _read(obj: Object) -> Language:
    spec = meta.spec(obj)
    model, scaling = child(spec, "model"), child(spec, "scaling")
    containers = mappings(child(spec, "template").get("containers"))
    container = next((each for each in containers if each.get("name") == _MAIN), {})
    requests, limits = (child(container, "resources", key) for key in ("requests", "limits"))
    name = text(model.get("name"))
    return Language(
        name=meta.name(obj),
        namespace=meta.namespace(obj),
        uri=text(model.get("uri")),
        model="" if name == meta.name(obj) else name,
        adapters={
            text(each.get("name")): text(each.get("uri"))
            for each in mappings(child(model, "lora").get("adapters"))
        },
        configurations=tuple(text(each.get("name")) for each in mappings(spec.get("baseRefs"))),
        replicas=whole(scaling.get("minReplicas") if scaling else spec.get("replicas")),
        most=whole(scaling.get("maxReplicas")),
        image=text(container.get("image")),
        arguments=shlex.join(texts(container.get("args"))),
        environment={
            text(each.get("name")): text(each.get("value")) for each in mappings(container.get("env"))
        },
        cpu=str(requests.get("cpu") or ""),
        memory=str(requests.get("memory") or ""),
        gpu=str(requests.get(_GPU) or ""),
        limits=None if limits == requests else {key: str(each) for key, each in limits.items()},
        router=mapping(spec.get("router")),
    )


def _said(value: Any) -> Any:
    """Without what says nothing: an empty list, map or text is said all the same where a field's being there counts."""
    if isinstance(value, dict):
        return {key: _said(each) for key, each in value.items() if each not in (None, "", [])}
    return [_said(each) for each in value] if isinstance(value, list) else value
