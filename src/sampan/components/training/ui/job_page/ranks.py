"""A job's pods as its ranks: how each is, since when, where, and what it was given. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sampan.components.training.api.kinds import JOB_KINDS
from sampan.components.training.api.summary import CONTAINERS, in_order, rank_of
from sampan.components.training.ui import places
from sampan.kube import meta
from sampan.kube.meta import Object
from sampan.ui.objects import health
from sampan.ui.table import cells
from sampan.ui.table.table import Column, Row

Href = Callable[[str], str]

COLUMNS = (
    Column("rank", "Rank"),
    Column("state", "State"),
    Column("restarts", "Restarts", number=True),
    Column("exit", "Exit code", number=True),
    Column("node", "Node"),
    Column("started", "Started"),
    Column("took", "Ran for"),
    Column("actions", "", narrow=True),
)


@dataclass(frozen=True, slots=True)
class Rank:
    """One pod of a job."""

    pod: str
    namespace: str
    place: str
    """`worker-0`."""
    label: str
    """The same; of a pod whose place another has taken, with its name."""
    is_latest: bool
    """Whether this is the rank's last pod until now."""
    is_over: bool
    health: health.Health
    restarts: int
    exit_code: int | None
    node: str
    started: str
    ended: str


def of_kind(job_kind: str, pods: Sequence[Object]) -> list[Object]:
    """Without the pods of a job of another kind that has the same name, which have the same labels."""
    others = {each.kind for each in JOB_KINDS} - {job_kind}
    return [
        pod
        for pod in pods
        if not any(owner.get("kind") in others for owner in meta.metadata(pod).get("ownerReferences") or ())
    ]


def ranks(job_kind: str, pods: Sequence[Object], nodes: Sequence[Object] = ()) -> list[Rank]:
    """In the order in which people look for them; what has been replaced comes after what replaced it."""
    seen: set[str] = set()
    found = []
    for pod in _grouped(sorted(pods, key=_created, reverse=True)):
        label = str(rank_of(pod))
        found.append(_rank(job_kind, pod, nodes, label, is_latest=label not in seen))
        seen.add(label)
    return found


def _grouped(newest_first: Sequence[Object]) -> list[Object]:
    """By rank, keeping the order within each."""
    by_rank: dict[str, list[Object]] = {}
    for pod in newest_first:
        by_rank.setdefault(str(rank_of(pod)), []).append(pod)
    return [
        pod
        for first in in_order([each[0] for each in by_rank.values()])
        for pod in by_rank[str(rank_of(first))]
    ]


def _rank(job_kind: str, pod: Object, nodes: Sequence[Object], label: str, *, is_latest: bool) -> Rank:
    status = meta.status(pod)
    own = container_status(job_kind, pod)
    state = own.get("state") or {}
    ended = state.get("terminated") or {}
    is_over = status.get("phase") in ("Succeeded", "Failed")
    last = ended or ((own.get("lastState") or {}).get("terminated") or {})
    return Rank(
        pod=meta.name(pod),
        namespace=meta.namespace(pod),
        place=label,
        label=label if is_latest else f"{label}, before: {meta.name(pod)}",
        is_latest=is_latest,
        is_over=is_over,
        health=health.of(pod, nodes) or health.Health("idle", str(status.get("phase") or "Pending")),
        restarts=int(own.get("restartCount") or 0),
        exit_code=last.get("exitCode") if isinstance(last.get("exitCode"), int) else None,
        node=str(meta.spec(pod).get("nodeName") or ""),
        started=str((state.get("running") or {}).get("startedAt") or ended.get("startedAt") or ""),
        ended=str(ended.get("finishedAt") or ""),
    )


def row(rank: Rank, href: Href) -> Row:
    found = rank.health
    return Row(
        rank.pod,
        {
            "rank": cells.link(rank.label, href(places.pod(rank.namespace, rank.pod)), rank.pod),
            "state": cells.state(found.word, found.tone, "", " ".join(filter(None, (found.why, found.hint)))),
            "restarts": cells.number(rank.restarts),
            "exit": cells.number(rank.exit_code),
            "node": rank.node,
            "started": cells.time(rank.started),
            "took": cells.duration(rank.started, rank.ended) if rank.started else "",
            "actions": cells.actions(
                [("log", "Log", "notes"), ("environment", "Environment", "data_object")]
            ),
        },
        name=rank.label,
    )


def container_of(job_kind: str, pod: Mapping[str, Any]) -> Mapping[str, Any]:
    """The container that trains: upstream's name for it, else the first."""
    containers: Sequence[Mapping[str, Any]] = meta.spec(pod).get("containers") or ()
    wanted = CONTAINERS.get(job_kind)
    return next(
        (each for each in containers if each.get("name") == wanted), containers[0] if containers else {}
    )


def container_status(job_kind: str, pod: Mapping[str, Any]) -> Mapping[str, Any]:
    name = container_of(job_kind, pod).get("name")
    statuses: Sequence[Mapping[str, Any]] = meta.status(pod).get("containerStatuses") or ()
    return next((each for each in statuses if each.get("name") == name), {})


def environment(container: Mapping[str, Any]) -> dict[str, str]:
    """What a container is given, by name; where a value comes from elsewhere, from where."""
    found: dict[str, str] = {}
    for each in container.get("env") or ():
        source = each.get("valueFrom")
        found[str(each.get("name"))] = _source(source) if source else str(each.get("value") or "")
    return found


def _source(source: Mapping[str, Any]) -> str:
    for key, words in (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")):
        if reference := source.get(key):
            return f"from {words} {reference.get('name')}, {reference.get('key')}"
    if reference := source.get("fieldRef"):
        return f"from the pod's {reference.get('fieldPath')}"
    if reference := source.get("resourceFieldRef"):
        return f"from the pod's {reference.get('resource')}"
    return "from elsewhere"


def _created(pod: Mapping[str, Any]) -> str:
    return str(meta.metadata(pod).get("creationTimestamp") or "")
