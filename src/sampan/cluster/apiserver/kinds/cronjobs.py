"""CronJobs: defaults and validation.

Source: kubernetes/pkg/apis/batch/v1/defaults.go, pkg/apis/batch/validation/validation.go (ValidateCronJobSpec),
pkg/printers/internalversion/printers.go, v1.33.
"""

from __future__ import annotations

import zoneinfo
from datetime import datetime

from sampan.cluster.apiserver.kinds.jobspecs import validate_job_spec
from sampan.cluster.apiserver.kinds.templates import default_template, non_negative, of_containers, read
from sampan.cluster.apiserver.strategy import Column, Strategy
from sampan.cluster.apiserver.tables import AGE, NAME, age
from sampan.kube import cron, meta
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.kinds import CRON_JOBS
from sampan.kube.meta import Object

_POLICIES = ("Allow", "Forbid", "Replace")
_NAME_LIMIT = 52
"""Leaves room for the time in the names of Jobs."""
_CONTAINERS = "spec.jobTemplate.spec.template.spec.containers"


def _default(cron_job: Object) -> None:
    spec = cron_job.setdefault("spec", {})
    spec["concurrencyPolicy"] = spec.get("concurrencyPolicy") or "Allow"
    for key, value in (("suspend", False), ("successfulJobsHistoryLimit", 3), ("failedJobsHistoryLimit", 1)):
        if spec.get(key) is None:
            spec[key] = value
    template = spec.setdefault("jobTemplate", {})
    if template.get("metadata") is None:
        template["metadata"] = {}
    # As upstream: of the Job itself nothing is filled in, only of its pods.
    default_template(template.setdefault("spec", {}))


def _prepare(cron_job: Object) -> None:
    cron_job["status"] = {}


def _validate(cron_job: Object, errors: FieldErrors) -> None:
    spec = cron_job["spec"]
    if len(meta.name(cron_job)) > _NAME_LIMIT:
        errors.invalid("metadata.name", meta.name(cron_job), f"must be no more than {_NAME_LIMIT} characters")
    schedule = spec.get("schedule")
    if not schedule:
        errors.required("spec.schedule")
    else:
        _validate_schedule(schedule, errors)
    limits = ("startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit")
    non_negative(spec, limits, "spec", errors)
    if spec["concurrencyPolicy"] not in _POLICIES:
        errors.unsupported("spec.concurrencyPolicy", spec["concurrencyPolicy"], _POLICIES)
    if spec.get("timeZone") is not None:
        _validate_zone(spec["timeZone"], errors)
    job_spec, path = spec["jobTemplate"]["spec"], "spec.jobTemplate.spec"
    validate_job_spec(job_spec, path, errors)
    if job_spec.get("selector") is not None:
        errors.invalid(f"{path}.selector", job_spec["selector"], "`selector` will be auto-generated")
    if job_spec.get("manualSelector"):
        errors.unsupported(f"{path}.manualSelector", True, ("nil", "false"))


def _validate_schedule(schedule: str, errors: FieldErrors) -> None:
    if "TZ" in schedule:
        detail = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        errors.invalid("spec.schedule", schedule, detail)
        return
    try:
        cron.parse(schedule)
    except ValueError as error:
        errors.invalid("spec.schedule", schedule, str(error))


def _validate_zone(name: str, errors: FieldErrors) -> None:
    if not name:
        errors.invalid("spec.timeZone", name, "timeZone must be nil or non-empty string")
    elif name.lower() == "local":
        errors.invalid(
            "spec.timeZone",
            name,
            "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones",
        )
    else:
        try:
            zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            errors.invalid("spec.timeZone", name, f"unknown time zone {name}")


def _last_schedule(cron_job: Object, now: datetime) -> str:
    last = meta.status(cron_job).get("lastScheduleTime")
    return age(last, now) if last else "<none>"


STRATEGY = Strategy(
    resource=CRON_JOBS,
    default=_default,
    prepare_create=_prepare,
    validate=_validate,
    generations=True,
    columns=(
        NAME,
        Column("Schedule", read("spec.schedule", "")),
        Column("Timezone", read("spec.timeZone", "<none>")),
        Column("Suspend", lambda cron_job, _: str(bool(meta.spec(cron_job).get("suspend")))),
        Column("Active", lambda cron_job, _: len(meta.status(cron_job).get("active") or ()), type="integer"),
        Column("Last Schedule", _last_schedule),
        AGE,
        Column("Containers", of_containers("name", _CONTAINERS), priority=1),
        Column("Images", of_containers("image", _CONTAINERS), priority=1),
        Column("Selector", lambda *_: "<none>", priority=1),
    ),
)
