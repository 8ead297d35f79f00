"""When the steps of a run waited, were prepared and ran. Pure.

    view.show(timeline_of(plan, run["tasks"], run["state"]))

Rows have the ids of the graph's nodes (`graph_model`). What decided how long the run took is marked: from its last step
back along what each waited for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sampan.components.pipelines.ui.blueprint import Blueprint
from sampan.components.pipelines.ui.graph_model import RunGraph, graph_of_run
from sampan.components.pipelines.ui.identity import Same
from sampan.components.pipelines.ui.states import shown
from sampan.ui.graph.model import Node
from sampan.ui.timeline.model import Row, Span, Timeline

Json = Mapping[str, Any]

_FINAL = frozenset({"SUCCEEDED", "FAILED", "CANCELED", "SKIPPED", "CACHED"})
_OPEN_AT_MOST = 40
"""Rows within a group that is open at first."""


@dataclass(frozen=True, slots=True)
class _Stay:
    """A node's tasks, in the order of their making: several where attempts are tasks of their own."""

    node: Node
    tasks: Sequence[Json]

    @property
    def task(self) -> Json:
        return self.tasks[0]

    @property
    def created(self) -> int:
        return moment(self.task.get("create_time"))

    @property
    def end(self) -> int:
        """0 while it goes on."""
        return moment(self.task.get("end_time"))


def timeline_of(plan: Blueprint, tasks: Sequence[Json], state: str = "RUNNING") -> Timeline:
    """Tabs that give the same plan and the same tasks share the answer."""
    return _timeline(Same(plan), Same(tasks), state)


@lru_cache(maxsize=4)
def _timeline(given: Same, found: Same, state: str) -> Timeline:
    plan: Blueprint = given.value
    tasks: Sequence[Json] = found.value
    drawn = graph_of_run(plan, tasks, state)
    stays = _stays(drawn, tasks)
    critical = _critical(drawn, stays) if state in _FINAL else frozenset()
    inside: dict[str, list[_Stay]] = {}
    for stay in stays.values():
        inside.setdefault(stay.node.group, []).append(stay)
    rows = [_row(stay, inside, critical) for stay in _ordered(inside, "")]
    root: Json = next((task for task in tasks if task.get("type") == "ROOT"), {})
    start = moment(root.get("create_time")) or min((stay.created for stay in stays.values()), default=0)
    end = moment(root.get("end_time")) if state in _FINAL else 0
    if state in _FINAL and not end:
        end = max((stay.end for stay in stays.values()), default=start)
    return Timeline(rows, start, end)


def moment(text: object) -> int:
    """RFC 3339 to milliseconds; 0 for none."""
    if not text:
        return 0
    try:
        return round(datetime.fromisoformat(str(text)).timestamp() * 1000)
    except ValueError:
        return 0


def _stays(drawn: RunGraph, tasks: Sequence[Json]) -> dict[str, _Stay]:
    nodes = {node.id: node for node in drawn.graph.nodes}
    grouped: dict[str, list[Json]] = {}
    for task in tasks:
        place = drawn.node_ids.get(str(task.get("task_id", "")), "")
        if place in nodes and moment(task.get("create_time")):
            grouped.setdefault(place, []).append(task)
    for found in grouped.values():
        found.sort(key=lambda task: moment(task.get("create_time")))
    return {place: _Stay(nodes[place], found) for place, found in grouped.items()}


def _ordered(inside: Mapping[str, list[_Stay]], group: str) -> Iterator[_Stay]:
    for stay in sorted(inside.get(group, ()), key=lambda each: each.created):
        yield stay
        yield from _ordered(inside, stay.node.id)


def _row(stay: _Stay, inside: Mapping[str, list[_Stay]], critical: frozenset[str]) -> Row:
    node = stay.node
    held = inside.get(node.id, ())
    return Row(
        node.id,
        node.label,
        node.group,
        icon=node.icon,
        state=node.state,
        tone=node.tone,
        badge=node.badge,
        title=node.title,
        spans=_whole(stay) if held else tuple(_spans(stay)),
        critical=node.id in critical,
        open=len(held) <= _OPEN_AT_MOST,
    )


def _whole(stay: _Stay) -> tuple[Span, ...]:
    start = moment(stay.task.get("start_time")) or stay.created
    return (Span("group", start, _end(stay.task, start), stay.node.tone),)


def _spans(stay: _Stay) -> Iterator[Span]:
    attempts = [attempt for task in stay.tasks for attempt in task.get("attempts") or ()]
    waits = bool((stay.tasks[-1].get("status_metadata") or {}).get("message"))
    free = stay.created
    for number, attempt in enumerate(attempts, start=1):
        label = f"attempt {number}" if len(attempts) > 1 else ""
        launched = max(free, moment(attempt.get("create_time")) or moment(attempt.get("start_time")))
        scheduled = max(launched, moment(attempt.get("schedule_time")))
        if scheduled > free:
            yield Span("queue", free, scheduled, label=label)
        end = moment(attempt.get("end_time"))
        if not end:
            # Until it has ended, a pod that waits says why; when its container started is known afterwards.
            going = stay.task.get("state") not in _FINAL
            until = 0 if going else max(scheduled, stay.end)
            kind = "prepare" if waits and going else "run"
            yield Span(kind, scheduled, until, "busy" if kind == "run" else "", label)
            return
        started = min(max(scheduled, moment(attempt.get("start_time"))), max(end, scheduled))
        if started > scheduled:
            yield Span("prepare", scheduled, started, label=label)
        free = max(started, end)
        yield Span("run", started, free, shown(str(attempt.get("state", "")))[1], label)
    if attempts and stay.task.get("state") in _FINAL:
        return
    yield from _rest(stay, free, bool(attempts))


def _rest(stay: _Stay, free: int, has_run: bool) -> Iterator[Span]:
    """Of what has no pod, or none at the moment."""
    if stay.task.get("state") not in _FINAL:
        yield Span("queue", free, label="before the next attempt" if has_run else "")
        return
    start = moment(stay.task.get("start_time")) or stay.created
    if start > free:
        yield Span("queue", free, start)
    yield Span("run", start, _end(stay.task, start), stay.node.tone)


def _end(task: Json, start: int) -> int:
    if task.get("state") not in _FINAL:
        return 0
    # Never 0, which means that it goes on; never before it began.
    return max(moment(task.get("end_time")), start)


def _critical(drawn: RunGraph, stays: Mapping[str, _Stay]) -> frozenset[str]:
    before: dict[str, list[str]] = {}
    for edge in drawn.graph.edges:
        before.setdefault(edge.target, []).append(edge.source)
    inside: dict[str, list[str]] = {}
    for place, stay in stays.items():
        inside.setdefault(stay.node.group, []).append(place)

    def last(places: Sequence[str]) -> str:
        """The leaf among, or within, these that ended last."""
        found = max(places, key=lambda place: (stays[place].end, place))
        return last(inside[found]) if found in inside else found

    def awaited(place: str) -> str:
        """What it could not begin before: what its edges come from, or the edges of what holds it."""
        at = place
        while at:
            sources = [each for each in before.get(at, ()) if each in stays and stays[each].end]
            group = stays[at].node.group
            if not sources and group in stays and stays[group].node.holds == "iterations":
                # An iteration that had to wait for its turn, which a limit gives it when another ends.
                first = min(stays[each].created for each in inside[group])
                if stays[at].created > first:
                    sources = [each for each in inside[group] if 0 < stays[each].end <= stays[at].created]
            if sources:
                return last(sources)
            at = group if group in stays else ""
        return before_it(place)

    def before_it(place: str) -> str:
        """Where no edge says it, as of hooks: what ended last before it began."""
        ended = [each for each in stays if each not in inside and 0 < stays[each].end <= stays[place].created]
        return max(ended, key=lambda each: (stays[each].end, each)) if ended else ""

    found: set[str] = set()
    at = last(inside[""]) if inside.get("") else ""
    while at and at not in found:
        found.add(at)
        holder = stays[at].node.group
        while holder in stays and holder not in found:
            found.add(holder)
            holder = stays[holder].node.group
        at = awaited(at)
    return frozenset(found)
