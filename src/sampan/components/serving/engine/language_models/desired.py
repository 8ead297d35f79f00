"""What is made for an LLMInferenceService: Deployments, a Service, and the pods' templates. Pure.

Source: kserve/kserve 0.20 pkg/controller/v1alpha2/llmisvc/{workload,workload_single_node,workload_lora,tracing,
workload_kvcache}.go. Not so here: the pods of prefill take whole requests as the others do, for our engine does not
split them, and the others listen at the Service's port; `scaling` is by the requests that come through the gateway;
probes speak HTTP, as TLS is off.
"""

from __future__ import annotations

import copy
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sampan.components.serving.api import labels
from sampan.components.serving.api.language_presets import ADDITIONAL
from sampan.components.serving.api.reading import by_text, child, mapping, mappings, text, texts, whole
from sampan.components.serving.engine.language_models import names
from sampan.components.serving.engine.language_models.combining import Combined, CombineError
from sampan.kube import meta
from sampan.kube.kinds import DEPLOYMENTS, SERVICES
from sampan.kube.meta import Object

_SCALE_TARGET = "8"
"""Requests that a pod writes at a time where its service is scaled."""
_HANDED_ON = (
    "k8s.v1.cni.cncf.io",
    "kueue.x-k8s.io",
    "prometheus.io",
    "internal.serving.kserve.io/localmodel",
)
_SIDECAR, _BEHIND = "llm-d-routing-sidecar", 8001
_SHELLS = ("sh", "bash", "dash")
_OTHER_SCHEMES = ("oci", "http", "https")
_LORA_HELP = "supported schemes are hf://, s3://, pvc:// and the other places of models"


@dataclass(frozen=True, slots=True)
class Workload:
    """One Deployment."""

    name: str
    role: str
    spec: Object
    """`template`, `replicas` and the like."""
    replicas: int | None = None
    """None: whoever scales it says."""
    scaling: Mapping[str, int] = field(default_factory=dict)
    """`min` and `max`, where it is scaled by requests."""


@dataclass(frozen=True, slots=True)
class Adapter:
    name: str
    uri: str
    path: str


def workloads(obj: Object, combined: Combined) -> list[Workload]:
    spec = combined.spec
    prefill = spec.get("prefill")
    role = names.BOTH if prefill is None else names.DECODE
    found = [_workload(names.deployment(meta.name(obj)), role, spec)]
    if prefill is not None:
        found.append(_workload(names.prefill(meta.name(obj)), names.PREFILL, mapping(prefill)))
    return found


def _workload(name: str, role: str, spec: Object) -> Workload:
    scaling = mapping(spec.get("scaling"))
    bounds = {}
    if scaling:
        bounds = {
            "min": whole(scaling.get("minReplicas")) or 1,
            "max": whole(scaling.get("maxReplicas")) or 0,
        }
    return Workload(name, role, spec, whole(spec.get("replicas")), bounds)


def adapters(obj: Object, combined: Combined) -> list[Adapter]:
    """By name. Raises CombineError."""
    found = []
    has_initializer = child(combined.spec, "storageInitializer").get("enabled") is not False
    listed = mappings(child(combined.spec, "model", "lora").get("adapters"))
    for each in sorted(listed, key=lambda one: text(one.get("name"))):
        name, uri = text(each.get("name")), text(each.get("uri"))
        scheme, separator, _ = uri.partition("://")
        wrong = ""
        if not separator:
            wrong = f'invalid URI "{uri}"'
        elif scheme in _OTHER_SCHEMES:
            wrong = f"{scheme}:// is not supported for LoRA adapters; {_LORA_HELP}"
        elif not has_initializer:
            wrong = f"{scheme}:// requires the storage initializer: do not set storageInitializer.enabled to false"
        if wrong:
            raise CombineError("CombineBaseError", f'LoRA adapter "{name}": {wrong}')
        found.append(Adapter(name, uri, names.adapter_path(name)))
    return found


def template(obj: Object, combined: Combined, workload: Workload, own: list[Adapter]) -> Object:
    """A PodTemplateSpec, without the model's files."""
    spec: Object = copy.deepcopy(mapping(workload.spec.get("template")))
    main = next(each for each in mappings(spec.get("containers")) if each.get("name") == names.MAIN)
    _speak_http(main)
    if workload.role == names.DECODE:
        _listen_itself(spec, main)
    for volume in mappings(spec.get("volumes")):
        if child(volume, "secret").get("secretName") == names.child(
            meta.name(obj), "-kserve-self-signed-certs"
        ):
            # Upstream's configurations mount it; TLS is off, and nobody makes it.
            volume["secret"] = {**volume["secret"], "optional": True}
    if not _is_shell(main):
        _add_words(main, _additional(main))
    _add_adapters(obj, main, combined, own)
    if combined.spec.get("tracing") is not None:
        _trace(obj, main, combined, workload.role)
    _add_tiers(spec, main, mapping(workload.spec.get("kvCacheOffloading")))
    handed = _handed_on(meta.annotations(obj))
    return {
        "metadata": {
            "labels": {
                **_handed_on(meta.labels(obj)),
                **by_text(workload.spec.get("labels")),
                **names.pod_labels(obj, workload.role),
            },
            "annotations": {**handed, **by_text(workload.spec.get("annotations"))},
        },
        "spec": spec,
    }


def storage(combined: Combined, own: list[Adapter]) -> Object:
    """What is fetched, as components of InferenceServices say it; empty for nothing. Raises CombineError."""
    if child(combined.spec, "storageInitializer").get("enabled") is False:
        return {}
    uri = text(child(combined.spec, "model").get("uri"))
    if not uri:
        told = "spec.model.uri is missing: neither the service nor a configuration in its baseRefs says it"
        raise CombineError("CombineBaseError", told)
    if not own:
        return {"model": {"storageUri": uri}}
    several = [{"uri": each.uri, "mountPath": each.path} for each in own]
    return {"storageUris": [{"uri": uri, "mountPath": labels.MODEL_DIR}, *several]}


def deployment(obj: Object, workload: Workload, made: Object) -> Object:
    """`made` is its pods' template, with the model's files."""
    annotations = _handed_on(meta.annotations(obj))
    if workload.scaling:
        annotations |= {
            labels.SCALING_CLASS: labels.KPA,
            labels.SCALING_METRIC: "concurrency",
            labels.SCALING_TARGET: _SCALE_TARGET,
            labels.MIN_SCALE: str(workload.scaling["min"]),
            labels.MAX_SCALE: str(workload.scaling["max"]),
        }
    selected = {
        key: value for key, value in names.pod_labels(obj, workload.role).items() if key != names.OWNER
    }
    spec: Object = {"selector": {"matchLabels": selected}, "template": made}
    if workload.replicas is not None:
        spec["replicas"] = workload.replicas
    return {
        "apiVersion": DEPLOYMENTS.api_version,
        "kind": DEPLOYMENTS.kind,
        "metadata": {
            "name": workload.name,
            "namespace": meta.namespace(obj),
            "labels": {**_handed_on(meta.labels(obj)), **selected},
            "annotations": annotations,
        },
        "spec": spec,
    }


def service(obj: Object, combined: Combined) -> Object:
    return {
        "apiVersion": SERVICES.api_version,
        "kind": SERVICES.kind,
        "metadata": {
            "name": names.service(meta.name(obj)),
            "namespace": meta.namespace(obj),
            "labels": {**by_text(combined.spec.get("labels")), **names.own_labels(obj)},
            "annotations": by_text(combined.spec.get("annotations")),
        },
        "spec": {
            "type": "ClusterIP",
            "selector": names.selector(obj),
            "ports": [
                {
                    "name": "http",
                    "protocol": "TCP",
                    "appProtocol": "http",
                    "port": names.PORT,
                    "targetPort": names.PORT,
                }
            ],
        },
    }


def _handed_on(told: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in told.items() if key.startswith(_HANDED_ON)}


# The container that serves.


def _words(main: Object) -> list[str]:
    return [*texts(main.get("command")), *texts(main.get("args"))]


def _is_shell(main: Object) -> bool:
    command = texts(main.get("command"))
    return bool(command) and command[0].rpartition("/")[2] in _SHELLS


def _variable(main: Object, name: str) -> str:
    return next(
        (text(each.get("value")) for each in mappings(main.get("env")) if each.get("name") == name), ""
    )


def _additional(main: Object) -> list[str]:
    """What a shell would have put after the others."""
    told = _variable(main, ADDITIONAL)
    try:
        return shlex.split(told)
    except ValueError:
        return told.split()


def _add_words(main: dict[str, Any], words: list[str]) -> None:
    """Before the user's own."""
    if words:
        main["args"] = [*words, *texts(main.get("args"))]


def _speak_http(main: dict[str, Any]) -> None:
    """A probe of a configuration for TLS would never be met."""
    if any("--ssl-" in word for word in [*_words(main), _variable(main, ADDITIONAL)]):
        return
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        asked = child(main, name, "httpGet")
        if asked.get("scheme") == "HTTPS":
            asked["scheme"] = "HTTP"


def _listen_itself(spec: Object, main: dict[str, Any]) -> None:
    """At the Service's port, where upstream has it behind its sidecar for routing, which is not here."""
    there = [*mappings(spec.get("containers")), *mappings(spec.get("initContainers"))]
    if any(each.get("name") == _SIDECAR for each in there):
        return
    for field_ in ("command", "args"):
        words = texts(main.get(field_))
        for place, word in enumerate(words):
            before = words[place - 1] if place else ""
            if word == f"--port={_BEHIND}" or (word == str(_BEHIND) and before == "--port"):
                words[place] = word.replace(str(_BEHIND), str(names.PORT))
        if words:
            main[field_] = words
    for each in mappings(main.get("ports")):
        if each.get("containerPort") == _BEHIND:
            each["containerPort"] = names.PORT
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        for way in ("httpGet", "tcpSocket"):
            asked = child(main, name, way)
            if asked.get("port") == _BEHIND:
                asked["port"] = names.PORT


def _add_adapters(obj: Object, main: dict[str, Any], combined: Combined, own: list[Adapter]) -> None:
    said = " ".join([*_words(main), _variable(main, ADDITIONAL)])
    if not own or "--lora-modules" in said:
        return
    lora = child(combined.spec, "model", "lora")
    words = ["--enable-lora"]
    for field_, flag in (
        ("maxRank", "max-lora-rank"),
        ("maxAdapters", "max-loras"),
        ("maxCpuAdapters", "max-cpu-loras"),
    ):
        if (number := whole(lora.get(field_))) is not None:
            words.append(f"--{flag}={number}")
    modules = [
        json.dumps({"name": name, "path": each.path}, separators=(",", ":"))
        for each in own
        for name in (each.name, names.qualified(meta.namespace(obj), each.name))
    ]
    # A shell reads the words once more.
    told = [f"'{each}'" for each in modules] if _is_shell(main) else modules
    _add_words(main, [*words, "--lora-modules", *told])


def _trace(obj: Object, main: dict[str, Any], combined: Combined, role: str) -> None:
    tracing = child(combined.spec, "tracing")
    endpoint = text(tracing.get("exporterEndpoint"))
    if not endpoint:
        return
    for flag, value in (("--otlp-traces-endpoint", endpoint), ("--collect-detailed-traces", "all")):
        if not any(re.match(rf"{flag}(=|$)", word) for word in texts(main.get("args"))):
            main["args"] = [*texts(main.get("args")), flag, value]
    suffix = "prefill" if role == names.PREFILL else "decode"
    there = {each.get("name") for each in mappings(main.get("env"))}
    main["env"] = [
        *mappings(main.get("env")),
        *(each for each in _trace_variables(obj, tracing, suffix) if each["name"] not in there),
    ]


def _trace_variables(obj: Object, tracing: Object, suffix: str) -> Iterator[Object]:
    prefix = "OTEL_RESOURCE_ATTRIBUTES"
    yield {"name": "OTEL_SERVICE_NAME", "value": f"inference-server-{suffix}"}
    for name, key in (
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "exporterEndpoint"),
        ("OTEL_TRACES_EXPORTER", "exporter"),
        ("OTEL_TRACES_SAMPLER", "sampler"),
        ("OTEL_TRACES_SAMPLER_ARG", "samplerArg"),
    ):
        yield {"name": name, "value": text(tracing.get(key))}
    for name, path in (("NODE_NAME", "spec.nodeName"), ("POD_NAME", "metadata.name")):
        yield {"name": f"{prefix}_{name}", "valueFrom": {"fieldRef": {"fieldPath": path}}}
    told = {
        "k8s.namespace.name": meta.namespace(obj),
        "k8s.node.name": f"$({prefix}_NODE_NAME)",
        "k8s.pod.name": f"$({prefix}_POD_NAME)",
        "llmisvc.name": meta.name(obj),
    }
    yield {"name": prefix, "value": ",".join(f"{key}={value}" for key, value in told.items())}


def _add_tiers(spec: dict[str, Any], main: dict[str, Any], offloading: Object) -> None:
    """Volumes for what does not fit into memory."""
    for place, tier in enumerate(mappings(offloading.get("secondary"))):
        system = child(tier, "fileSystem")
        claim = child(system, "pvc")
        if "emptyDir" in system:
            source: Object = {"emptyDir": {"sizeLimit": child(system, "emptyDir").get("size")}}
        elif "spec" in claim:
            source = {"ephemeral": {"volumeClaimTemplate": {"spec": claim["spec"]}}}
        elif "ref" in claim:
            source = {"persistentVolumeClaim": {"claimName": child(claim, "ref").get("name")}}
        else:
            continue
        name = f"kv-cache-secondary-{place}"
        mount: Object = {"name": name, "mountPath": f"/mnt/kv-cache-{place}"}
        if path := text(child(claim, "ref").get("path")):
            mount["subPath"] = path
        spec["volumes"] = [*mappings(spec.get("volumes")), {"name": name, **source}]
        main["volumeMounts"] = [*mappings(main.get("volumeMounts")), mount]
