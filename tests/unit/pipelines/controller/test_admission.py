"""What cannot run is refused when it is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.api.workflow_kinds import WORKFLOW_TEMPLATES, WORKFLOWS
from sampan.components.pipelines.controller.admission import Template, cause, hook
from sampan.kube.admission import AdmissionRequest
from sampan.kube.errors import InvalidError
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object

REQUEST = AdmissionRequest("CREATE", WORKFLOWS, "default", "wf-x")


class Stored:
    def get(self, resource: Resource, name: str, namespace: str = "") -> Object | None:
        known = (resource, name, namespace) == (WORKFLOW_TEMPLATES, "there", "default")
        return {"spec": {}} if known else None

    def all(self, resource: Resource, namespace: str = "") -> list[Object]:
        return []

    def wrong_with(self, obj: Object) -> str:
        return ""


def refuse(obj: Object, template: Template) -> None:
    name = obj["spec"].get("uses", "")
    if template("WorkflowTemplate", name) is None:
        raise InvalidArgumentError(f"spec.templates[0].steps[1][0].templateRef: no {name}: create it")


def checks() -> Mapping[str, Any]:
    return {"Workflow": refuse}


def workflow(**spec: Any) -> Object:
    return {"kind": "Workflow", "metadata": {"name": "wf-x"}, "spec": spec}


def test_a_refusal_names_the_field() -> None:
    with pytest.raises(InvalidError) as caught:
        hook(checks).admit(REQUEST, workflow(uses="gone"), None, Stored())
    assert caught.value.message == (
        'Workflow.argoproj.io "wf-x" is invalid: '
        "spec.templates[0].steps[1][0].templateRef: no gone: create it"
    )
    assert caught.value.causes[0].field == "spec.templates[0].steps[1][0].templateRef"


def test_what_is_fine_passes_unchanged() -> None:
    given = workflow(uses="there")
    assert hook(checks).admit(REQUEST, given, None, Stored()) is given


def test_only_what_the_write_changes_is_looked_at() -> None:
    old = workflow(uses="gone")
    new = {**old, "metadata": {**old["metadata"], "labels": {"a": "b"}}, "status": {"phase": "Running"}}
    assert hook(checks).admit(REQUEST, new, old, Stored()) is new
    with pytest.raises(InvalidError):
        hook(checks).admit(REQUEST, workflow(uses="gone", suspend=True), old, Stored())


def test_another_controllers_workflow_is_its_own() -> None:
    given = workflow(uses="gone")
    given["metadata"]["labels"] = {"workflows.argoproj.io/controller-instanceid": "theirs"}
    assert hook(checks).admit(REQUEST, given, None, Stored()) is given


@pytest.mark.parametrize(
    ("message", "field", "said"),
    [
        ("spec.entrypoint: there is no template x", "spec.entrypoint", "there is no template x"),
        ("metadata.name: too long", "metadata.name", "too long"),
        ("something: else", "spec", "something: else"),
    ],
)
def test_the_field_of_a_message(message: str, field: str, said: str) -> None:
    found = cause(message)
    assert (found.field, found.message) == (field, said)
