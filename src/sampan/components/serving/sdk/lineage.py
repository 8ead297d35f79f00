"""From an endpoint back to the run that made its model, and on to data and code; and from an artifact to its endpoints.

Read by pipelines' routes as whoever asks. What annotations claim counts only where the artifact is of the endpoint's
namespace and lies where the endpoint fetches its model (`api.origins`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from sampan.client.session import Session
from sampan.components.serving.api import origins
from sampan.components.serving.api.kinds import INFERENCE_SERVICES
from sampan.components.serving.api.reading import child, mapping, mappings, text
from sampan.components.serving.sdk.endpoints import Endpoints, Ref
from sampan.kube import meta
from sampan.kube.errors import ApiError, ForbiddenError, NotFoundError
from sampan.kube.meta import Object

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
    return [_of_uri(endpoints.session, isvc, uri, depth) for uri in origins.model_uris(isvc)]


def served_by(endpoints: Endpoints, namespace: str, artifact_uri: str) -> list[Object]:
    """InferenceServices that fetch a model from the artifact."""
    found = endpoints.session.list(INFERENCE_SERVICES, namespace)
    return [each for each in found if origins.is_artifact_of(each, artifact_uri)]


def _of_uri(session: Session, isvc: Object, uri: str, depth: int) -> Lineage:
    artifact = _artifact(session, isvc, uri)
    if artifact is None:
        return Lineage(uri)
    path = f"{_API}/artifacts/{quote(text(artifact.get('artifact_id')), safe='')}/lineage"
    around = mapping(session.read(path, {"depth": str(depth)}, own=True))
    run_id = text(child(artifact, "produced_by").get("run_id"))
    run = mapping(session.read(f"{_API}/runs/{quote(run_id, safe='')}", own=True)) if run_id else {}
    return Lineage(uri, artifact, _steps(around, text(artifact.get("artifact_id")), run), run)


def _artifact(session: Session, isvc: Object, uri: str) -> Message | None:
    claimed = origins.claimed(isvc).artifact_id
    if claimed:
        try:
            found = mapping(
                session.read(f"{_API}/artifacts/{quote(claimed, safe='')}", {"view": "FULL"}, own=True)
            )
        except (NotFoundError, ForbiddenError):
            found = {}
        # The artifact's own route says nothing of its namespace; the list below is of one namespace alone.
        if origins.is_of(text(found.get("uri")), uri) and _is_here(session, found, meta.namespace(isvc)):
            return found
    return origins.named(_listed(session, uri, meta.namespace(isvc)), uri)


def _is_here(session: Session, artifact: Message, namespace: str) -> bool:
    wanted = artifact.get("artifact_id")
    listed = _listed(session, text(artifact.get("uri")), namespace)
    return any(each.get("artifact_id") == wanted for each in listed)


def _listed(session: Session, uri: str, namespace: str) -> list[Message]:
    """Of the namespace alone: those with the name of the place, or of a folder around it."""
    place = PurePosixPath(uri.removeprefix("file://"))
    for part in (place, place.parent):
        query = {"namespace": namespace, "view": "FULL", "page_size": "200", "search": str(part)[-200:]}
        try:
            found = mappings(mapping(session.read(f"{_API}/artifacts", query, own=True)).get("artifacts"))
        except ApiError:
            return []
        if origins.named(list(found), uri) is not None:
            return list(found)
    return []


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
