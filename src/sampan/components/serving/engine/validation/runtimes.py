"""Whether a ServingRuntime or ClusterServingRuntime may be.

Source: kserve/kserve 0.20 pkg/webhook/admission/servingruntime/servingruntime_webhook.go,
pkg/apis/serving/v1alpha1/servingruntime_types.go. One that is disabled may be anything.
"""

from __future__ import annotations

from sampan.components.serving.api.kinds import CLUSTER_SERVING_RUNTIMES, SERVING_RUNTIMES
from sampan.components.serving.api.reading import mappings, text, texts, whole
from sampan.components.serving.engine.validation import components, workers
from sampan.components.serving.engine.validation.surroundings import Surroundings
from sampan.kube import meta
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.meta import Object

_FORMATS = "spec.supportedModelFormats"


def check(runtime: Object, old: Object | None, around: Surroundings, errors: FieldErrors) -> None:
    spec = meta.spec(runtime)
    if spec.get("disabled") is True:
        return
    is_cluster = runtime.get("kind") == CLUSTER_SERVING_RUNTIMES.kind
    kind = CLUSTER_SERVING_RUNTIMES if is_cluster else SERVING_RUNTIMES
    namespace = "" if is_cluster else meta.namespace(runtime)
    _check_own_priorities(spec, f"{kind.kind.lower()} {meta.name(runtime)}", errors)
    for other in around.all(kind, namespace):
        if meta.name(other) != meta.name(runtime):
            _check_against(spec, other, kind.plural, meta.name(runtime), errors)
    workers.check_of_runtime(spec, meta.spec(old or {}), errors)
    components.check_variables(spec, "spec", errors)


def _check_own_priorities(spec: Object, where: str, errors: FieldErrors) -> None:
    known: dict[str, int | None] = {}
    for index, each in enumerate(mappings(spec.get("supportedModelFormats"))):
        if each.get("autoSelect") is not True:
            continue
        name, priority = text(each.get("name")), whole(each.get("priority"))
        before = known.setdefault(name, priority)
        if None not in (before, priority) and before != priority:
            errors.invalid(
                f"{_FORMATS}[{index}].priority",
                priority,
                f"different priorities assigned for the model format {name} under the {where}",
            )


def _check_against(spec: Object, other: Object, plural: str, name: str, errors: FieldErrors) -> None:
    theirs = meta.spec(other)
    if theirs.get("disabled") is True or bool(spec.get("multiModel")) != bool(theirs.get("multiModel")):
        return
    if not {*texts(spec.get("protocolVersions"))} & {*texts(theirs.get("protocolVersions"))}:
        return
    taken = {
        _identity(each): whole(each.get("priority"))
        for each in mappings(theirs.get("supportedModelFormats"))
        if each.get("autoSelect") is True
    }
    for index, each in enumerate(mappings(spec.get("supportedModelFormats"))):
        priority = whole(each.get("priority"))
        if each.get("autoSelect") is True and priority is not None and taken.get(_identity(each)) == priority:
            where = f" in namespace {meta.namespace(other)}" if meta.namespace(other) else ""
            errors.invalid(
                f"{_FORMATS}[{index}].priority",
                priority,
                f"same priority assigned for the model format {text(each.get('name'))} in the {plural}"
                f" {meta.name(other)} and {name}{where}: take another, the highest is taken first",
            )


def _identity(model_format: Object) -> tuple[str, object]:
    return text(model_format.get("name")).lower(), model_format.get("version")
