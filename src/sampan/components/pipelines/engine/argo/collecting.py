"""What a pod of a workflow has left in its step's folder: parameters, artifacts, what it printed.

Called by the driver, in a thread, when the pod has ended, well or not.
Source: workflow/executor/executor.go, argo-workflows v3.7: one newline at the end of a parameter or result is dropped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sampan.components.pipelines.engine.argo import run_metrics
from sampan.components.pipelines.engine.argo.run_metrics import RunMetric
from sampan.components.pipelines.engine.errors import StepError
from sampan.components.pipelines.engine.outputs import ArtifactDraft, StepResult
from sampan.components.pipelines.engine.step_files import StepFiles, StepPaths

RESULT = ".result"
"""The name of the file that holds what the program printed."""


class ArgoResult(StepResult):
    result: str | None = None
    metrics: Sequence[RunMetric] = ()


@dataclass(frozen=True, slots=True)
class TemplateOutputs:
    """The outputs that a template declares, its variables replaced: `turn.Collector`."""

    parameters: Sequence[Mapping[str, Any]]
    artifacts: Sequence[Mapping[str, Any]]
    uris: Mapping[str, str]
    """Where each artifact goes."""
    paths: StepPaths

    @property
    def reads_failures(self) -> bool:
        return True

    def collect(self, files: StepFiles) -> StepResult:
        found = ArgoResult()
        try:
            for item in self.parameters:
                self._parameter(files, item, found)
            for item in self.artifacts:
                self._artifact(files, item, found)
            if RESULT in self.paths.parameters:
                content = files.read(self.paths.parameters[RESULT])
                found.result = None if content is None else _text(content, "what it printed")
        except (OSError, ValueError) as error:
            raise StepError(f"the step's outputs cannot be read: {error}") from None
        return found

    def _parameter(self, files: StepFiles, item: Mapping[str, Any], found: ArgoResult) -> None:
        name, source = str(item.get("name")), item.get("valueFrom") or {}
        if source.get("path") is None:
            if item.get("value") is not None:
                found.parameters[name] = str(item["value"])
            return
        content = files.read(self.paths.parameters[name])
        if content is not None:
            found.parameters[name] = _text(content, f'output parameter "{name}"')
        elif source.get("default") is not None:
            found.parameters[name] = str(source["default"])
        else:
            raise StepError(f'output parameter "{name}": the step wrote no {source["path"]}')

    def _artifact(self, files: StepFiles, item: Mapping[str, Any], found: ArgoResult) -> None:
        name = str(item.get("name"))
        uri = self.uris.get(name)
        if uri is None:
            return
        if files.exists(uri):
            found.artifacts[name] = [
                ArtifactDraft(name, uri, "system.Artifact", "", {}, stored=True),
            ]
            if name == run_metrics.ARTIFACT:
                found.metrics = run_metrics.metrics_in(_small(files, uri))
        elif not item.get("optional") and name not in run_metrics.OPTIONAL:
            raise StepError(f'output artifact "{name}": the step wrote no {item.get("path")}')


def _small(files: StepFiles, path: str) -> bytes | None:
    try:
        return files.read(path)
    except (OSError, ValueError):
        return None


def _text(content: bytes, what: str) -> str:
    try:
        return content.decode().removesuffix("\n")
    except UnicodeDecodeError:
        raise StepError(f"{what} is not UTF-8 text") from None
