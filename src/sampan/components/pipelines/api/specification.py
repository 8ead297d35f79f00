"""What a package or a request gives to run, in either language: KFP's IR, or an Argo Workflow as kfp 1.8 compiles it.

REST prepares what it stores here, the command line what it submits. Importing it loads both readers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from sampan.components.pipelines.api import ir
from sampan.components.pipelines.api.argo import document as argo
from sampan.components.pipelines.api.argo.validate import check_shape, validate
from sampan.components.pipelines.api.argo_parameters import check_parameters
from sampan.components.pipelines.api.ir_cache import Documents
from sampan.components.pipelines.api.packages import check_expanded

Prepare = Callable[[bytes | Mapping[str, Any], Mapping[str, Any] | None], str]


def preparer(template: argo.GetTemplate | None = None) -> Prepare:
    """What checks a specification, with a run's parameters or without, and gives what a row stores of it.

    That is `{"pipeline_spec": …}` or `{"workflow": …}`. It raises InvalidArgumentError, and remembers what it has read
    last. `template` gives the WorkflowTemplates that a Workflow refers to.
    """
    documents = Documents(lambda document: check_expanded(document.to_json()))

    def prepare(source: bytes | Mapping[str, Any], parameters: Mapping[str, Any] | None) -> str:
        workflow = workflow_in(source)
        if workflow is not None:
            return _prepare_workflow(workflow, parameters, template or (lambda kind, name: None))
        text = source if isinstance(source, bytes) else json.dumps(source)
        document = documents.of(text, source)
        if parameters is not None:
            ir.bind_parameters(document, parameters)
        return _text(document.to_json())

    return prepare


def _prepare_workflow(
    workflow: Mapping[str, Any], parameters: Mapping[str, Any] | None, template: argo.GetTemplate
) -> str:
    check_expanded(workflow)
    check_shape(workflow.get("workflow", workflow))
    loaded = argo.resolve(argo.load(_anonymous(workflow)), template)
    stored = loaded.to_json()
    check_expanded(stored)
    validate(loaded, has_arguments=False)
    if parameters is not None:
        check_parameters(loaded, parameters)
    return _text(stored)


def _anonymous(workflow: Mapping[str, Any]) -> dict[str, Any]:
    """Without what belongs to one object of a cluster: each run of a package has a name of its own, and no object."""
    if "workflow" in workflow:
        return {**workflow, "workflow": _anonymous(workflow["workflow"])}
    given = workflow.get("metadata")
    given = given if isinstance(given, Mapping) else {}
    metadata = {key: given[key] for key in ("labels", "annotations") if isinstance(given.get(key), Mapping)}
    prefix = given.get("generateName") or (f"{given['name']}-" if given.get("name") else "")
    if prefix:
        metadata["generateName"] = str(prefix)
    return {**{key: value for key, value in workflow.items() if key != "status"}, "metadata": metadata}


def workflow_in(source: bytes | Mapping[str, Any]) -> dict[str, Any] | None:
    """The Workflow, or what a row stores of one; None for everything else."""
    if isinstance(source, Mapping):
        inner = source.get("pipeline_spec")
        found: Any = inner if isinstance(inner, Mapping) else source
    else:
        if b"argoproj.io/" not in source and b'"workflow"' not in source:
            return None
        documents = ir.parsed_documents(source)
        found = documents[0] if len(documents) == 1 else None
    return dict(found) if argo.is_workflow(found) else None


def _text(stored: Mapping[str, Any]) -> str:
    return json.dumps(stored, ensure_ascii=False, separators=(",", ":"))
