"""The object that a filled form stands for, and for a change what becomes of the one that is there. Pure.

Fields are upstream's: kserve/kserve 0.20 pkg/apis/serving/v1beta1.
"""

from __future__ import annotations

import copy
import shlex
from collections.abc import Mapping
from typing import Any

from sampan.components.serving.api import labels
from sampan.components.serving.api.kinds import INFERENCE_SERVICES
from sampan.components.serving.ui.new_endpoint.wanted import MODEL, Beside, Size, Wanted
from sampan.kube import meta
from sampan.kube.meta import Object
from sampan.ui.objects import amounts


def service(wanted: Wanted) -> Object:
    predictor: Object = {}
    if wanted.source == MODEL:
        predictor["model"] = _model(wanted)
    else:
        predictor["containers"] = [_container(wanted)]
    predictor |= _scale(wanted.size)
    if wanted.canary_percent is not None:
        predictor["canaryTrafficPercent"] = wanted.canary_percent
    if wanted.account:
        predictor["serviceAccountName"] = wanted.account
    predictor |= _beside(wanted.beside)
    spec: Object = {"predictor": predictor}
    for part, image in (("transformer", wanted.beside.transformer), ("explainer", wanted.beside.explainer)):
        if image:
            spec[part] = {"containers": [{"name": labels.CONTAINER, "image": image}]}
    metadata: Object = {"name": wanted.name, "namespace": wanted.namespace}
    if wanted.mode:
        metadata["annotations"] = {labels.DEPLOYMENT_MODE: wanted.mode}
    return {
        "apiVersion": INFERENCE_SERVICES.api_version,
        "kind": INFERENCE_SERVICES.kind,
        "metadata": metadata,
        "spec": spec,
    }


def changed(original: Object, made: Object) -> Object:
    """What there is, with the spec that was made; its labels and annotations stay."""
    found = copy.deepcopy(dict(original))
    found.pop("status", None)
    found["metadata"].pop("managedFields", None)
    found["spec"] = made["spec"]
    for key, value in meta.annotations(made).items():
        found["metadata"].setdefault("annotations", {})[key] = value
    return found


def _model(wanted: Wanted) -> Object:
    name, _, version = wanted.format.partition(" ")
    model: Object = {"modelFormat": {"name": name, **({"version": version} if version else {})}}
    if wanted.uri:
        model["storageUri"] = wanted.uri
    if wanted.runtime:
        model["runtime"] = wanted.runtime
    if wanted.protocol:
        model["protocolVersion"] = wanted.protocol
    return model | _of_container(wanted)


def _container(wanted: Wanted) -> Object:
    found: Object = {"name": labels.CONTAINER, "image": wanted.image}
    if wanted.command:
        found["command"] = shlex.split(wanted.command)
    if wanted.port:
        found["ports"] = [{"containerPort": wanted.port, "protocol": "TCP"}]
    found |= _of_container(wanted)
    if wanted.uri:
        found["env"] = [*found.get("env", []), {"name": "STORAGE_URI", "value": wanted.uri}]
    return found


def _of_container(wanted: Wanted) -> Object:
    found: Object = {}
    if wanted.environment:
        found["env"] = [{"name": name, "value": value} for name, value in wanted.environment.items()]
    asked = {"cpu": wanted.size.cpu, "memory": wanted.size.memory, "nvidia.com/gpu": wanted.size.gpu}
    given = {name: amount for name, amount in asked.items() if amount and amount != "0"}
    resources = {"requests": given, "limits": _limits(wanted.size, given)}
    if resources := {key: each for key, each in resources.items() if each}:
        found["resources"] = resources
    return found


def _limits(size: Size, given: Mapping[str, str]) -> dict[str, str]:
    """None is below what is asked for."""
    if size.limits is None:
        return dict(given)
    return {name: _larger(given.get(name), limit) for name, limit in size.limits.items()}


def _larger(asked: str | None, limit: str) -> str:
    return asked if asked is not None and amounts.parsed(asked) > amounts.parsed(limit) else limit


def _scale(size: Size) -> Object:
    found: dict[str, Any] = {
        "minReplicas": size.least,
        "maxReplicas": size.most,
        "scaleMetric": size.metric or None,
        "scaleTarget": size.target,
    }
    return {key: value for key, value in found.items() if value is not None}


def _beside(beside: Beside) -> Object:
    found: Object = {}
    if beside.logger:
        found["logger"] = {"mode": beside.logger_mode or "all", "url": beside.logger}
    if beside.batch_size or beside.batch_milliseconds:
        batcher = {"maxBatchSize": beside.batch_size, "maxLatency": beside.batch_milliseconds}
        found["batcher"] = {key: value for key, value in batcher.items() if value}
    return found
