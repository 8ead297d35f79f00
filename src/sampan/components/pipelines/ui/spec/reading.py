"""A specification as the API answers with it, or as somebody pastes it: its inputs, its name, and itself as YAML.

In either language: KFP's IR, or an Argo Workflow as kfp 1.8 compiles it. Reading large ones takes a while: in a thread.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from sampan.components.pipelines.api import ir
from sampan.components.pipelines.api.argo import document as argo
from sampan.components.pipelines.api.argo_parameters import declared
from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.api.ir_model import Parameter, ParameterType, Pipeline
from sampan.components.pipelines.api.ir_parse import field as ir_field
from sampan.components.pipelines.api.ir_parse import parse_pipeline
from sampan.components.pipelines.api.specification import workflow_in

_KFP_1_SPEC = "pipelines.kubeflow.org/pipeline_spec"
"""Where kfp 1.8 writes names, types, defaults and descriptions of a Workflow's parameters."""
_KFP_1_TYPES = {
    "Integer": ParameterType.NUMBER_INTEGER,
    "Float": ParameterType.NUMBER_DOUBLE,
    "Bool": ParameterType.BOOLEAN,
    "Boolean": ParameterType.BOOLEAN,
    "JsonArray": ParameterType.LIST,
    "JsonObject": ParameterType.STRUCT,
    "List": ParameterType.LIST,
    "Dict": ParameterType.STRUCT,
}
_FROM_ENGINE = (ParameterType.TASK_FINAL_STATUS, ParameterType.TASK_CONFIG)


@dataclass(frozen=True, slots=True)
class Input:
    """One that a run gives a value to."""

    name: str
    parameter: Parameter
    description: str = ""
    is_text: bool = False
    """Sent as text whatever its type: a Workflow's."""


@dataclass(frozen=True, slots=True)
class Spec:
    """`source` is what the API takes as `pipeline_spec`. One of `pipeline` and `workflow` is there."""

    source: Mapping[str, Any] = field(repr=False)
    pipeline: Pipeline | None = field(default=None, repr=False)
    workflow: argo.ArgoDocument | None = field(default=None, repr=False)
    inputs: tuple[Input, ...] = ()
    artifact_inputs: tuple[str, ...] = ()
    """Those that only a pipeline around this one could give."""
    required_artifacts: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        if self.pipeline is not None:
            return self.pipeline.display_name
        metadata = _inner(self.source).get("metadata") or {}
        return str(metadata.get("name") or metadata.get("generateName", "")).rstrip("-")

    @property
    def description(self) -> str:
        if self.pipeline is not None:
            return self.pipeline.description
        return str(_kfp_1(self.source).get("description", ""))

    @property
    def compiler(self) -> str:
        """What compiled it, as it says itself."""
        if self.pipeline is not None:
            return self.pipeline.sdk_version
        annotations = (_inner(self.source).get("metadata") or {}).get("annotations") or {}
        version = str(annotations.get("pipelines.kubeflow.org/kfp_sdk_version", ""))
        return f"kfp-{version}" if version else ""


def read(source: Mapping[str, Any]) -> Spec:
    """Raises InvalidArgumentError."""
    workflow = workflow_in(source)
    if workflow is not None:
        document = argo.load(workflow)
        return Spec(source, workflow=document, inputs=tuple(_of_workflow(source, document)))
    spec, platform = _halves(source)
    pipeline = parse_pipeline(spec, platform)
    definitions = ir_field(ir_field(spec, "root", {}), "inputDefinitions", {})
    described = ir_field(definitions, "parameters", {})
    inputs = tuple(
        Input(name, parameter, str(ir_field(described.get(name, {}), "description", "")))
        for name, parameter in pipeline.root.input_parameters.items()
        if parameter.type not in _FROM_ENGINE
    )
    slots = pipeline.root.input_artifacts
    needed = tuple(name for name, slot in slots.items() if not slot.optional)
    return Spec(source, pipeline, inputs=inputs, artifact_inputs=tuple(slots), required_artifacts=needed)


def from_text(text: str) -> dict[str, Any]:
    """What the API takes as `pipeline_spec`, of pasted YAML or JSON. Raises InvalidArgumentError that says where."""
    data = text.encode()
    workflow = workflow_in(data)
    if workflow is not None:
        return workflow
    document = ir.load(data)
    ir.validate(document)
    return document.to_json()


def as_yaml(source: Mapping[str, Any]) -> str:
    """As it would stand in a file: the IR, and behind a line of dashes what it asks of a platform."""
    if workflow_in(source) is not None:
        return _dumped(_inner(source))
    spec, platform = _halves(source)
    return _dumped(spec) + (f"---\n{_dumped(platform)}" if platform else "")


def _halves(source: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    spec = source.get("pipeline_spec")
    if not isinstance(spec, Mapping):
        spec = source
    if not ir_field(spec, "root", {}):
        raise InvalidArgumentError("the specification has no root: it is neither KFP's IR nor a Workflow")
    platform = source.get("platform_spec")
    return spec, platform if isinstance(platform, Mapping) else {}


def _inner(source: Mapping[str, Any]) -> Mapping[str, Any]:
    """The Workflow's own object."""
    for key in ("pipeline_spec", "workflow"):
        inner = source.get(key)
        if isinstance(inner, Mapping):
            source = inner
    return source


def _of_workflow(source: Mapping[str, Any], document: argo.ArgoDocument) -> list[Input]:
    said = {str(each.get("name", "")): each for each in _kfp_1(source).get("inputs", ())}
    listed = (document.spec.get("arguments") or {}).get("parameters") or ()
    described = {str(each.get("name", "")): str(each.get("description", "")) for each in listed}
    enums = {str(each.get("name", "")): tuple(map(str, each.get("enum") or ())) for each in listed}
    found = []
    for name, value in declared(document).items():
        about = said.get(name, {})
        type_ = _KFP_1_TYPES.get(str(about.get("type", "")), ParameterType.STRING)
        parameter = Parameter(
            type_,
            optional=bool(about.get("optional", False)),
            has_default=value is not None,
            default=value,
            literals=enums.get(name, ()),
        )
        description = str(about.get("description", "")) or described.get(name, "")
        found.append(Input(name, parameter, description, is_text=True))
    return found


def _kfp_1(source: Mapping[str, Any]) -> Mapping[str, Any]:
    annotations = (_inner(source).get("metadata") or {}).get("annotations") or {}
    try:
        found = json.loads(annotations.get(_KFP_1_SPEC, "{}"))
    except (TypeError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    inputs = found.get("inputs")
    listed = [each for each in inputs if isinstance(each, dict)] if isinstance(inputs, list) else []
    return {**found, "inputs": listed}


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Programs of several lines as blocks, and every list written out."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text_node(dumper: Any, text: str) -> Any:
    # A block cannot say blanks at the ends of lines, nor other breaks than the usual one.
    is_block = (
        "\n" in text
        and "\r" not in text
        and "\t" not in text
        and not any(line != line.rstrip() for line in text.split("\n"))
    )
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if is_block else None)


_Dumper.add_representer(str, _text_node)


def _dumped(value: Any) -> str:
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
