"""Collects what a step has left: its executor output, parameter files and artifacts.

Called by the driver, in a thread, when a pod has ended well. The executor output (`executor_output.json`, which the
SDK writes) wins over parameter files, which container components write. Reads through `StepFiles`, decides purely.

Source: backend/src/v2/component/launcher_v2.go, kubeflow/pipelines 2.17.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sampan.components.pipelines.api.ir_model import ArtifactSlot, Component, Parameter, ParameterType, Value
from sampan.components.pipelines.api.ir_values import (
    is_finite,
    kind_of,
    matches,
    normalised,
    parse_text,
    shortened,
    to_text,
)
from sampan.components.pipelines.api.states import ArtifactType
from sampan.components.pipelines.engine.errors import StepError, is_disk_full
from sampan.components.pipelines.engine.placeholders import local_path
from sampan.components.pipelines.engine.results import ArtifactDraft as ArtifactDraft
from sampan.components.pipelines.engine.results import FailedStepError as FailedStepError
from sampan.components.pipelines.engine.results import StepResult as StepResult
from sampan.components.pipelines.engine.step_files import StepFiles, StepPaths

_TYPES = {
    "system.Artifact": ArtifactType.Artifact,
    "system.Model": ArtifactType.Model,
    "system.Dataset": ArtifactType.Dataset,
    "system.HTML": ArtifactType.HTML,
    "system.Markdown": ArtifactType.Markdown,
    "system.Metrics": ArtifactType.Metric,
    "system.ClassificationMetrics": ArtifactType.ClassificationMetric,
    "system.SlicedClassificationMetrics": ArtifactType.SlicedClassificationMetric,
}


@dataclass(frozen=True, slots=True)
class DeclaredOutputs:
    """The outputs that a component of the IR declares: `turn.Collector`."""

    component: Component
    planned: Mapping[str, Any]
    """The output artifacts of the executor input."""
    paths: StepPaths

    @property
    def reads_failures(self) -> bool:
        return False

    def collect(self, files: StepFiles) -> StepResult:
        return collect(files, self.component, self.planned, self.paths)


def artifact_type(schema_title: str) -> ArtifactType:
    """The API's type of a schema; one of a user's own is an Artifact."""
    return _TYPES.get(schema_title, ArtifactType.Artifact)


def metrics(schema_title: str, metadata: Mapping[str, Value]) -> dict[str, float]:
    """The numbers of a Metrics artifact by name, so that runs can be sorted by them."""
    if schema_title != "system.Metrics":
        return {}
    return {
        name: float(item)
        for name, item in metadata.items()
        if isinstance(item, int | float) and not isinstance(item, bool)
    }


def collect(
    files: StepFiles, component: Component, planned: Mapping[str, Any], paths: StepPaths
) -> StepResult:
    """Everything that the component declares. `planned` are the artifacts of the executor input.

    Raises StepError naming the output when one is missing or of the wrong type; OSError only where the disk is full.
    """
    try:
        output_file = files.place(paths, paths.output_file)
        written = _executor_output(files.read(output_file), output_file)
        texts = {
            name: files.read(paths.parameters[name])
            for name in component.output_parameters
            if name not in written.parameters
        }
        artifacts = {
            name: [
                _stored(files, draft, paths)
                for draft in _drafts(
                    name, slot, planned[name]["artifacts"][0], written.artifacts.get(name, ())
                )
            ]
            for name, slot in component.output_artifacts.items()
        }
    except (OSError, ValueError) as error:
        if is_disk_full(error):
            raise
        raise StepError(f"the step's outputs cannot be read: {error}") from None
    parameters = {
        name: _written(name, parameter, written.parameters[name])
        if name in written.parameters
        else _from_file(name, parameter, texts[name], paths.parameters[name])
        for name, parameter in component.output_parameters.items()
    }
    return StepResult(parameters, artifacts)


@dataclass(frozen=True, slots=True)
class _ExecutorOutput:
    parameters: Mapping[str, Value]
    artifacts: Mapping[str, Sequence[Mapping[str, Any]]]


def _executor_output(content: bytes | None, path: str) -> _ExecutorOutput:
    if content is None:
        return _ExecutorOutput({}, {})
    try:
        output = json.loads(content)
        parameters = output.get("parameterValues") or output.get("parameter_values") or {}
        artifacts = {
            name: tuple(dict(item) for item in (entry or {}).get("artifacts") or ())
            for name, entry in (output.get("artifacts") or {}).items()
        }
        return _ExecutorOutput({name: normalised(value) for name, value in parameters.items()}, artifacts)
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise StepError(f"the step wrote an executor output that cannot be read ({path}): {error}") from None


def _written(name: str, parameter: Parameter, value: Value) -> Value:
    if not is_finite(value):
        raise StepError(f'output parameter "{name}": NaN and infinity cannot be passed on')
    if parameter.type is ParameterType.STRING:
        return to_text(value)
    if not matches(value, parameter.type):
        raise StepError(
            f'output parameter "{name}": declared {parameter.type}, the step returned '
            f"{kind_of(value)} {shortened(to_text(value))!r}"
        )
    return value


def _from_file(name: str, parameter: Parameter, content: bytes | None, path: str) -> Value:
    if content is None:
        raise StepError(
            f'the step ended well but gave no output parameter "{name}": it neither returned it nor wrote {path}'
        )
    try:
        return parse_text(content.decode(), parameter.type)
    except UnicodeDecodeError:
        raise StepError(f'output parameter "{name}": {path} is not UTF-8 text') from None
    except ValueError as error:
        raise StepError(f'output parameter "{name}" in {path}: {error}') from None


def _drafts(
    name: str, slot: ArtifactSlot, planned: Mapping[str, Any], written: Sequence[Mapping[str, Any]]
) -> list[ArtifactDraft]:
    """One draft, or for a list of artifacts as many as the step reported."""
    if slot.is_list and written:
        return [_draft(name, slot, planned, item) for item in written]
    return [_draft(name, slot, planned, written[0] if written else {})]


def _draft(
    name: str, slot: ArtifactSlot, planned: Mapping[str, Any], written: Mapping[str, Any]
) -> ArtifactDraft:
    metadata = {**planned.get("metadata", {}), **(written.get("metadata") or {})}
    return ArtifactDraft(
        output=name,
        uri=str(written.get("uri") or planned["uri"]),
        schema_title=slot.schema_title,
        schema_version=slot.schema_version,
        metadata=_carried(normalised(metadata)),
        custom_path=str(written.get("custom_path") or written.get("customPath") or ""),
    )


def _carried(value: Value) -> Value:
    """`value` with NaN and infinity as text: a metric may be one, and JSON has none."""
    if isinstance(value, float) and not is_finite(value):
        return str(value)
    if isinstance(value, list):
        return [_carried(item) for item in value]
    if isinstance(value, dict):
        return {key: _carried(item) for key, item in value.items()}
    return value


def _stored(files: StepFiles, draft: ArtifactDraft, paths: StepPaths) -> ArtifactDraft:
    """`draft`, knowing whether something lies at its URI. Raises StepError where it would be lost."""
    place = files.place(paths, local_path(draft.uri))
    if draft.custom_path and not files.publish(draft.custom_path, place, paths):
        raise StepError(
            f'output artifact "{draft.output}": the step says that it lies at {draft.custom_path}, and nothing is '
            "found there, at least not from outside of its container; write it to the artifact's path instead"
        )
    stored = files.exists(place)
    return replace(draft, stored=stored, measure=files.measure(place) if stored else None)
