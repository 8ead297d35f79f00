"""Which templates a Workflow refers to."""

from __future__ import annotations

from sampan.components.pipelines.controller.templates import references


def test_references_are_found_wherever_they_stand() -> None:
    spec = {
        "workflowTemplateRef": {"name": "whole"},
        "templates": [
            {"steps": [[{"name": "a", "templateRef": {"name": "one", "template": "x"}}]]},
            {"dag": {"tasks": [{"templateRef": {"name": "all", "template": "y", "clusterScope": True}}]}},
        ],
        "onExit": "templateRef",
    }
    assert set(references(spec)) == {
        ("WorkflowTemplate", "whole"),
        ("WorkflowTemplate", "one"),
        ("ClusterWorkflowTemplate", "all"),
    }
