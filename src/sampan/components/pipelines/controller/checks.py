"""What is checked of Argo's kinds before they are stored: for the admission hook, which loads this when it needs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sampan.components.pipelines.api.argo import document as argo
from sampan.components.pipelines.api.argo.validate import check_shape, validate
from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.controller.admission import Check, Template
from sampan.components.pipelines.controller.ticks import timetable
from sampan.kube import meta
from sampan.kube.meta import Object

_POLICIES = ("", "Allow", "Forbid", "Replace")
_LONGEST_CRON_NAME = 52
"""Its Workflows add eleven characters, and what bears their names as a label has 63."""


def check_workflow(workflow: Object, template: Template) -> None:
    check_shape(workflow)
    validate(argo.resolve(argo.load(workflow), template))


def check_template(obj: Object, template: Template) -> None:
    """What it refers to may come later: then it is looked at when it runs."""
    check_shape(obj)
    document = argo.load(obj)
    missing = False

    def found(kind: str, name: str) -> Mapping[str, Any]:
        nonlocal missing
        there = template(kind, name)
        missing = missing or there is None
        return there or {"spec": {}}

    resolved = argo.resolve(document, found)
    if not missing:
        validate(resolved)


def check_cron(cron: Object, template: Template) -> None:
    spec = meta.spec(cron)
    name = meta.name(cron)
    if len(name) > _LONGEST_CRON_NAME:
        raise InvalidArgumentError(
            f"metadata.name: {name!r} must not be more than {_LONGEST_CRON_NAME} characters"
        )
    try:
        timetable(spec)
    except ValueError as error:
        raise InvalidArgumentError(f"spec.schedules: {error}") from error
    if (policy := spec.get("concurrencyPolicy") or "") not in _POLICIES:
        raise InvalidArgumentError(f"spec.concurrencyPolicy: {policy!r} is not Allow, Forbid or Replace")
    deadline = spec.get("startingDeadlineSeconds")
    if deadline is not None and (not isinstance(deadline, int) or deadline < 0):
        raise InvalidArgumentError("spec.startingDeadlineSeconds: must be a whole number, 0 or more")
    if not isinstance(spec.get("workflowSpec"), dict):
        raise InvalidArgumentError("spec.workflowSpec: missing; it says what is to run")
    inner = {"kind": "Workflow", "metadata": {"name": name}, "spec": spec["workflowSpec"]}
    try:
        check_template(inner, template)
    except InvalidArgumentError as error:
        raise InvalidArgumentError(within(error.message, "spec.workflowSpec")) from error


def within(message: str, place: str) -> str:
    """The same of a spec that stands elsewhere."""
    return place + message.removeprefix("spec") if message.startswith(("spec.", "spec:")) else message


CHECKS: Mapping[str, Check] = {
    "Workflow": check_workflow,
    "WorkflowTemplate": check_template,
    "ClusterWorkflowTemplate": check_template,
    "CronWorkflow": check_cron,
}
