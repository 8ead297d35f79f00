"""Packages in either language, as a row stores them."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.api.specification import preparer, workflow_in
from sampan.testing.pipelines import Component, pipeline, shell, task

WORKFLOW: dict[str, Any] = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Workflow",
    "metadata": {"generateName": "sums-", "annotations": {"a": "b"}},
    "spec": {
        "entrypoint": "main",
        "arguments": {"parameters": [{"name": "x", "value": "1"}, {"name": "y"}]},
        "templates": [{"name": "main", "container": {"image": "busybox", "command": ["true"]}}],
    },
}


def test_a_workflow_is_told_from_the_ir_whatever_form_it_comes_in() -> None:
    ir = pipeline("p", {"a": task("step")}, Component("step", shell("true")))
    text = yaml.safe_dump(WORKFLOW).encode()
    for source in (WORKFLOW, text, json.dumps(WORKFLOW).encode(), {"pipeline_spec": WORKFLOW}):
        assert workflow_in(source) is not None
        assert "workflow" in json.loads(preparer()(source, None))
    assert workflow_in(ir) is None
    assert "pipeline_spec" in json.loads(preparer()(yaml.safe_dump(ir).encode(), None))


def test_what_a_row_stores_is_prepared_to_the_same() -> None:
    prepare = preparer()
    stored = prepare(WORKFLOW, None)
    assert prepare(stored.encode(), {"y": "2"}) == stored


def test_parameters_are_checked_when_it_runs() -> None:
    prepare = preparer()
    with pytest.raises(InvalidArgumentError, match="Unrecognized input parameter: z; the workflow has: x, y"):
        prepare(WORKFLOW, {"y": "2", "z": "3"})
    with pytest.raises(InvalidArgumentError, match='parameter "y" has no value'):
        prepare(WORKFLOW, {})


def test_an_exported_workflow_loses_what_made_it_one_object() -> None:
    """Its uid, above all: pods of the run would belong to an object that there is not, and be collected."""
    metadata = {
        "name": "wf-abc",
        "uid": "u",
        "resourceVersion": "1",
        "namespace": "other",
        "labels": {"l": "1"},
    }
    exported = {**WORKFLOW, "metadata": metadata, "status": {"phase": "Succeeded"}}
    stored = json.loads(preparer()(exported, {"y": "2"}))["workflow"]
    assert stored["metadata"] == {"generateName": "wf-abc-", "labels": {"l": "1"}}
    assert "status" not in stored


def test_a_template_that_it_refers_to_is_pulled_in() -> None:
    given = {**WORKFLOW, "spec": {"workflowTemplateRef": {"name": "there"}}}
    inner = {"entrypoint": "main", "templates": WORKFLOW["spec"]["templates"]}
    stored = json.loads(preparer(lambda kind, name: {"spec": inner})(given, {}))
    assert list(stored["templates"]) == ["namespaced/there"]
    with pytest.raises(InvalidArgumentError, match=r'spec\.workflowTemplateRef\.name: .* "there"'):
        preparer()(given, {})
