"""What is compared: runs as the API answers them (`view=FULL&include=metrics,origin`), read for comparison. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

MOST_RUNS = 10

_GROUPS = frozenset(
    {"ROOT", "DAG", "LOOP", "LOOP_ITERATION", "CONDITION", "CONDITION_BRANCH", "EXIT_HANDLER"}
)
"""Tasks that run nothing themselves."""
_LOWER_IS_BETTER = frozenset(
    [
        "loss",
        "losses",
        "logloss",
        "error",
        "errors",
        "err",
        "rmse",
        "mse",
        "mae",
        "mape",
        "smape",
        "perplexity",
        "latency",
        "duration",
        "seconds",
        "time",
        "ms",
        "cost",
        "fpr",
        "fnr",
        "wer",
        "cer",
        "deviance",
        "divergence",
        "bytes",
        "size",
        "memory",
    ]
)
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_FINAL = frozenset({"SUCCEEDED", "FAILED", "CANCELED", "SKIPPED", "CACHED"})
_WORST_FIRST = ("FAILED", "CANCELED", "RUNNING", "PENDING", "SUCCEEDED", "CACHED", "SKIPPED")


@dataclass(frozen=True, slots=True)
class Step:
    """A task, or all iterations of one within a loop."""

    path: str
    """Below the root, without the numbers of iterations: `for-loop-1.train`."""
    state: str
    count: int
    seconds: float
    """That its ended iterations took, together."""
    since: str = ""
    """When it started, where it is one that still runs."""
    task_id: str = ""


@dataclass(frozen=True, slots=True)
class Artifact:
    id: str
    type: str
    uri: str
    metadata: Mapping[str, Any]
    given: Mapping[str, Any]
    """As the API gives it."""


@dataclass(frozen=True, slots=True)
class ComparedRun:
    id: str
    name: str
    look: int
    """Its colour and symbol on the whole page."""
    state: str
    error: str
    created_at: str
    finished_at: str
    """Empty while it runs."""
    parameters: Mapping[str, Any]
    metrics: Mapping[str, float]
    steps: Mapping[str, Step]
    artifacts: Mapping[str, Artifact]
    origin: Mapping[str, str]
    pipeline_id: str = ""
    version_id: str = ""
    experiment_id: str = ""
    resumed_from: str = ""

    @property
    def is_over(self) -> bool:
        return self.state in _FINAL

    @property
    def seconds(self) -> float | None:
        return _seconds(self.created_at, self.finished_at) if self.finished_at else None


def wanted_ids(text: str) -> list[str]:
    """Of an address's `runs=a,b`: each once, ten at most."""
    ids = dict.fromkeys(each.strip() for each in text.split(",") if each.strip())
    return list(ids)[:MOST_RUNS]


def read(answer: Mapping[str, Any], ids: Sequence[str]) -> list[ComparedRun]:
    """In the order of `ids`; those that are not here are left out."""
    found = {run["run_id"]: run for run in answer.get("runs", ())}
    return [_run(found[run_id], look) for look, run_id in enumerate(i for i in ids if i in found)]


def _run(run: Mapping[str, Any], look: int) -> ComparedRun:
    tasks = run.get("tasks", ())
    root: Mapping[str, Any] = next((task for task in tasks if task.get("type") == "ROOT"), {})
    resolved = {
        each["parameter_key"]: each.get("value")
        for each in (root.get("inputs") or {}).get("parameters", ())
        if "parameter_key" in each
    }
    reference = run.get("pipeline_version_reference") or {}
    finished = run.get("finished_at", "")
    return ComparedRun(
        id=run["run_id"],
        name=run.get("display_name", run["run_id"]),
        look=look,
        state=run.get("state", ""),
        error=(run.get("error") or {}).get("message", ""),
        created_at=run.get("created_at", ""),
        finished_at="" if finished.startswith("1970-") else finished,
        # Defaults are only in what the root task was given.
        parameters=(run.get("runtime_config") or {}).get("parameters", {})
        | (run.get("parameters") or {})
        | resolved,
        metrics={name: float(value) for name, value in (run.get("metrics") or {}).items()},
        steps=_steps(tasks),
        artifacts=_artifacts(tasks),
        origin=run.get("origin") or {},
        pipeline_id=reference.get("pipeline_id", ""),
        version_id=reference.get("pipeline_version_id", ""),
        experiment_id=run.get("experiment_id", ""),
        resumed_from=run.get("resumed_from", ""),
    )


def path_of(task: Mapping[str, Any]) -> str:
    pieces = str(task.get("scope_path") or task.get("name", "")).split(".")
    kept = [piece for piece in pieces if not piece.isdigit()]
    return ".".join(kept[1:] if len(kept) > 1 and kept[0] == "root" else kept)


def _leaves(tasks: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [task for task in tasks if task.get("type") not in _GROUPS]


def _steps(tasks: Iterable[Mapping[str, Any]]) -> dict[str, Step]:
    grouped: dict[str, list[Mapping[str, Any]]] = {}
    for task in _leaves(tasks):
        grouped.setdefault(path_of(task), []).append(task)
    return {path: _step(path, each) for path, each in grouped.items()}


def _step(path: str, tasks: Sequence[Mapping[str, Any]]) -> Step:
    states = [str(task.get("state", "")) for task in tasks]
    state = min(states, key=lambda each: _WORST_FIRST.index(each) if each in _WORST_FIRST else 99)
    seconds = sum(_seconds(task.get("start_time", ""), task.get("end_time", "")) or 0 for task in tasks)
    is_going_on = len(tasks) == 1 and state == "RUNNING"
    since = tasks[0].get("start_time", "") if is_going_on else ""
    return Step(path, state, len(tasks), seconds, since, tasks[0].get("task_id", ""))


def _artifacts(tasks: Iterable[Mapping[str, Any]]) -> dict[str, Artifact]:
    """What steps wrote by step and name (`train / model`), without plain numbers, which are metrics; the last where a
    loop wrote several."""
    found = {}
    for task in _leaves(tasks):
        for output in (task.get("outputs") or {}).get("artifacts", ()):
            for each in output.get("artifacts", ()):
                if each.get("type") == "Metric":
                    continue
                key = f"{path_of(task)} / {output.get('artifact_key', each.get('name', ''))}"
                found[key] = Artifact(
                    id=each.get("artifact_id", ""),
                    type=each.get("type", ""),
                    uri=each.get("uri", ""),
                    metadata=each.get("metadata") or {},
                    given=each,
                )
    return found


def names(runs: Sequence[ComparedRun], of: str) -> list[str]:
    """Of `parameters`, `metrics`, `steps` or `artifacts` that any of the runs has, in the order they are met."""
    return list(dict.fromkeys(name for run in runs for name in getattr(run, of)))


def differing_parameters(runs: Sequence[ComparedRun]) -> list[str]:
    """Those of which not all runs have the same value; a run without it differs."""
    return [name for name in names(runs, "parameters") if not is_same([r.parameters.get(name) for r in runs])]


def is_same(values: Sequence[Any]) -> bool:
    return all(type(value) is type(values[0]) and value == values[0] for value in values)


def lower_is_better(metric: str) -> bool:
    """By what the metric is called; users can say otherwise."""
    return any(word.lower() in _LOWER_IS_BETTER for word in _WORDS.findall(metric))


def _seconds(start: str, end: str) -> float | None:
    try:
        return (_moment(end) - _moment(start)).total_seconds() if start and end else None
    except ValueError:
        return None


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
