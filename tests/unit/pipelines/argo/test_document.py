"""Reading Workflows: references, inline templates, joining with a WorkflowTemplate, defaults."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.components.pipelines.api.argo.document import ArgoDocument, is_workflow, load, resolve
from sampan.components.pipelines.api.errors import InvalidArgumentError

_ECHO = {"name": "echo", "container": {"image": "busybox", "command": ["echo"]}}


def _workflow(spec: dict[str, Any]) -> ArgoDocument:
    return load(
        {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "w"}, "spec": spec}
    )


def test_references_are_pulled_in_and_read_back() -> None:
    steps = [[{"name": "a", "templateRef": {"name": "one", "template": "main"}}]]
    document = _workflow({"entrypoint": "main", "templates": [{"name": "main", "steps": steps}]})
    inner = [[{"name": "b", "templateRef": {"name": "two", "template": "echo", "clusterScope": True}}]]
    stored = {
        ("WorkflowTemplate", "one"): {"spec": {"templates": [{"name": "main", "steps": inner}]}},
        ("ClusterWorkflowTemplate", "two"): {"spec": {"templates": [_ECHO]}},
    }
    resolved = resolve(document, lambda kind, name: stored.get((kind, name)))
    again = load(resolved.to_json())
    called = again.called("namespaced/one", "main", inner[0][0])
    assert called is not None
    assert (called.scope, called.type) == ("cluster/two", "container")


def test_a_reference_to_nothing_names_the_field() -> None:
    hooks = {"exit": {"templateRef": {"name": "gone", "template": "x"}}}
    document = _workflow({"entrypoint": "echo", "templates": [_ECHO], "hooks": hooks})
    with pytest.raises(
        InvalidArgumentError, match=r"spec\.hooks\.exit\.templateRef\.name: there is no WorkflowTemplate"
    ):
        resolve(document, lambda kind, name: None)


def test_a_workflow_is_laid_over_its_template() -> None:
    document = _workflow(
        {"workflowTemplateRef": {"name": "t"}, "arguments": {"parameters": [{"name": "p", "value": "mine"}]}}
    )
    template = {
        "entrypoint": "echo",
        "templates": [_ECHO],
        "arguments": {"parameters": [{"name": "p", "value": "yours"}, {"name": "q", "value": "2"}]},
    }
    found = resolve(document, lambda kind, name: {"spec": template})
    assert found.spec["entrypoint"] == "echo"
    assert found.spec["arguments"]["parameters"] == [
        {"name": "p", "value": "mine"},
        {"name": "q", "value": "2"},
    ]
    assert found.find("local", "echo") is not None


def test_inline_templates_and_defaults() -> None:
    steps = [[{"name": "a", "inline": {"container": {"image": "busybox"}}}]]
    document = _workflow(
        {
            "entrypoint": "main",
            "templates": [{"name": "main", "steps": steps}],
            "templateDefaults": {
                "timeout": "30s",
                "container": {"imagePullPolicy": "Always"},
                "script": {"image": "x"},
            },
        }
    )
    called = document.called("local", "main", steps[0][0])
    assert called is not None
    assert called.template["timeout"] == "30s"
    assert called.template["container"] == {"imagePullPolicy": "Always", "image": "busybox"}
    assert "script" not in called.template


def test_what_is_a_workflow() -> None:
    assert is_workflow({"workflow": {}})
    assert is_workflow({"apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTemplate"})
    assert not is_workflow({"pipeline_spec": {}})
    assert not is_workflow([])
    with pytest.raises(InvalidArgumentError, match="spec: missing"):
        load({"kind": "Workflow"})
