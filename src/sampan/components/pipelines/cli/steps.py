"""A run's tasks as people read them: steps with their place, state and time; results at the end. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_STEP_TYPES = frozenset({"RUNTIME", "IMPORTER"})
FINAL_STATES = frozenset({"SUCCEEDED", "FAILED", "CANCELED", "SKIPPED", "CACHED"})


@dataclass(frozen=True, slots=True)
class Step:
    """One task that runs, or stands for a condition or loop that was skipped whole."""

    task_id: str
    label: str
    """`train`, or `candidates[2] / train` inside a loop."""
    name: str
    state: str
    started: datetime | None
    finished: datetime | None
    message: str
    pods: tuple[str, ...]
    """Of all attempts, oldest first."""
    is_reused: bool = False
    """Its result is that of the run which this one goes on from."""
    path: str = ""
    """`for-loop-1/2/train`."""
    iteration: tuple[int, ...] = ()
    """Of the loops around it, the outermost first."""

    def seconds(self, now: datetime) -> float | None:
        if self.started is None:
            return None
        return max(((self.finished or now) - self.started).total_seconds(), 0.0)


def steps(tasks: Sequence[Mapping[str, Any]]) -> list[Step]:
    """In the order of their start; what has not started comes last."""
    by_id = {task["task_id"]: task for task in tasks}
    shown = [
        Step(
            task_id=task["task_id"],
            label=_label(task, by_id),
            name=task.get("display_name") or task["name"],
            state=task.get("state", "PENDING"),
            started=_time(task.get("start_time")),
            finished=_time(task.get("end_time")),
            message=task.get("status_metadata", {}).get("message", ""),
            pods=tuple(pod["name"] for pod in task.get("pods", ())),
            is_reused=task.get("state") == "CACHED" and bool(_reason(task)),
            path=_path(task),
            iteration=_iteration(task, by_id),
        )
        for task in tasks
        if task.get("type") in _STEP_TYPES
    ]
    latest = datetime.max.replace(tzinfo=UTC)
    # What came from the cache never started, but has its place among the others. Sorting keeps the API's order.
    return sorted(shown, key=lambda step: step.started or step.finished or latest)


def _reason(task: Mapping[str, Any]) -> str:
    return str(task.get("status_metadata", {}).get("custom_properties", {}).get("reason", ""))


def _path(task: Mapping[str, Any]) -> str:
    path = task.get("scope_path", "")
    parts = path.split(".") if isinstance(path, str) else list(path)
    return "/".join(parts[1:] if parts[:1] == ["root"] else parts)


def _iteration(task: Mapping[str, Any], by_id: Mapping[str, Mapping[str, Any]]) -> tuple[int, ...]:
    found: list[int] = []
    current: Mapping[str, Any] | None = task
    while current is not None:
        index = current.get("type_attributes", {}).get("iteration_index")
        if index is not None:
            found.append(int(index))
        current = by_id.get(current.get("parent_task_id", ""))
    return tuple(reversed(found))


def _label(task: Mapping[str, Any], by_id: Mapping[str, Mapping[str, Any]]) -> str:
    """Loops are what tells equal names apart, so they are shown; conditions and nesting are not."""
    parts = [task.get("display_name") or task["name"]]
    index = task.get("type_attributes", {}).get("iteration_index")
    parent = by_id.get(task.get("parent_task_id", ""))
    if index is not None:
        parts[0] += f"[{index}]"
    while parent is not None:
        if parent.get("type") == "LOOP_ITERATION":
            loop = by_id.get(parent.get("parent_task_id", ""), parent)
            name = loop.get("display_name") or loop["name"]
            parts.append(f"{name}[{parent.get('type_attributes', {}).get('iteration_index', '?')}]")
            parent = loop
        parent = by_id.get(parent.get("parent_task_id", ""))
    return " / ".join(reversed(parts))


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the table at the end."""

    step: str
    kind: str
    """`parameter`, or the artifact's type."""
    name: str
    value: str


def results(tasks: Sequence[Mapping[str, Any]]) -> list[Result]:
    """Outputs, metrics and artifacts of all steps that ran, in the order of the steps."""
    labels = {step.task_id: step.label for step in steps(tasks)}
    by_id = {task["task_id"]: task for task in tasks}
    lines: list[Result] = []
    for task_id, label in labels.items():
        outputs = by_id[task_id].get("outputs", {})
        lines += [
            Result(label, "parameter", entry.get("parameter_key", ""), _value(entry.get("value")))
            for entry in outputs.get("parameters", ())
        ]
        for entry in outputs.get("artifacts", ()):
            key = entry.get("artifact_key", "")
            # A number logged with log_metric is listed with its siblings, and stands alone only for programs.
            lines += [
                _artifact(label, key, found)
                for found in entry.get("artifacts", ())
                if "number_value" not in found
            ]
    return lines


def _artifact(step: str, key: str, artifact: Mapping[str, Any]) -> Result:
    kind = str(artifact.get("type", "Artifact"))
    metadata = {k: v for k, v in artifact.get("metadata", {}).items() if k != "display_name"}
    if kind == "Metric":
        values = ", ".join(f"{name} = {_value(value)}" for name, value in metadata.items())
        return Result(step, "metrics", key, values)
    if kind in ("ClassificationMetric", "SlicedClassificationMetric"):
        return Result(step, "metrics", key, ", ".join(_value_name(name) for name in metadata) or "(empty)")
    return Result(step, kind.lower(), key, str(artifact.get("uri", "")))


def _value_name(name: str) -> str:
    return {"confusionMatrix": "confusion matrix", "confidenceMetrics": "ROC curve"}.get(name, name)


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= 120 else text[:117] + "…"


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def duration(seconds: float | None) -> str:
    """`0.3 s`, `12 s`, `4 min 05 s`, `2 h 03 min`."""
    if seconds is None:
        return ""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
