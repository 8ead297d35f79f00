"""The runtime for a predictor with a model: the one that is named, or the first that fits.

Source: kserve/kserve 0.20 pkg/controller/v1beta1/inferenceservice/components/predictor.go (reconcileModel),
pkg/apis/serving/v1beta1/predictor_model.go (GetSupportingRuntimes, RuntimeSupportsModel). Upstream says only that
nothing fits; here it is said what was looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sampan.components.serving.api import models
from sampan.components.serving.api.reading import child, text
from sampan.components.serving.engine.selection import servers
from sampan.components.serving.engine.selection.runtimes import Runtime, in_order, read
from sampan.kube.meta import Object

NOT_RECOGNIZED = "RuntimeNotRecognized"
DISABLED = "RuntimeDisabled"
NO_SUPPORTING = "NoSupportingRuntime"
INVALID_PREDICTOR = "InvalidPredictorSpec"
_TOLD = 5


class UnselectableError(Exception):
    """No pod can be made of the predictor as it is."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        """As `status.modelStatus.lastFailureInfo.reason` has it."""
        self.message = message


@dataclass(frozen=True, slots=True)
class Selected:
    runtime: Runtime
    model: Object
    """The predictor's, with what its runtime fills in: protocol, variables, arguments."""
    labels: dict[str, str] = field(default_factory=dict)
    """That the runtime adds to the InferenceService's own, for templates and pods."""

    @property
    def protocol(self) -> str:
        return models.protocol(self.model)


def select(
    predictor: Object, name: str, runtimes: Iterable[Object], of_cluster: Iterable[Object]
) -> Selected:
    """For the predictor of the InferenceService `name`, among ServingRuntimes of its namespace and
    ClusterServingRuntimes. The predictor has `model` or a framework. Raises UnselectableError."""
    model = _as_model(predictor)
    nearby = [read(each, is_cluster=False) for each in runtimes]
    further = [read(each, is_cluster=True) for each in of_cluster]
    wanted = text(model.get("runtime"))
    has_workers = isinstance(predictor.get("workerSpec"), dict)
    if wanted:
        found = _named(wanted, model, nearby, further)
        if has_workers and not found.has_workers():
            raise UnselectableError(
                INVALID_PREDICTOR,
                "you cannot set WorkerSpec in the InferenceService if the ServingRuntime does not have a WorkerSpec:"
                f" take spec.predictor.workerSpec away, or name a runtime that has one instead of {wanted}",
            )
    else:
        found = _first(model, nearby, further, has_workers=has_workers)
    filled, labels = servers.filled(model, name, found)
    if not text(filled.get("protocolVersion")):
        place = found.first_protocol
        known = models.PROTOCOLS[place] if place < len(models.PROTOCOLS) else models.V1
        filled = {**filled, "protocolVersion": known}
    return Selected(found, filled, labels)


def _as_model(predictor: Object) -> Object:
    framework = models.framework(predictor)
    if not framework:
        raise UnselectableError(INVALID_PREDICTOR, "spec.predictor names neither a framework nor a model")
    model = models.model(predictor)
    return model if framework == "model" else {**model, "modelFormat": {"name": framework}}


def _named(name: str, model: Object, nearby: Sequence[Runtime], further: Sequence[Runtime]) -> Runtime:
    found = next((each for each in (*nearby, *further) if each.name == name), None)
    if found is None:
        known = sorted({each.name for each in (*nearby, *further)})
        raise UnselectableError(
            NOT_RECOGNIZED,
            f"Waiting for runtime to become available: there is no ServingRuntime in this namespace and no"
            f" ClusterServingRuntime with the name {name!r}; there are {_listed(known)}",
        )
    if found.is_disabled():
        raise UnselectableError(
            DISABLED,
            f"Specified runtime is disabled: the {found.kind} {name} has spec.disabled: true",
        )
    asked = text(model.get("protocolVersion"))
    if not found.speaks(asked):
        raise UnselectableError(
            NO_SUPPORTING,
            f"Specified runtime does not support specified protocol version: {name} speaks"
            f" {_listed(found.protocols)}, not {asked}",
        )
    if not _serves(found, model, is_named=True):
        raise UnselectableError(
            NO_SUPPORTING,
            f"Specified runtime does not support specified framework/version: {name} serves"
            f" {_listed(_formats(found))}, not {_format(model)}",
        )
    return found


def _first(
    model: Object, nearby: Sequence[Runtime], further: Sequence[Runtime], *, has_workers: bool
) -> Runtime:
    format_name = text(child(model, "modelFormat").get("name"))
    for scope in (nearby, further):
        fitting = [each for each in scope if not _against(each, model, has_workers=has_workers)]
        if fitting:
            return in_order(fitting, format_name)[0]
    raise UnselectableError(
        NO_SUPPORTING, _why_none(model, (*nearby, *further), format_name, has_workers=has_workers)
    )


def _serves(runtime: Runtime, model: Object, *, is_named: bool) -> bool:
    """Unless it is named, only formats count for which it may be taken by itself."""
    wanted = child(model, "modelFormat")
    version = wanted.get("version")
    return any(
        each.get("name") == wanted.get("name") and (version is None or each.get("version") == version)
        for each in runtime.formats
        if is_named or each.get("autoSelect") is True
    )


def _against(runtime: Runtime, model: Object, *, has_workers: bool) -> str:
    """Why a runtime is not taken by itself; empty where nothing is against it."""
    name = child(model, "modelFormat").get("name")
    formats = [each for each in runtime.formats if each.get("name") == name]
    if not formats:
        return "another format"
    if runtime.is_disabled():
        return "it is disabled"
    if runtime.is_multi_model():
        return "it is for several models"
    if not _serves(runtime, model, is_named=True):
        return f"it serves {_listed(_formats(runtime, name))}"
    if not _serves(runtime, model, is_named=False):
        return "it is only taken when it is named (no autoSelect)"
    protocol = models.protocol(model)
    if not runtime.speaks(protocol):
        return f"it speaks {_listed(runtime.protocols)}, not {protocol}"
    if runtime.has_workers() != has_workers:
        return "it needs spec.predictor.workerSpec" if runtime.has_workers() else "it has no workerSpec"
    return ""


def _why_none(model: Object, runtimes: Sequence[Runtime], format_name: str, *, has_workers: bool) -> str:
    start = f"No runtime found to support specified framework/version: {_format(model)}"
    if model.get("protocolVersion"):
        start += f" with protocol {models.protocol(model)}"
    if not runtimes:
        return f"{start}; there is no ServingRuntime in this namespace and no ClusterServingRuntime at all"
    near = [each for each in runtimes if any(its.get("name") == format_name for its in each.formats)]
    if not near:
        known = sorted({name for each in runtimes for name in _names(each)})
        return (
            f"{start}; of the {len(runtimes)} runtimes none serves that format: they serve {_listed(known)}"
        )
    why = [f"{each.name}: {_against(each, model, has_workers=has_workers)}" for each in near[:_TOLD]]
    more = f"; and {len(near) - _TOLD} more" if len(near) > _TOLD else ""
    return f"{start}; {'; '.join(why)}{more}"


def _format(model: Object) -> str:
    wanted = child(model, "modelFormat")
    version = text(wanted.get("version"))
    return f"{text(wanted.get('name'))} version {version}" if version else text(wanted.get("name"))


def _formats(runtime: Runtime, name: object = None) -> list[str]:
    return [
        f"{text(each.get('name'))} {text(each.get('version'))}".strip()
        for each in runtime.formats
        if name is None or each.get("name") == name
    ]


def _names(runtime: Runtime) -> list[str]:
    return [text(each.get("name")) for each in runtime.formats]


def _listed(words: Sequence[str]) -> str:
    shown = list(dict.fromkeys(word for word in words if word))
    if len(shown) > 20:
        shown = [*shown[:20], f"{len(shown) - 20} more"]
    return ", ".join(shown) or "nothing"
