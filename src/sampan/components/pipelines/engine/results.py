"""What a step has given: the values that pass from whoever reads its outputs to the machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sampan.components.pipelines.api.ir_model import Value
from sampan.components.pipelines.engine.errors import StepError
from sampan.store.artifacts.measuring import Measure


@dataclass(frozen=True, slots=True)
class ArtifactDraft:
    """An output artifact, to be recorded when the task's end is."""

    output: str
    uri: str
    schema_title: str
    schema_version: str
    metadata: Mapping[str, Value]
    stored: bool = False
    custom_path: str = ""
    measure: Measure | None = None
    """What its files are, where that is known already."""


@dataclass(slots=True)
class StepResult:
    parameters: dict[str, Value] = field(default_factory=dict)
    artifacts: dict[str, list[ArtifactDraft]] = field(default_factory=dict)


class FailedStepError(StepError):
    """A step failed, and has left outputs all the same."""

    def __init__(self, message: str, left: StepResult) -> None:
        super().__init__(message)
        self.left = left
