"""What a workflow's machine knows and may ask: fixed for the run's life."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sampan.components.pipelines.api.argo.document import ArgoDocument
from sampan.components.pipelines.engine.argo.locks import Locks
from sampan.components.pipelines.engine.step_files import StepFiles


@dataclass(frozen=True, slots=True)
class ArgoContext:
    run_id: str
    namespace: str
    name: str
    """Of the Workflow."""
    uid: str
    """Of the Workflow object, or of the run where there is none."""
    document: ArgoDocument = field(repr=False)
    parameters: dict[str, str] = field(repr=False)
    """Arguments of the workflow that were given a value from outside."""
    files: StepFiles = field(repr=False)
    root: str
    """Where its artifacts lie."""
    keys: str
    """Where artifacts with keys of their own lie: those of one namespace share it."""
    locks: Locks = field(repr=False)
    now: Callable[[], int]
    """Microseconds."""
    new_id: Callable[[], str]
    service_account: str = ""
    created_at: int = 0
    scheduled_at: int = 0
    captures: bool = False
    """Whether anything reads `outputs.result`."""
    volumes: tuple[Mapping[str, Any], ...] = ()
    """Of all pods: those of the spec, and the claims made for this workflow."""
    owner: Mapping[str, Any] | None = None
    """The ownerReference to the Workflow object, where there is one."""
    allow_private: bool = False
    """Whether HTTP templates may ask private addresses."""

    @property
    def spec(self) -> dict[str, Any]:
        return self.document.spec
