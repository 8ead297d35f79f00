"""Jobs: defaults, the generated selector, validation.

Source: kubernetes/pkg/apis/batch/v1/defaults.go, pkg/apis/batch/validation/validation.go,
pkg/registry/batch/job/strategy.go, pkg/printers/internalversion/printers.go, v1.33.
"""

from __future__ import annotations

from datetime import datetime

from sampan.cluster.apiserver.kinds.jobspecs import validate_job_spec
from sampan.cluster.apiserver.kinds.templates import SELECTOR, WIDE, default_template, validate_selector
from sampan.cluster.apiserver.strategy import Column, SelectableField, Strategy
from sampan.cluster.apiserver.tables import AGE, NAME, human_duration
from sampan.kube import conditions, meta, names
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.kinds import JOBS
from sampan.kube.meta import Object
from sampan.lib.clock import parse_rfc3339

CONTROLLER_UID = "batch.kubernetes.io/controller-uid"
JOB_NAME = "batch.kubernetes.io/job-name"
_FIXED = (
    "selector",
    "completionMode",
    "podFailurePolicy",
    "backoffLimitPerIndex",
    "managedBy",
    "successPolicy",
)
_DIRECTIVES = ("affinity", "nodeSelector", "tolerations", "schedulingGates")


def _default(job: Object) -> None:
    spec = job.setdefault("spec", {})
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    per_index = spec.get("backoffLimitPerIndex") is not None
    policy = spec.get("podFailurePolicy")
    for key, value in (
        ("parallelism", 1),
        ("backoffLimit", 2**31 - 1 if per_index else 6),
        ("completionMode", "NonIndexed"),
        ("suspend", False),
        ("manualSelector", False),
        ("podReplacementPolicy", "TerminatingOrFailed" if policy is None else "Failed"),
    ):
        if spec.get(key) is None:
            spec[key] = value
    for rule in (policy or {}).get("rules") or ():
        for pattern in rule.get("onPodConditions") or ():
            pattern["status"] = pattern.get("status") or "True"
    # A template must say how its pods restart: Always is no answer for a Job, and is refused below.
    default_template(spec)
    # Where no labels are given, those of the template count.
    if not meta.labels(job) and (labels := meta.labels(spec["template"])):
        job["metadata"]["labels"] = dict(labels)


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
    if not spec["manualSelector"]:
        _validate_generated(job, errors)
    validate_job_spec(spec, "spec", errors)
    selector = spec.get("selector")
    if selector is None:
        errors.required("spec.selector")
    else:
        parsed = validate_selector(selector, "spec.selector", errors)
        labels = meta.labels(spec["template"])
        if parsed is not None and not parsed.matches(labels):
            detail = "`selector` does not match template `labels`"
            errors.invalid("spec.template.metadata.labels", labels, detail)
    if spec["completionMode"] == "Indexed" and spec.get("completions"):
        longest = f"{meta.name(job)}-{spec['completions'] - 1}"
        if names.dns_label(longest):
            detail = f"will not able to create pod with invalid DNS label: {longest}"
            errors.invalid("metadata.name", meta.name(job), detail)


def _validate_generated(job: Object, errors: FieldErrors) -> None:
    """The labels by which the pods are found are the server's to set."""
    uid, name = meta.uid(job), meta.name(job)
    labels = meta.labels(job["spec"]["template"])
    for key, value in ((CONTROLLER_UID, uid), ("controller-uid", uid), (JOB_NAME, name), ("job-name", name)):
        if labels.get(key) != value:
            field = f"spec.template.metadata.labels[{key}]"
            if key in labels:
                errors.invalid(field, labels[key], f"must be '{value}'")
            else:
                errors.required(field, f"must be '{value}'")


def _validate_update(new: Object, old: Object, errors: FieldErrors) -> None:
    after, before = new["spec"], old["spec"]
    _validate_completions(after, before, errors)
    for key in _FIXED:
        if after.get(key) != before.get(key):
            errors.invalid(f"spec.{key}", after.get(key), "field is immutable")
    # Where pods go may be changed, by a queue, as long as none of them has started.
    waiting = before["suspend"] and not meta.status(old).get("startTime")
    template, previous = after["template"], before["template"]
    if waiting:
        template, previous = _without_directives(template), _without_directives(previous)
    if template != previous:
        errors.invalid("spec.template", after["template"], "field is immutable")


def _validate_completions(after: Object, before: Object, errors: FieldErrors) -> None:
    completions = after.get("completions")
    if completions == before.get("completions"):
        return
    if after["completionMode"] != "Indexed":
        errors.invalid("spec.completions", completions, "field is immutable")
    elif completions is not None and completions != after["parallelism"]:
        detail = "can only be modified in tandem with spec.parallelism"
        errors.invalid("spec.completions", completions, detail)


def _without_directives(template: Object) -> Object:
    spec = {key: value for key, value in template["spec"].items() if key not in _DIRECTIVES}
    affinity = {
        key: value for key, value in (template["spec"].get("affinity") or {}).items() if key != "nodeAffinity"
    }
    if affinity:
        spec["affinity"] = affinity
    metadata = {
        key: value for key, value in meta.metadata(template).items() if key not in ("labels", "annotations")
    }
    return {**template, "metadata": metadata, "spec": spec}


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
        *WIDE,
        SELECTOR,
    ),
)
