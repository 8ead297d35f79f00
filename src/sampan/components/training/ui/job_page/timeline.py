"""When each rank of a job waited, was prepared and ran. Pure; from its pods, those that were replaced included."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sampan.components.training.ui.job_page import ranks
from sampan.components.training.ui.job_page.ranks import Rank
from sampan.kube import meta
from sampan.kube.meta import Object
from sampan.lib.clock import parse_rfc3339
from sampan.ui.timeline.model import Row, Span, Timeline


def timeline(job_kind: str, found: Sequence[Rank], pods: Mapping[str, Object]) -> Timeline:
    """A row for each rank, however many pods it has had."""
    by_place: dict[str, list[Rank]] = {}
    for rank in found:
        by_place.setdefault(rank.place, []).append(rank)
    rows = [_row(job_kind, place, of_place, pods) for place, of_place in by_place.items()]
    starts = [span.start for row in rows for span in row.spans]
    ends = [span.end for row in rows for span in row.spans]
    is_over = bool(ends) and all(ends)
    return Timeline(rows, min(starts, default=0), max(ends) if is_over else 0)


def _row(job_kind: str, place: str, of_place: Sequence[Rank], pods: Mapping[str, Object]) -> Row:
    latest = of_place[0]
    runs = [span for rank in reversed(of_place) for span in _spans(job_kind, pods.get(rank.pod, {}))]
    count = sum(1 for span in runs if span.kind == "run")
    return Row(
        id=latest.pod,
        label=place,
        state=latest.health.word,
        tone=latest.health.tone,
        badge=f"{count} runs" if count > 1 else "",
        title=latest.health.why,
        spans=runs,
    )


def _spans(job_kind: str, pod: Object) -> Iterator[Span]:
    """Of one pod: until it had a place, until its container ran, and each run that is still known."""
    created = _moment(meta.metadata(pod).get("creationTimestamp"))
    if not created:
        return
    status = ranks.container_status(job_kind, pod)
    runs = [run for run in (_run(status.get("lastState")), _run(status.get("state"))) if run is not None]
    ended = _moment(_ended(pod))
    first = runs[0].start if runs else ended
    placed = _placed(pod) or first
    yield Span("queue", created, placed)
    if placed and (not first or first > placed):
        yield Span("prepare", placed, first)
    yield from runs


def _run(state: Any) -> Span | None:
    ended = (state or {}).get("terminated")
    if ended:
        start, end = _moment(ended.get("startedAt")), _moment(ended.get("finishedAt"))
        tone = "bad" if ended.get("exitCode") else "ok"
        return Span("run", start, max(start, end), tone) if start and end else None
    start = _moment(((state or {}).get("running") or {}).get("startedAt"))
    return Span("run", start, 0, "busy") if start else None


def _placed(pod: Object) -> int:
    """When it had a node; 0 while it has none."""
    for each in meta.status(pod).get("conditions") or ():
        if each.get("type") == "PodScheduled" and each.get("status") == "True":
            return _moment(each.get("lastTransitionTime"))
    return 0


def _ended(pod: Object) -> str:
    """Of a pod that ended without a run: when that was seen."""
    if meta.status(pod).get("phase") not in ("Succeeded", "Failed"):
        return ""
    told = meta.status(pod).get("conditions") or ()
    return max((str(each.get("lastTransitionTime") or "") for each in told), default="")


def _moment(at: Any) -> int:
    try:
        return int(parse_rfc3339(str(at)).timestamp() * 1000) if at else 0
    except ValueError:
        return 0
