"""Documents of pipelines in either language, read and checked. Loaded by `documents`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sampan.components.pipelines.api import argo_parameters, ir, packages
from sampan.components.pipelines.api.argo import document as argo
from sampan.components.pipelines.api.argo.validate import check_shape, validate
from sampan.components.pipelines.api.errors import PipelinesError
from sampan.components.pipelines.api.specification import workflow_in
from sampan.components.pipelines.cli.documents import Document


@dataclass(frozen=True)
class _Ir:
    document: ir.PipelineDocument

    @property
    def name(self) -> str:
        return self.document.pipeline.name

    def to_json(self) -> Mapping[str, Any]:
        return self.document.to_json()

    def parameters(self, given: Mapping[str, str], *, complete: bool = True) -> Mapping[str, Any]:
        values = {name: ir.parse_parameter(self.document, name, text) for name, text in given.items()}
        if complete:
            ir.bind_parameters(self.document, values)
        return values


@dataclass(frozen=True)
class _Workflow:
    document: argo.ArgoDocument

    @property
    def name(self) -> str:
        return self.document.name

    def to_json(self) -> Mapping[str, Any]:
        return self.document.workflow

    def parameters(self, given: Mapping[str, str], *, complete: bool = True) -> Mapping[str, Any]:
        if complete and not references(self.document):
            argo_parameters.check_parameters(self.document, given)
        return given


def read(content: bytes) -> Document:
    """What is in a package, checked. Raises InvalidArgumentError."""
    return of(packages.unpack(content))


def of(source: bytes | Mapping[str, Any]) -> Document:
    """A specification as text, or as the API shows it. Raises InvalidArgumentError."""
    workflow = workflow_in(source)
    if workflow is None:
        document = ir.load(source)
        ir.validate(document)
        return _Ir(document)
    packages.check_expanded(workflow)
    check_shape(workflow)
    loaded = argo.load(workflow)
    if not references(loaded):
        validate(loaded, has_arguments=False)
    return _Workflow(loaded)


def references(document: argo.ArgoDocument) -> bool:
    """Whether it refers to templates that only the server has."""
    found = False

    def note(_kind: str, _name: str) -> None:
        nonlocal found
        found = True

    try:
        argo.resolve(document, note)
    except PipelinesError:
        return found
    return found
