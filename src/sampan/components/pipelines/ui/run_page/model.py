"""What a run's tasks tell: its steps as people name them, what failed, what waits and for what. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sampan.components.pipelines.ui import messages
from sampan.components.pipelines.ui.states import is_final

Task = Mapping[str, Any]

_STEP_TYPES = frozenset({"RUNTIME", "IMPORTER"})
_SHOWN_WAITING = 3


@dataclass(frozen=True, slots=True)
class Step:
    """A task that runs a program, or would have."""

    task_id: str
    label: str
    """`train`, or `candidates[2] / train` within a loop."""
    name: str
    """How commands name it: alone where that is enough, else by its path (`for-loop-1/2/train`)."""
    state: str
    message: str
    """Why it failed, or what it waits for."""
    start: str
    end: str
    attempts: int
    task: Task


def steps(tasks: Sequence[Task]) -> list[Step]:
    """In the order of their start; what has not started comes last."""
    by_id = {task["task_id"]: task for task in tasks}
    counted: dict[str, int] = {}
    for task in tasks:
        if task.get("type") in _STEP_TYPES:
            counted[task["name"]] = counted.get(task["name"], 0) + 1
    found = [_step(task, by_id, counted) for task in tasks if task.get("type") in _STEP_TYPES]
    # Sorting keeps the API's order among those that have not started.
    return sorted(found, key=lambda step: step.start or step.end or "~")


def _step(task: Task, by_id: Mapping[str, Task], counted: Mapping[str, int]) -> Step:
    return Step(
        task_id=task["task_id"],
        label=label(task, by_id),
        name=task["name"] if counted.get(task["name"], 0) == 1 else path(task),
        state=task.get("state", "PENDING"),
        message=task.get("status_metadata", {}).get("message", ""),
        start=task.get("start_time", ""),
        end=task.get("end_time", ""),
        attempts=len(task.get("attempts", ())) or len(task.get("pods", ())),
        task=task,
    )


def path(task: Task) -> str:
    """Below the root: `for-loop-1/2/train`."""
    return str(task.get("scope_path", "")).removeprefix("root.").replace(".", "/")


def label(task: Task, by_id: Mapping[str, Task]) -> str:
    """Loops are what tells equal names apart, so they are shown; conditions and nesting are not."""
    parts = [str(task.get("display_name") or task["name"])]
    index = _index(task)
    if index is not None:
        parts[0] += f"[{index}]"
    above = by_id.get(task.get("parent_task_id", ""))
    while above is not None:
        if above.get("type") == "LOOP_ITERATION":
            loop = by_id.get(above.get("parent_task_id", ""), above)
            parts.append(f"{loop.get('display_name') or loop['name']}[{_index(above)}]")
            above = loop
        above = by_id.get(above.get("parent_task_id", ""))
    return " / ".join(reversed(parts))


def failed(found: Sequence[Step]) -> list[Step]:
    """Those that failed, the first to fail first: of several, it is mostly the cause."""
    return sorted(
        (step for step in found if step.state == "FAILED"),
        key=lambda step: (not step.attempts, step.end or "~"),
    )


def waiting(found: Sequence[Step]) -> list[Step]:
    """Those under way that say what they wait for."""
    return [step for step in found if not is_final(step.state) and step.message]


def waits_told(found: Sequence[Step]) -> list[str]:
    """What they wait for, in lines: steps that wait for the same are told together."""
    grouped: dict[str, list[str]] = {}
    for step in waiting(found):
        grouped.setdefault(messages.line(step.message, 400), []).append(step.label)
    told = [f"{_named(labels)}: {why}" for why, labels in grouped.items()]
    more = len(told) - _SHOWN_WAITING
    return [*told[:_SHOWN_WAITING], *([f"and {more} more"] if more > 0 else [])]


def counts(found: Sequence[Step]) -> dict[str, int]:
    """Steps by their states."""
    counted: dict[str, int] = {}
    for step in found:
        counted[step.state] = counted.get(step.state, 0) + 1
    return counted


def iterations(task: Task, tasks: Sequence[Task]) -> list[tuple[str, str]]:
    """Ids of the same step in all iterations of the loops around it, with what tells them apart. None outside loops."""
    place = _place(task)
    if "*" not in place:
        return []
    same = [each for each in tasks if each.get("type") == task.get("type") and _place(each) == place]
    found = sorted((_indexes(each), each["task_id"], each.get("state", "")) for each in same)
    return [
        (task_id, ".".join(map(str, indexes)) + (" (failed)" if state == "FAILED" else ""))
        for indexes, task_id, state in found
    ]


def _place(task: Task) -> tuple[str, ...]:
    return tuple("*" if part.isdigit() else part for part in str(task.get("scope_path", "")).split("."))


def _indexes(task: Task) -> tuple[int, ...]:
    return tuple(int(part) for part in str(task.get("scope_path", "")).split(".") if part.isdigit())


def _index(task: Task) -> Any:
    return task.get("type_attributes", {}).get("iteration_index")


def _named(labels: Sequence[str]) -> str:
    return labels[0] if len(labels) == 1 else f"{labels[0]} and {len(labels) - 1} more"
