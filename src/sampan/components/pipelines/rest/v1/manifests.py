"""Stored specifications as v1 shows and takes them: one text, and parameters that are all text. Pure.

A version is a template, a run has a manifest: `pipeline_manifest` for the IR, `workflow_manifest` for an Argo
Workflow. Both are JSON here, which is YAML too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.api.ir_model import ParameterType
from sampan.components.pipelines.api.ir_values import parse_text, to_text

_ROOT_PARAMETER = "pipeline-root"
"""How the SDK of 1.8 says a pipeline's root."""

_WRAPPERS = frozenset({"int_value", "double_value", "string_value"})


@dataclass(frozen=True, slots=True)
class Manifest:
    """A stored specification, read."""

    text: str
    is_workflow: bool
    document: Mapping[str, Any]


def manifest(stored: str) -> Manifest:
    """`stored` is what the tables hold: `{"pipeline_spec": …, "platform_spec": …}`, or `{"workflow": …}`."""
    whole = json.loads(stored)
    document = whole.get("workflow") or whole.get("pipeline_spec") or {}
    if "workflow" in whole:
        return Manifest(_text(document), True, document)
    parts = [document, *([whole["platform_spec"]] if whole.get("platform_spec") else [])]
    return Manifest("\n---\n".join(_text(part) for part in parts), False, document)


def declared(found: Manifest) -> list[dict[str, str]]:
    """The parameters of a pipeline and their defaults, as v1 lists them."""
    if found.is_workflow:
        spec = found.document.get("spec") or {}
        given = (spec.get("arguments") or {}).get("parameters") or ()
        return [_parameter(str(each.get("name", "")), each.get("value")) for each in given]
    return [_parameter(name, each.get("defaultValue")) for name, each in _inputs(found).items()]


def runtime_config(
    found: Manifest, texts: Sequence[Mapping[str, str]], config: Mapping[str, Any]
) -> dict[str, Any]:
    """What v2 would call the run's configuration: `parameters` (text) below what `config` gives typed.

    Raises InvalidArgumentError that names the parameter.
    """
    types = {} if found.is_workflow else _inputs(found)
    values: dict[str, Any] = {}
    root = config.get("pipeline_root", "")
    for index, each in enumerate(texts):
        name, text = each.get("name", ""), each.get("value", "")
        if not name:
            raise InvalidArgumentError(f"pipeline_spec.parameters[{index}].name must not be empty")
        if name == _ROOT_PARAMETER and not found.is_workflow and name not in types:
            root = root or text
            continue
        values[name] = _value(name, text, (types.get(name) or {}).get("parameterType", ""))
    for name, value in config.get("parameters", {}).items():
        values[name] = _unwrapped(value, (types.get(name) or {}).get("parameterType", ""))
    result: dict[str, Any] = {"parameters": values}
    return result | ({"pipeline_root": root} if root else {})


def as_texts(parameters: Mapping[str, Any]) -> list[dict[str, str]]:
    return [_parameter(name, value) for name, value in parameters.items()]


def name_of(found: Manifest) -> str:
    """What the pipeline calls itself."""
    metadata = found.document.get("metadata") or {}
    info = found.document.get("pipelineInfo") or {}
    return str(info.get("name") or metadata.get("name") or metadata.get("generateName") or "")


def _inputs(found: Manifest) -> Mapping[str, Any]:
    root = found.document.get("root") or {}
    inputs: Mapping[str, Any] = (root.get("inputDefinitions") or {}).get("parameters") or {}
    return inputs


def _value(name: str, text: str, kind: str) -> Any:
    if kind not in ParameterType.__members__:
        return text
    try:
        return parse_text(text, ParameterType(kind))
    except ValueError as error:
        raise InvalidArgumentError(f'parameter "{name}": {error}') from None


def _unwrapped(value: Any, kind: str) -> Any:
    """The value in what the clients of 1.8 wrap it in, such as `{"int_value": "3"}`."""
    if kind == ParameterType.STRUCT or not isinstance(value, dict) or len(value) != 1:
        return value
    [(name, inner)] = value.items()
    if name not in _WRAPPERS:
        return value
    return int(inner) if name == "int_value" and isinstance(inner, str) and inner.isdecimal() else inner


def _parameter(name: str, value: Any) -> dict[str, str]:
    shown = {"name": name, "value": to_text(value)}
    return {key: text for key, text in shown.items() if text}


def _text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False)
