"""From an endpoint back to the run that made its model, and on to data and code.

Read by pipelines' routes as whoever asks, which find artifacts by where the endpoint fetches its models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from sampan.client.session import Session
from sampan.components.serving.api import origins
from sampan.components.serving.api.reading import child, mapping, mappings, text
from sampan.components.serving.sdk.endpoints import Endpoints, Ref
from sampan.kube.errors import NotFoundError

_API = "/apis/v2beta1"
_DEPTH = 5
Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """A task on the way to the model."""

    name: str
    run_id: str
    run: str
    pipeline: str
    image: str = ""
    read: tuple[str, ...] = ()
    """Names and types of artifacts."""
    wrote: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lineage:
    """Of one model of an endpoint."""

    uri: str
    artifact: Message | None = None
    """With `produced_by`, digest and size; None for a model that no run has made, as far as is known."""
    steps: tuple[Step, ...] = ()
    """Back from the one that made it."""
    run: Message = field(default_factory=dict)


def of_endpoint(endpoints: Endpoints, ref: Ref, depth: int = _DEPTH) -> list[Lineage]:
    """For each place that it fetches models from. Raises ApiError."""
    isvc = endpoints.get(ref)
    path = f"{_API}/endpoints/{quote(ref.name, safe='')}/models"
    try:
        found = mappings(_read(endpoints.session, path, {"namespace": ref.namespace}).get("models"))
    except NotFoundError:
        # Pipelines know one namespace where they have one user, and this endpoint is in another.
        found = [{"uri": uri} for uri in origins.model_uris(isvc)]
    return [_of_model(endpoints.session, each, depth) for each in found]


def _of_model(session: Session, model: Message, depth: int) -> Lineage:
    uri, artifact = text(model.get("uri")), mapping(model.get("artifact"))
    artifact_id = text(artifact.get("artifact_id"))
    if not artifact_id:
        return Lineage(uri)
    path = f"{_API}/artifacts/{quote(artifact_id, safe='')}/lineage"
    around = _read(session, path, {"depth": str(depth)})
    run_id = text(child(artifact, "produced_by").get("run_id"))
    run = _read(session, f"{_API}/runs/{quote(run_id, safe='')}", {}) if run_id else {}
    return Lineage(uri, artifact, _steps(around, artifact_id, run), run)


def _read(session: Session, path: str, query: dict[str, str]) -> dict[str, Any]:
    return mapping(session.read(path, query, own=True))


def _steps(around: Message, artifact_id: str, run: Message) -> tuple[Step, ...]:
    """Those that led to it, the nearest first."""
    artifacts = {text(each.get("artifact_id")): each for each in mappings(around.get("artifacts"))}
    tasks = {text(each.get("task_id")): each for each in mappings(around.get("executions"))}
    uses = mappings(around.get("uses"))
    found: dict[str, Step] = {}
    frontier = [artifact_id]
    while frontier:
        made = [
            text(each.get("task_id"))
            for each in uses
            if each.get("how") == "WROTE" and each.get("artifact_id") in frontier
        ]
        new = [task for task in dict.fromkeys(made) if task in tasks and task not in found]
        frontier = []
        for task_id in new:
            read = [text(each.get("artifact_id")) for each in uses if _links(each, task_id, "READ")]
            wrote = [text(each.get("artifact_id")) for each in uses if _links(each, task_id, "WROTE")]
            task = tasks[task_id]
            found[task_id] = Step(
                text(task.get("name")),
                text(task.get("run_id")),
                text(task.get("run")),
                text(task.get("pipeline")),
                image_of(run, text(task.get("name"))),
                _names(read, artifacts),
                _names(wrote, artifacts),
            )
            frontier += read
    return tuple(found.values())


def _links(use: Message, task_id: str, how: str) -> bool:
    return use.get("task_id") == task_id and use.get("how") == how


def _names(ids: Sequence[str], artifacts: Mapping[str, Message]) -> tuple[str, ...]:
    return tuple(
        f"{text(artifacts[each].get('name'))} ({text(artifacts[each].get('type')) or 'Artifact'})"
        for each in dict.fromkeys(ids)
        if each in artifacts
    )


def image_of(run: Message, task: str) -> str:
    """In which the step's code ran, by the run's own pipeline."""
    spec = mapping(run.get("pipeline_spec"))
    spec = mapping(spec.get("pipeline_spec")) or spec
    label = text(child(spec, "components", f"comp-{task}").get("executorLabel"))
    return text(child(spec, "deploymentSpec", "executors", label, "container").get("image")) if label else ""
