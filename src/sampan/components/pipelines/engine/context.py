"""What a run's machine knows and may ask: fixed for the run's life."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from sampan.components.pipelines.api.ir_model import Component, Pipeline
from sampan.components.pipelines.engine.conditions import Expressions
from sampan.components.pipelines.engine.graph import Graph
from sampan.components.pipelines.engine.placeholders import JobContext
from sampan.components.pipelines.engine.resolve import Outputs
from sampan.components.pipelines.engine.reuse import Reuse
from sampan.components.pipelines.engine.step_files import StepFiles
from sampan.components.pipelines.store.artifacts import ArtifactRow


@dataclass(frozen=True, slots=True)
class CachedResult:
    task_id: str
    outputs: Outputs


class Lookups(Protocol):
    """Questions about earlier runs that are answered by an index within a millisecond."""

    def cached(self, fingerprint: str) -> Iterable[CachedResult]:
        """Earlier results, newest first, whose artifacts are all still recorded."""
        ...

    def imported(self, uri: str, schema_title: str) -> Sequence[ArtifactRow]:
        """Artifacts recorded at this URI, newest first."""
        ...


@dataclass(frozen=True, slots=True)
class RunContext:
    """One run. `graphs` are shared by all instances of a component."""

    run_id: str
    pipeline: Pipeline
    job: JobContext
    graphs: dict[str, Graph]
    expressions: Expressions
    files: StepFiles
    lookups: Lookups
    now: Callable[[], int]
    """Microseconds."""
    new_id: Callable[[], str]
    cache: bool = True
    service_account: str = ""
    deadline_seconds: int = 0
    """That the run may take; 0 for no limit."""
    step_timeout_seconds: int = 0
    """Of one attempt of a step that has no timeout of its own; 0 for none."""
    pauses: bool = False
    """Whether the run waits for its user when a step has failed."""
    reuse: Reuse | None = None
    """Of a run that goes on from another one: what it takes from that."""

    def graph(self, component: Component) -> Graph:
        found = self.graphs.get(component.name)
        if found is None:
            assert component.dag is not None
            found = self.graphs[component.name] = Graph.of(component.dag)
        return found
