"""Which types a pipeline declares its parameters to have, of what a source means now. For the reader's thread."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from sampan.components.pipelines.api.argo.recognising import is_workflow
from sampan.components.pipelines.engine.creation import PipelineSource, find_version


def declared_types(connection: Any, namespace: str, source: PipelineSource) -> dict[str, str]:
    """By name, such as `NUMBER_INTEGER`; empty for a language that declares none.

    Raises InvalidArgumentError and NotFoundError where there is no such version.
    """
    if source.pipeline_spec is not None:
        return types_in(source.pipeline_spec)
    kept = source.kept or find_version(connection, namespace, source).spec
    return types_in(msgspec.json.decode(kept))


def types_in(spec: Mapping[str, Any]) -> dict[str, str]:
    found: Any = spec.get("pipeline_spec", spec)
    if is_workflow(found):
        return dict.fromkeys(_workflow_parameters(found), "STRING")
    for name in ("root", "inputDefinitions", "parameters"):
        found = found.get(name) if isinstance(found, dict) else None
    if not isinstance(found, dict):
        return {}
    return {
        name: str(declared.get("parameterType", ""))
        for name, declared in found.items()
        if isinstance(declared, dict)
    }


def _workflow_parameters(workflow: Mapping[str, Any]) -> list[str]:
    """Names of what an Argo Workflow takes: all of it is text."""
    arguments = (workflow.get("spec") or {}).get("arguments") or {}
    return [str(each.get("name", "")) for each in arguments.get("parameters") or () if isinstance(each, dict)]
