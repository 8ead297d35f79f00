"""Importer tasks: an artifact that exists already is recorded. Pure.

Nothing is downloaded, unless the importer says that the artifact shall lie in the run's workspace: then a pod copies it
there, and the artifact says so in its metadata, by which the SDK finds it.

Source: backend/src/v2/component/importer_launcher.go, kubeflow/pipelines 2.17.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sampan.components.pipelines.api.ir_model import Component, Container, Importer, Value
from sampan.components.pipelines.api.ir_values import shortened, to_text
from sampan.components.pipelines.engine.errors import StepError
from sampan.components.pipelines.engine.placeholders import (
    IN_WORKSPACE,
    Lookup,
    local_path,
    substitute,
    substitute_value,
)
from sampan.components.pipelines.engine.resolve import Inputs
from sampan.components.pipelines.store.artifacts import ArtifactRow

_MODEL = "system.Model"
_COPIER_IMAGE = "busybox:stable"


@dataclass(frozen=True, slots=True)
class Imported:
    """What to record: the output's name, and the artifact's URI, type and metadata."""

    output: str
    uri: str
    schema_title: str
    schema_version: str
    metadata: Mapping[str, Value]

    def match(self, candidates: Iterable[ArtifactRow]) -> ArtifactRow | None:
        """An artifact recorded before that is the same, so that importing it again makes no second one."""
        for candidate in candidates:
            if dict(candidate.metadata) == dict(self.metadata):
                return candidate
        return None


def imported(importer: Importer, component: Component, inputs: Inputs, lookup: Lookup) -> Imported:
    """What the importer records. Raises StepError."""
    output = next(iter(component.output_artifacts))
    uri = importer.uri if not importer.uri_parameter else inputs.parameters.get(importer.uri_parameter)
    if not isinstance(uri, str) or not uri:
        raise StepError(
            f"the importer's artifact URI must be a text, not {shortened(to_text(uri)) or 'empty'}"
        )
    uri = substitute(uri, lookup)
    uri = uri.removeprefix("file://")
    if uri.startswith("oci://") and importer.schema_title != _MODEL:
        raise StepError(f"{uri}: only artifacts of type {_MODEL} can be imported from an OCI registry")
    metadata: dict[str, Value] = {
        key: substitute_value(value, lookup) for key, value in importer.metadata.items()
    }
    if importer.download_to_workspace:
        if not uri.startswith("/"):
            raise StepError(
                f"{uri} cannot be downloaded to the workspace: only artifacts that lie in this platform's own "
                "storage can; download it in a step of its own"
            )
        metadata[IN_WORKSPACE] = True
    return Imported(output, uri, importer.schema_title, importer.schema_version, metadata)


def copier(wanted: Imported) -> Container:
    """The program that brings the artifact to its place in the workspace."""
    copy = 'set -e; mkdir -p "$(dirname "$2")"; rm -rf "$2"; cp -R "$1" "$2"'
    target = local_path(wanted.uri, metadata=wanted.metadata)
    return Container(_COPIER_IMAGE, ("sh", "-c", copy, "sh", wanted.uri, target))
