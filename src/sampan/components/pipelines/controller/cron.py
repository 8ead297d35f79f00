"""What becomes of a CronWorkflow: its status, the Workflow of a tick, and which ended ones are too many. Pure.

Source: argo-workflows 3.7 workflow/cron/operator.go, workflow/common/convert.go, docs/fields.md (CronWorkflowStatus).
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any

from sampan.components.pipelines.api.workflow_kinds import (
    API_VERSION,
    COMPLETED_LABEL,
    CRON_LABEL,
    SCHEDULED_ANNOTATION,
)
from sampan.kube import meta, owners
from sampan.kube.meta import Object
from sampan.lib.clock import parse_rfc3339, rfc3339

SUCCESSFUL_KEPT = 3
FAILED_KEPT = 1
SPEC_ERROR = "SpecError"
SUBMISSION_ERROR = "SubmissionError"
ACTIVE, STOPPED = "Active", "Stopped"


@dataclass(slots=True)
class Observed:
    """The status as it will be written."""

    status: dict[str, Any]
    news: list[tuple[bool, str, str]] = field(default_factory=list)
    """Whether it is a warning, its reason and its words; told once the status is written."""

    @property
    def active(self) -> list[dict[str, Any]]:
        return self.status.get("active") or []

    def start(self, workflow: Object, tick: datetime) -> None:
        if all(each.get("uid") != meta.uid(workflow) for each in self.active):
            self.status["active"] = [*self.active, reference(workflow)]
        self.status["lastScheduledTime"] = rfc3339(tick)

    def adopt(self, workflow: Object) -> None:
        """With the tick that it was made for."""
        scheduled = meta.annotations(workflow).get(SCHEDULED_ANNOTATION)
        if all(each.get("uid") != meta.uid(workflow) for each in self.active):
            self.status["active"] = [*self.active, reference(workflow)]
            if scheduled:
                tick = parse_rfc3339(scheduled)
                last = self.status.get("lastScheduledTime")
                if not last or parse_rfc3339(str(last)) < tick:
                    self.status["lastScheduledTime"] = rfc3339(tick)

    def forget(self, uid: str) -> None:
        self.status["active"] = [each for each in self.active if each.get("uid") != uid]

    def complain(self, type_: str, message: str) -> None:
        """Sets the condition, or removes it when there is nothing to say."""
        kept = [each for each in self.status.get("conditions") or () if each.get("type") != type_]
        if message:
            kept.append({"type": type_, "status": "True", "message": message})
        self.status["conditions"] = kept


def observe(cron: Object, workflows: Sequence[Object]) -> Observed:
    """What its Workflows have come to since the status was written. Each end is counted once: while it is listed.

    One that was made and could not be written down is listed now.
    """
    result = Observed(deepcopy(meta.status(cron)))
    result.status.setdefault("active", [])
    result.status.setdefault("phase", ACTIVE)
    by_uid = {meta.uid(each): each for each in workflows}
    for each in sorted(workflows, key=meta.name):
        if not has_ended(each) and not meta.is_deleting(each):
            result.adopt(each)
    for uid in [str(each.get("uid")) for each in result.active]:
        workflow = by_uid.get(uid)
        if workflow is None:
            result.forget(uid)
        elif has_ended(workflow):
            result.forget(uid)
            counter = "succeeded" if phase(workflow) == "Succeeded" else "failed"
            result.status[counter] = int(result.status.get(counter) or 0) + 1
    for key in ("succeeded", "failed"):
        result.status.setdefault(key, 0)
    return result


def phase(workflow: Object) -> str:
    return str(meta.status(workflow).get("phase") or "")


def has_ended(workflow: Object) -> bool:
    return meta.labels(workflow).get(COMPLETED_LABEL) == "true"


def surplus(cron: Object, workflows: Sequence[Object]) -> list[Object]:
    """The oldest ended Workflows beyond the history limits."""
    found: list[Object] = []
    ended = [each for each in workflows if has_ended(each) and not meta.is_deleting(each)]
    for key, kept, succeeded in (
        ("successfulJobsHistoryLimit", SUCCESSFUL_KEPT, True),
        ("failedJobsHistoryLimit", FAILED_KEPT, False),
    ):
        limit = meta.spec(cron).get(key)
        some = sorted((each for each in ended if (phase(each) == "Succeeded") is succeeded), key=_finished)
        found += some[: max(len(some) - int(kept if limit is None else limit), 0)]
    return found


def workflow_name(cron: Object, tick: datetime) -> str:
    """The same for the same tick: whatever crashes in between, it makes one Workflow."""
    return f"{meta.name(cron)}-{int(tick.timestamp())}"


def desired(cron: Object, tick: datetime, zone: tzinfo) -> Object:
    """The Workflow for one tick."""
    spec = meta.spec(cron)
    given = spec.get("workflowMetadata") or {}
    scheduled = tick.astimezone(zone).isoformat().replace("+00:00", "Z")
    metadata: dict[str, Any] = {
        "name": workflow_name(cron, tick),
        "namespace": meta.namespace(cron),
        "labels": {**(given.get("labels") or {}), CRON_LABEL: meta.name(cron)},
        "annotations": {**(given.get("annotations") or {}), SCHEDULED_ANNOTATION: scheduled},
        "ownerReferences": [owners.owner_reference(cron)],
    }
    if given.get("finalizers"):
        metadata["finalizers"] = list(given["finalizers"])
    return {
        "apiVersion": API_VERSION,
        "kind": "Workflow",
        "metadata": metadata,
        "spec": deepcopy(spec.get("workflowSpec") or {}),
    }


def reference(workflow: Object) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": "Workflow",
        "name": meta.name(workflow),
        "namespace": meta.namespace(workflow),
        "resourceVersion": meta.resource_version(workflow),
        "uid": meta.uid(workflow),
    }


def _finished(workflow: Object) -> tuple[str, str]:
    return str(meta.status(workflow).get("finishedAt") or ""), meta.name(workflow)
