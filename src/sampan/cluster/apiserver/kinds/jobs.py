"""Jobs: defaults, the generated selector, validation.

Source: kubernetes/pkg/apis/batch/v1/defaults.go, pkg/apis/batch/validation/validation.go,
pkg/registry/batch/job/strategy.go, pkg/printers/internalversion/printers.go, v1.31.
"""

from __future__ import annotations

from datetime import datetime

from sampan.cluster.apiserver.kinds.pods import default_spec, validate_spec
from sampan.cluster.apiserver.strategy import Column, SelectableField, Strategy
from sampan.cluster.apiserver.tables import AGE, NAME, human_duration
from sampan.kube import conditions, meta, selectors
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.kinds import JOBS
from sampan.kube.meta import Object
from sampan.lib.clock import parse_rfc3339

CONTROLLER_UID = "batch.kubernetes.io/controller-uid"
JOB_NAME = "batch.kubernetes.io/job-name"
_COMPLETION_MODES = ("NonIndexed", "Indexed")


_OPEN_METADATA = ("annotations", "labels")
_OPEN_SPEC = ("affinity", "nodeSelector", "schedulingGates", "tolerations")
"""Of the template of a Job that has not started: what a queue may still decide."""


def _default(job: Object) -> None:
    spec = job.setdefault("spec", {})
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    per_index = "backoffLimitPerIndex" in spec
    spec.setdefault("backoffLimit", 2**31 - 1 if per_index else 6)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("manualSelector", False)
    spec.setdefault("podReplacementPolicy", "Failed" if "podFailurePolicy" in spec else "TerminatingOrFailed")
    template = spec.setdefault("template", {})
    template.setdefault("metadata", {})
    # A template must say how its pods restart: Always is no answer for a Job, and is refused below.
    default_spec(template.setdefault("spec", {}))


def _prepare_create(job: Object) -> None:
    """The selector that only this job's pods match."""
    spec, metadata = job["spec"], job["metadata"]
    job["status"] = {}
    if spec["manualSelector"]:
        return
    labels = spec["template"]["metadata"].setdefault("labels", {})
    labels.update({CONTROLLER_UID: metadata["uid"], "controller-uid": metadata["uid"]})
    labels.update({JOB_NAME: metadata.get("name", ""), "job-name": metadata.get("name", "")})
    spec.setdefault("selector", {}).setdefault("matchLabels", {})[CONTROLLER_UID] = metadata["uid"]


def _validate(job: Object, errors: FieldErrors) -> None:
    spec = job["spec"]
    for key in (
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "backoffLimitPerIndex",
        "ttlSecondsAfterFinished",
    ):
        value = spec.get(key)
        if value is not None and value < 0:
            errors.invalid(f"spec.{key}", value, "must be greater than or equal to 0")
    if spec["completionMode"] not in _COMPLETION_MODES:
        errors.unsupported("spec.completionMode", spec["completionMode"], _COMPLETION_MODES)
    elif spec["completionMode"] == "Indexed" and spec.get("completions") is None:
        errors.required("spec.completions", "when completion mode is Indexed")
    elif spec["completionMode"] != "Indexed" and "backoffLimitPerIndex" in spec:
        errors.invalid(
            "spec.backoffLimitPerIndex",
            spec["backoffLimitPerIndex"],
            "requires indexed completion mode",
        )
    selector = spec.get("selector")
    if not selector:
        errors.required("spec.selector")
    elif not selectors.from_object(selector).matches(spec["template"]["metadata"].get("labels") or {}):
        errors.invalid(
            "spec.template.metadata.labels",
            spec["template"]["metadata"].get("labels"),
            "`selector` does not match template `labels`",
        )
    template = spec["template"]["spec"]
    if template["restartPolicy"] == "Always":
        errors.required("spec.template.spec.restartPolicy", 'valid values: "OnFailure", "Never"')
    validate_spec(template, "spec.template.spec", errors)


def _validate_update(new: Object, old: Object, errors: FieldErrors) -> None:
    after, before = new["spec"], old["spec"]
    indexed = before["completionMode"] == "Indexed"
    for key in ("completions", "selector", "completionMode", "podFailurePolicy", "backoffLimitPerIndex"):
        if after.get(key) == before.get(key):
            continue
        if key == "completions" and indexed and after.get(key) == after["parallelism"]:
            continue  # elastic indexed jobs: both together
        errors.invalid(f"spec.{key}", after.get(key), "field is immutable")
    # Where its pods may run can be changed, but only while nothing of it has started.
    waits = before["suspend"] and not meta.status(old).get("startTime")
    known = _placed_as(before["template"], after["template"]) if waits else before["template"]
    if after["template"] != known:
        errors.invalid("spec.template", after["template"], "field is immutable")


def _placed_as(template: Object, other: Object) -> Object:
    """`template`, with the scheduling directives of `other` (pkg/apis/batch/validation, v1.31)."""
    metadata = _with(template["metadata"], other["metadata"], _OPEN_METADATA)
    return {"metadata": metadata, "spec": _with(template["spec"], other["spec"], _OPEN_SPEC)}


def _with(mapping: Object, other: Object, keys: tuple[str, ...]) -> Object:
    kept = {key: value for key, value in mapping.items() if key not in keys}
    return kept | {key: other[key] for key in keys if key in other}


def _status(job: Object, _: datetime) -> str:
    for condition, word in (("Complete", "Complete"), ("Failed", "Failed")):
        if conditions.is_true(job, condition):
            return word
    if meta.is_deleting(job):
        return "Terminating"
    for condition, word in (("Suspended", "Suspended"), ("FailureTarget", "FailureTarget")):
        if conditions.is_true(job, condition):
            return word
    if conditions.is_true(job, "SuccessCriteriaMet"):
        return "SuccessCriteriaMet"
    return "Running"


def _completions(job: Object, _: datetime) -> str:
    spec, succeeded = meta.spec(job), meta.status(job).get("succeeded", 0)
    if spec.get("completions") is not None:
        return f"{succeeded}/{spec['completions']}"
    parallelism = spec.get("parallelism", 0)
    return f"{succeeded}/1 of {parallelism}" if parallelism > 1 else f"{succeeded}/1"


def _duration(job: Object, now: datetime) -> str:
    status = meta.status(job)
    if not status.get("startTime"):
        return ""
    end = status.get("completionTime")
    return human_duration((parse_rfc3339(end) if end else now) - parse_rfc3339(status["startTime"]))


def _containers(job: Object, key: str) -> str:
    return ",".join(
        str(each.get(key, "")) for each in meta.lookup(job, "spec.template.spec.containers") or ()
    )


STRATEGY = Strategy(
    resource=JOBS,
    default=_default,
    prepare_create=_prepare_create,
    validate=_validate,
    validate_update=_validate_update,
    generations=True,
    fields={"status.successful": SelectableField("status.succeeded", "0")},
    columns=(
        NAME,
        Column("Status", _status),
        Column("Completions", _completions),
        Column("Duration", _duration),
        AGE,
        Column("Containers", lambda job, _: _containers(job, "name"), priority=1),
        Column("Images", lambda job, _: _containers(job, "image"), priority=1),
        Column(
            "Selector",
            lambda job, _: selectors.format_labels(meta.lookup(job, "spec.selector.matchLabels") or {}),
            priority=1,
        ),
    ),
)
