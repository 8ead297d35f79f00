"""The ExecutorInput: what the SDK in a step's container is told, in proto JSON. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sampan.components.pipelines.api.ir_model import ArtifactSlot, Component, Value
from sampan.components.pipelines.engine.placeholders import Lookup, substitute_value
from sampan.components.pipelines.engine.resolve import Inputs
from sampan.components.pipelines.engine.step_files import StepPaths
from sampan.components.pipelines.store.artifacts import ArtifactRow


def executor_input(component: Component, inputs: Inputs, paths: StepPaths, job: Lookup) -> dict[str, Any]:
    """Inputs that are null are left out: the component's own default is then used."""
    parameters = {name: value for name, value in inputs.parameters.items() if value is not None}
    return {
        "inputs": {
            "parameterValues": parameters,
            "artifacts": given_artifacts(inputs),
        },
        "outputs": {
            "parameters": {name: {"outputFile": path} for name, path in paths.parameters.items()},
            "artifacts": {
                name: {"artifacts": [planned_artifact(name, slot, paths.artifacts[name], job)]}
                for name, slot in component.output_artifacts.items()
            },
            "outputFile": paths.output_file,
        },
    }


def planned_artifact(name: str, slot: ArtifactSlot, uri: str, job: Lookup) -> dict[str, Any]:
    """An output artifact as it is before the step has run."""
    metadata: Value = substitute_value(dict(slot.metadata), job)
    return {
        "name": name,
        "type": _type(slot.schema_title, slot.schema_version),
        "uri": uri,
        "metadata": metadata,
    }


def artifact_json(artifact: ArtifactRow) -> dict[str, Any]:
    """A RuntimeArtifact."""
    return {
        "name": artifact.name,
        "type": _type(artifact.schema_title, artifact.schema_version),
        "uri": artifact.uri,
        "metadata": dict(artifact.metadata),
    }


def provided(inputs: Inputs) -> frozenset[str]:
    """The inputs for which IfPresent holds."""
    names = {name for name, value in inputs.parameters.items() if value is not None}
    return frozenset(names | inputs.artifacts.keys())


def given_artifacts(inputs: Inputs) -> dict[str, Any]:
    """Input artifacts in the message's shape, which conditions see too."""
    return {
        name: {"artifacts": [artifact_json(artifact) for artifact in found]}
        for name, found in inputs.artifacts.items()
    }


def _type(title: str, version: str) -> Mapping[str, str]:
    return {"schemaTitle": title, "schemaVersion": version} if version else {"schemaTitle": title}
