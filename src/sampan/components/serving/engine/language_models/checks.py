"""Whether an LLMInferenceService or an LLMInferenceServiceConfig may be, in upstream's words. Pure.

Source: kserve/kserve 0.20 pkg/apis/serving/v1alpha2/llm_inference_service_{,config_}validation.go,
pkg/validation/confidential.go. What contradicts a schema is refused there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sampan.components.serving.api.reading import child, mapping, mappings, text, whole
from sampan.components.serving.engine.language_models.templates import TemplateError, checked
from sampan.components.serving.engine.validation.surroundings import Surroundings
from sampan.kube import meta, names
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.meta import Object

_COST = re.compile(r"\d+(\.\d+)?")
_SECRET = re.compile(r"kbs:///[a-zA-Z0-9_.-]+/[a-zA-Z0-9_.-]+/[a-zA-Z0-9_.-]+")
_LONGEST_NAME = 63
_WORKER = "when worker is specified, parallelism must be configured for either data parallelism or pipeline parallelism"
_DEVICES = "serving.kserve.io/exp-dra-"


def check(service: Object, old: Object | None, _around: Surroundings, errors: FieldErrors) -> None:
    if len(meta.name(service)) > _LONGEST_NAME:
        errors.too_long("metadata.name", _LONGEST_NAME)
    spec = meta.spec(service)
    if not child(spec, "model").get("uri") and not spec.get("baseRefs"):
        told = "say where the model is, or name an LLMInferenceServiceConfig in spec.baseRefs that does"
        errors.required("spec.model.uri", told)
    check_spec(service, spec, errors)
    _check_devices(meta.annotations(service), errors)
    if old is not None:
        _check_same(meta.spec(old), meta.spec(service), errors)


def check_config(config: Object, _old: Object | None, _around: Surroundings, errors: FieldErrors) -> None:
    spec = meta.spec(config)
    if spec.get("baseRefs"):
        errors.forbidden(
            "spec.baseRefs",
            "baseRefs is not a permitted field in LLMInferenceServiceConfig, support for recursive refs has been "
            "disabled",
        )
    _check_replicas(child(spec, "router", "scheduler"), errors)
    for at, workload in _workloads(spec):
        _check_scaling(at, workload, errors)
    try:
        checked(spec)
    except TemplateError as error:
        errors.invalid_as_a_whole("spec", f"a template cannot be read: {error}")


def check_spec(service: Object, spec: Object, errors: FieldErrors) -> None:
    """`spec` is the service's own, or what comes of it with all configurations."""
    _check_route(mapping(spec.get("router")), errors)
    _check_group(mapping(spec.get("router")), errors)
    for at, workload in _workloads(spec):
        _check_parallelism(at, workload, errors)
    _check_scheduler(child(spec, "router", "scheduler"), errors)
    for at, workload in _workloads(spec):
        _check_scaling(at, workload, errors)
    _check_actuators(spec, errors)
    _check_adapters(service, spec, errors)
    for at, workload in _workloads(spec):
        _check_offloading(f"{at}.kvCacheOffloading", mapping(workload.get("kvCacheOffloading")), errors)
    secret = child(spec, "model", "confidential")
    resource = text(secret.get("resourceId"))
    if secret.get("enabled") is True and resource and not _SECRET.fullmatch(resource):
        errors.invalid(
            "spec.model.confidential.resourceId",
            resource,
            "must be in the format kbs:///<repo>/<type>/<tag>",
        )


def _workloads(spec: Object) -> Iterator[tuple[str, Object]]:
    yield "spec", spec
    if isinstance(spec.get("prefill"), dict):
        yield "spec.prefill", spec["prefill"]


# Router.


def _check_route(router: Object, errors: FieldErrors) -> None:
    at = "spec.router.route.http"
    http = child(router, "route").get("http")
    if not isinstance(http, dict):
        return
    refs, gateway = http.get("refs"), router.get("gateway")
    gateways = mappings(mapping(gateway).get("refs"))
    if refs and http.get("spec") is not None:
        errors.invalid(
            at,
            http,
            f"unsupported configuration: cannot use both custom HTTPRoute refs ('{at}.refs') and an inline route spec "
            f"('{at}.spec'); choose one",
        )
    if refs and isinstance(gateway, dict) and not gateways:
        errors.invalid(
            f"{at}.refs",
            refs,
            f"unsupported configuration: custom HTTP routes ('{at}.refs') cannot be used with a managed gateway "
            f"('spec.router.gateway'); either remove '{at}.refs' or set 'spec.router.gateway.refs'",
        )
    parents = mappings(child(http, "spec").get("parentRefs"))
    if parents and gateways and _keys(parents) != _keys(gateways):
        errors.invalid(
            f"{at}.spec",
            http.get("spec"),
            f"unsupported configuration: managed HTTP route spec ('{at}.spec') has parentRefs that conflict with "
            f"custom gateway refs ('spec.router.gateway.refs'); either remove 'spec.router.gateway.refs' or "
            f"'{at}.spec.parentRefs'",
        )


def _keys(references: list[Object]) -> list[tuple[str, str, str]]:
    return sorted(
        (text(each.get("namespace")), text(each.get("name")), text(each.get("sectionName")))
        for each in references
    )


def _check_group(router: Object, errors: FieldErrors) -> None:
    route, at = child(router, "route"), "spec.router.route"
    group, weight = route.get("group"), route.get("weight")
    if group is None and weight is None:
        return
    if router.get("ingress") is not None:
        errors.invalid(
            f"{at}.group",
            text(group),
            "traffic splitting requires Gateway API routing; the controller manages HTTPRoutes, not Ingress resources",
        )
        return
    if group is None:
        errors.required(f"{at}.group", "weight requires group")
    elif weight is None:
        errors.required(f"{at}.weight", "group requires weight")
    elif child(route, "http").get("refs"):
        errors.invalid(
            f"{at}.group",
            group,
            "traffic splitting cannot be used with custom HTTPRoute refs; controller-managed routes (route.http.spec "
            "or route.http: {}) are required",
        )


def _check_scheduler(scheduler: Object, errors: FieldErrors) -> None:
    _check_replicas(scheduler, errors)
    config = scheduler.get("config")
    if not isinstance(config, dict):
        return
    at = "spec.router.scheduler.config"
    inline, ref = config.get("inline"), config.get("ref")
    if inline is None and ref is None:
        errors.invalid(at, config, "either inline or ref is required")
    if inline is not None and ref is not None:
        errors.invalid(at, config, "both inline and ref are set, either specify inline or ref")
    if inline == {}:
        errors.invalid(f"{at}.inline", inline, "inline configuration is invalid")
    if isinstance(ref, dict) and not ref.get("name"):
        errors.invalid(f"{at}.ref.name", ref, "name is empty")


def _check_replicas(scheduler: Object, errors: FieldErrors) -> None:
    replicas = whole(scheduler.get("replicas"))
    if replicas is not None and replicas <= 0:
        errors.invalid(
            "spec.router.scheduler.replicas", replicas, "scheduler replicas must be greater than zero"
        )


# Workloads.


def _check_parallelism(at: str, workload: Object, errors: FieldErrors) -> None:
    worker, told = workload.get("worker"), workload.get("parallelism")
    if told is None:
        if worker is not None:
            errors.invalid(f"{at}.worker", worker, _WORKER)
        return
    parallelism = mapping(told)
    pipeline, data, local = (whole(parallelism.get(each)) for each in ("pipeline", "data", "dataLocal"))
    is_pipeline, is_data = (pipeline or 0) > 0, (data or 0) > 0 or (local or 0) > 0
    here = f"{at}.parallelism"
    if worker is not None and not is_data and not is_pipeline:
        errors.invalid(f"{at}.worker", worker, _WORKER)
    if is_pipeline and is_data:
        errors.invalid(
            here,
            told,
            "cannot set both pipeline parallelism and data parallelism (data or dataLocal) simultaneously",
        )
    if data is not None and local is None:
        errors.invalid(f"{here}.dataLocal", None, "dataLocal must be set when data is set")
    if local is not None and data is None:
        errors.invalid(f"{here}.data", None, "data must be set when dataLocal is set")
    for name, value in (("pipeline", pipeline), ("data", data), ("dataLocal", local)):
        if value is not None and value <= 0:
            errors.invalid(f"{here}.{name}", value, f"{name} parallelism must be greater than 0")


def _check_same(old: Object, new: Object, errors: FieldErrors) -> None:
    pairs = [("spec", old, new)]
    if isinstance(old.get("prefill"), dict) and isinstance(new.get("prefill"), dict):
        pairs.append(("spec.prefill", old["prefill"], new["prefill"]))
    for at, before, after in pairs:
        was, now = _size(child(before, "parallelism")), _size(child(after, "parallelism"))
        if was != now:
            errors.invalid(
                f"{at}.parallelism",
                now,
                f"total parallelism size is immutable, previous size {was}, curr size {now}",
            )


def _size(parallelism: Object) -> int:
    data, local, pipeline = (whole(parallelism.get(each)) or 0 for each in ("data", "dataLocal", "pipeline"))
    if data > 0 or local > 0:
        return max(max(data, 1) // max(local, 1), 1)
    return pipeline or 1


def _check_scaling(at: str, workload: Object, errors: FieldErrors) -> None:
    scaling = workload.get("scaling")
    if not isinstance(scaling, dict):
        return
    here = f"{at}.scaling"
    if workload.get("replicas") is not None:
        errors.invalid(
            here,
            scaling,
            "scaling and replicas are mutually exclusive; use scaling for autoscaled deployments or replicas for "
            "static deployments",
        )
    least, most = whole(scaling.get("minReplicas")), whole(scaling.get("maxReplicas")) or 0
    if least is not None and least > most:
        errors.invalid(
            f"{here}.minReplicas", least, f"minReplicas ({least}) cannot exceed maxReplicas ({most})"
        )
    wva = scaling.get("wva")
    if not isinstance(wva, dict):
        errors.required(
            f"{here}.wva",
            "wva is required when scaling is configured; it provides the autoscaling mechanism",
        )
        return
    _check_actuator(f"{here}.wva", wva, errors)
    idle = whole(child(wva, "keda").get("idleReplicaCount"))
    if idle is None:
        return
    if least is None:
        errors.required(
            f"{here}.minReplicas",
            f"minReplicas is required when idleReplicaCount is set; idleReplicaCount ({idle}) must be less than "
            "minReplicas",
        )
    elif idle >= least:
        errors.invalid(
            f"{here}.wva.keda.idleReplicaCount",
            idle,
            f"idleReplicaCount ({idle}) must be less than minReplicas ({least}); idleReplicaCount defines the replica "
            "floor when no triggers are active",
        )


def _check_actuator(at: str, wva: Object, errors: FieldErrors) -> None:
    has_hpa, has_keda = wva.get("hpa") is not None, wva.get("keda") is not None
    if has_hpa and has_keda:
        errors.invalid(at, wva, "hpa and keda are mutually exclusive; choose one actuator backend")
    if not has_hpa and not has_keda:
        errors.required(at, "either hpa or keda must be specified as the actuator backend")
    cost = text(wva.get("variantCost"))
    if cost and not _COST.fullmatch(cost):
        errors.invalid(
            f"{at}.variantCost",
            cost,
            'variantCost must be a non-negative numeric string (e.g., "10", "10.0", "0.5")',
        )
    advanced = child(wva, "keda", "advanced")
    if any(child(advanced, "scalingModifiers").values()):
        errors.forbidden(
            f"{at}.keda.advanced.scalingModifiers",
            "scalingModifiers must not be set; WVA controls the scaling metric formula and logic",
        )
    if child(advanced, "horizontalPodAutoscalerConfig").get("name"):
        errors.forbidden(
            f"{at}.keda.advanced.horizontalPodAutoscalerConfig.name",
            "horizontalPodAutoscalerConfig.name must not be set; the controller manages the HPA name",
        )


def _check_actuators(spec: Object, errors: FieldErrors) -> None:
    decode, prefill = child(spec, "scaling", "wva"), child(spec, "prefill", "scaling", "wva")
    if not decode or not prefill:
        return
    used = ["hpa" if each.get("hpa") is not None else "keda" for each in (decode, prefill)]
    if used[0] != used[1]:
        errors.invalid(
            "spec.prefill.scaling.wva",
            prefill,
            f"decode and prefill must use the same actuator backend; decode uses {used[0]} but prefill uses {used[1]} "
            "— mixing backends requires two separate metric pipelines and leads to independent, unsynchronised scaling "
            "decisions",
        )


def _check_offloading(at: str, offloading: Object, errors: FieldErrors) -> None:
    secondary = offloading.get("secondary")
    if not isinstance(secondary, list) or not secondary:
        return
    if str(offloading.get("cpu") or "0") == "0":
        errors.required(f"{at}.cpu", "cpu must be set when secondary tiers are configured")
    for place, tier in enumerate(secondary):
        here = f"{at}.secondary[{place}].fileSystem"
        system = mapping(tier).get("fileSystem")
        if not isinstance(system, dict):
            errors.required(here, "only fileSystem tiers are supported; fileSystem must be set")
            continue
        if not _is_one(here, system, ("emptyDir", "pvc"), errors) or "pvc" not in system:
            continue
        claim = mapping(system["pvc"])
        has_one = _is_one(f"{here}.pvc", claim, ("spec", "ref"), errors)
        if has_one and "ref" in claim and not child(claim, "ref").get("name"):
            errors.required(f"{here}.pvc.ref.name", "name is required")


def _is_one(at: str, value: Object, choices: tuple[str, str], errors: FieldErrors) -> bool:
    count = sum(value.get(each) is not None for each in choices)
    what = f"exactly one of {choices[0]} or {choices[1]} must be set"
    if count == 0:
        errors.required(at, what)
    elif count > 1:
        errors.invalid(at, value, f"{what}; multiple are set")
    return count == 1


# Models and devices.


def _check_adapters(service: Object, spec: Object, errors: FieldErrors) -> None:
    lora, at = child(spec, "model", "lora"), "spec.model.lora"
    for name in ("maxRank", "maxAdapters", "maxCpuAdapters"):
        value = whole(lora.get(name))
        if value is not None and value < 1:
            errors.invalid(f"{at}.{name}", value, f"{name} must be at least 1")
    base = text(child(spec, "model").get("name")) or meta.name(service)
    seen: dict[str, int] = {}
    for place, adapter in enumerate(mappings(lora.get("adapters"))):
        here, name = f"{at}.adapters[{place}].name", text(adapter.get("name"))
        if not name:
            errors.required(here, "adapter name is required")
            continue
        if name in (".", ".."):
            errors.invalid(here, name, 'adapter name must not include "." or ".." (path traversal risk)')
            continue
        if name in seen:
            errors.invalid(here, name, f"duplicate name (same as adapters[{seen[name]}])")
        seen.setdefault(name, place)
        if name == base:
            errors.invalid(here, name, f'adapter name must differ from base model name "{base}"')


def _check_devices(annotations: dict[str, str], errors: FieldErrors) -> None:
    told = {
        key.removeprefix(_DEVICES): value for key, value in annotations.items() if key.startswith(_DEVICES)
    }
    if not told:
        return

    def at(name: str) -> str:
        return f"metadata.annotations[{_DEVICES}{name}]"

    device = told.get("device-class")
    if device is None:
        errors.required(
            at("device-class"),
            f"{_DEVICES}device-class is required to enable managed DRA when {_DEVICES}device-count, "
            f"{_DEVICES}cel-selector, or {_DEVICES}container-name is set",
        )
    elif not device.strip():
        errors.invalid(at("device-class"), device, "device class must not be empty")
    elif wrong := names.dns_subdomain(device.strip()):
        errors.invalid(
            at("device-class"), device, f"device class must be a DNS subdomain: {'; '.join(wrong)}"
        )
    count = told.get("device-count", "").strip()
    if count and not (count.isdigit() and int(count) >= 1):
        errors.invalid(
            at("device-count"), count, f'invalid {_DEVICES}device-count value "{count}": must be >= 1'
        )
    if "cel-selector" in told and not told["cel-selector"].strip():
        errors.invalid(
            at("cel-selector"),
            told["cel-selector"],
            "cel selector must contain at least one non-empty CEL expression",
        )
    _check_container(at("container-name"), told.get("container-name"), errors)


def _check_container(at: str, told: Any, errors: FieldErrors) -> None:
    if told is None:
        return
    if not told.strip():
        errors.invalid(at, told, "container name must not be empty")
    elif wrong := names.dns_label(told.strip()):
        errors.invalid(at, told, f"container name must be a DNS label: {'; '.join(wrong)}")
