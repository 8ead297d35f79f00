"""The pipeline IR: loading a document, checking it, binding its parameters.

    document = ir.load(text)                     # YAML or JSON, one document or two, or an object
    ir.validate(document)                        # references, cycles, executors
    values = ir.bind_parameters(document, given) # types, defaults, missing and unknown names

Every failure is an InvalidArgumentError that names the place and says what to do. Pure; REST calls it before a run is
stored, the engine when it takes a run up. Parsing a large YAML takes a while: call `load` in a thread.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml
from google.protobuf import json_format
from google.protobuf.message import Message
from kfp.pipeline_spec import pipeline_spec_pb2

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.api.ir_model import Pipeline
from sampan.components.pipelines.api.ir_parameters import bind_parameters, parse_parameter
from sampan.components.pipelines.api.ir_parse import parse_pipeline
from sampan.components.pipelines.api.ir_validate import problems

__all__ = ["PipelineDocument", "bind_parameters", "load", "parse_parameter", "validate"]

_MOST_NODES = 2_000_000
"""Values in one document. A file of a few kB can stand for billions through YAML's aliases; no pipeline comes near."""

_DEEPEST = 100
"""Protobuf's own limit on nesting in JSON."""


@dataclass(frozen=True, slots=True)
class PipelineDocument:
    """What a user handed in, as plain JSON, and the typed tree made of it."""

    pipeline_spec: dict[str, Any]
    platform_spec: dict[str, Any]
    pipeline: Pipeline = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """`{"pipeline_spec": …, "platform_spec": …}`: how runs and versions store it, and what `load` reads back."""
        stored = {"pipeline_spec": self.pipeline_spec}
        return stored | {"platform_spec": self.platform_spec} if self.platform_spec else stored


def load(source: str | bytes | Mapping[str, Any]) -> PipelineDocument:
    """The document in `source`: YAML (one or two documents) or JSON text, or an object already parsed.

    A second document, or `platform_spec` beside `pipeline_spec`, is the platform spec.
    """
    documents = [dict(source)] if isinstance(source, Mapping) else parsed_documents(source)
    _check_size(documents)
    spec, platform = _split(documents)
    _check_schema(spec, pipeline_spec_pb2.PipelineSpec(), "pipeline_spec")
    deployment = spec.get("deploymentSpec", spec.get("deployment_spec")) or {}
    _check_schema(deployment, pipeline_spec_pb2.PipelineDeploymentConfig(), "pipeline_spec.deploymentSpec")
    _check_schema(_without_locks(platform), pipeline_spec_pb2.PlatformSpec(), "platform_spec")
    return PipelineDocument(spec, platform, parse_pipeline(spec, platform))


def validate(document: PipelineDocument) -> None:
    """Raises InvalidArgumentError with all that is wrong with the document's structure, up to ten problems."""
    found = problems(document.pipeline)
    if found:
        shown = found[:10]
        rest = f"; and {len(found) - len(shown)} more" if len(found) > len(shown) else ""
        raise InvalidArgumentError(f"the pipeline spec is invalid: {'; '.join(shown)}{rest}")


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML as JSON: dates stay text, as the SDK's own JSON would have them."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parsed_documents(source: str | bytes) -> list[Any]:
    try:
        text = source.decode("utf-8-sig") if isinstance(source, bytes) else source.removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise InvalidArgumentError(
            f"the pipeline file is not UTF-8 text (byte {error.start}); is it an archive? "
            "Upload archives as .zip or .tar.gz"
        ) from None
    try:
        if text.lstrip().startswith("{"):
            return [json.loads(text)]
        return [document for document in yaml.load_all(text, Loader=_Loader) if document is not None]
    except json.JSONDecodeError as error:
        raise InvalidArgumentError(
            f"the pipeline file is not valid JSON: line {error.lineno}, column {error.colno}: {error.msg}"
        ) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise InvalidArgumentError(f"the pipeline file is not valid YAML: {where}{error.problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InvalidArgumentError(f"the pipeline file cannot be read: {error}") from None


def _check_size(documents: list[Any]) -> None:
    """Counts every value as often as it is referred to: that is what reading it would cost."""
    count = 0
    stack: list[tuple[Any, int]] = [(document, 0) for document in documents]
    while stack:
        value, depth = stack.pop()
        count += 1
        if count > _MOST_NODES:
            raise InvalidArgumentError(f"the pipeline file has more than {_MOST_NODES:,} values; split it")
        if depth > _DEEPEST:
            raise InvalidArgumentError(f"the pipeline file is nested deeper than {_DEEPEST} levels")
        if isinstance(value, dict):
            stack.extend((item, depth + 1) for item in value.values())
        elif isinstance(value, list):
            stack.extend((item, depth + 1) for item in value)


def _split(documents: list[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    if not documents:
        raise InvalidArgumentError("the pipeline file is empty; compile the pipeline and send the result")
    if len(documents) > 2:
        raise InvalidArgumentError(
            f"the pipeline file has {len(documents)} YAML documents; "
            "expected the pipeline spec and at most one platform spec"
        )
    for document in documents:
        if not isinstance(document, dict):
            raise InvalidArgumentError(
                f"the pipeline file must hold a mapping, not {type(document).__name__}; is it a compiled pipeline?"
            )
    first = documents[0]
    if len(documents) == 1 and (wrapped := first.get("pipeline_spec", first.get("pipelineSpec"))) is not None:
        platform = first.get("platform_spec", first.get("platformSpec")) or {}
        if not isinstance(wrapped, dict) or not isinstance(platform, dict):
            raise InvalidArgumentError("pipeline_spec and platform_spec must be mappings")
        return dict(wrapped), dict(platform)
    if "kind" in first and "apiVersion" in first:
        raise InvalidArgumentError(
            f"the file holds a {first['kind']} ({first['apiVersion']}), not a pipeline of KFP v2; "
            "compile the pipeline with kfp 2 or newer"
        )
    # Both orders occur; only a platform spec has `platforms`.
    if len(documents) == 2 and "platforms" in first:
        return dict(documents[1]), dict(first)
    return dict(first), dict(documents[1]) if len(documents) == 2 else {}


_LOCKS = ("semaphoreKey", "semaphore_key", "mutexName", "mutex_name")


def _without_locks(platform: Any) -> Any:
    """Fields of a PipelineConfig that came and went between two releases of the proto (kubeflow/pipelines#11384)."""
    try:
        kubernetes = platform["platforms"]["kubernetes"]
        config = kubernetes["pipelineConfig"]
        kept = {key: value for key, value in config.items() if key not in _LOCKS}
    except (KeyError, TypeError, AttributeError):
        return platform
    for key in _LOCKS:
        if not isinstance(config.get(key, ""), str):
            raise InvalidArgumentError(
                f"platform_spec.platforms.kubernetes.pipelineConfig.{key}: must be a text"
            )
    platforms = {**platform["platforms"], "kubernetes": {**kubernetes, "pipelineConfig": kept}}
    return {**platform, "platforms": platforms}


_AT = re.compile(r' at "?\w+\.?([\w.\[\]\- /]*)"?')
_NOISE = re.compile(r"Failed to parse \w+ field: |\s*Available Fields\(except extensions\):.*", re.DOTALL)


def _check_schema(value: Any, message: Message, where: str) -> None:
    """Field names, types and enumerations, against the proto."""
    if not isinstance(value, dict):
        raise InvalidArgumentError(f"{where} must be a mapping, not {type(value).__name__}")
    try:
        json_format.ParseDict(value, message)
    except (json_format.ParseError, TypeError, ValueError, RecursionError) as error:
        raise InvalidArgumentError(f"{_readable(str(error), where)}") from None


def _readable(text: str, where: str) -> str:
    """Protobuf's message without its repetitions, with the path in front."""
    path = re.findall(r"Failed to parse (\w+) field: ", text)
    found = _AT.search(text)
    place = ".".join([where, *([found[1].rstrip(".")] if found and found[1] else path)])
    problem = _AT.sub("", _NOISE.sub("", text)).strip().rstrip(".").replace("ml_pipelines.", "")
    return f"{place}: {problem}"
