"""What the commands print: tables of jobs, one job, why it waits, lines of logs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sampan.components.training.api import labels
from sampan.components.training.api.summary import State, Summary, in_order, rank_of
from sampan.components.training.sdk.jobs import LogLine
from sampan.components.training.sdk.objects import ONCE
from sampan.console.printing import age, duration, local_time
from sampan.kube import conditions, meta, pods
from sampan.kube.meta import Object

STYLES = {
    State.SUCCEEDED: "green",
    State.FAILED: "bold red",
    State.SUSPENDED: "yellow",
    State.RESTARTING: "yellow",
    State.RUNNING: "blue",
}
_COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "bright_red", "bright_cyan", "bright_magenta")


def state_text(state: State) -> Text:
    return Text(state.value.lower(), STYLES.get(state, ""))


def print_jobs(console: Console, found: Sequence[Summary], *, namespaces: bool) -> None:
    if not found:
        console.print("No training jobs. Start one: sampan train script.py")
        return
    columns = ["name", "kind", "state", "nodes", "with", "age", "took"]
    table = Table(*(["namespace"] * namespaces), *columns, box=None, header_style="bold", pad_edge=False)
    for each in found:
        table.add_row(
            *([each.namespace] * namespaces),
            Text(each.name),
            each.kind,
            state_text(each.state),
            f"{each.active}/{each.wanted}" if not each.state.is_finished else str(each.wanted),
            Text(each.framework.removesuffix(ONCE)),
            age(each.created),
            duration(took_seconds(each)),
        )
    console.print(table)


def print_job(console: Console, job: Object, summary: Summary, found: Sequence[Object]) -> None:
    rows: list[tuple[str, Any]] = [
        ("kind", summary.kind),
        ("namespace", summary.namespace),
        ("state", state_text(summary.state)),
        ("why", summary.message if summary.state is not State.SUCCEEDED else ""),
        ("runs", meta.annotations(job).get(labels.SOURCE, "")),
        ("with", summary.framework.removesuffix(ONCE)),
        ("created", local_time(summary.created)),
        ("took", duration(took_seconds(summary))),
        *progress_rows(summary),
    ]
    console.print(Text(summary.name, "bold"))
    for name, value in rows:
        if value:
            console.print(Text.assemble((f"  {name:<11}", "dim"), value), soft_wrap=True)
    if found:
        table = Table(
            "rank", "pod", "state", "restarts", "node", box=None, header_style="bold", pad_edge=False
        )
        for pod in in_order(found):
            rank = str(rank_of(pod))
            table.add_row(
                Text(rank, colour_of(rank)),
                meta.name(pod),
                pod_state(pod),
                str(restarts(pod)),
                pods.node_name(pod),
            )
        console.print()
        console.print(table)
    for reason in waiting_for(job, found):
        console.print(Text.assemble(("  waits: ", "yellow"), reason), soft_wrap=True)


def progress_rows(summary: Summary) -> Iterator[tuple[str, str]]:
    """What a trainer has reported."""
    progress = summary.progress
    if (percent := progress.get("progressPercentage")) is not None:
        left = progress.get("estimatedRemainingSeconds")
        yield "progress", f"{percent} %" + (f", {duration(float(left))} left" if left is not None else "")
    metrics = ", ".join(f"{each.get('name')}={each.get('value')}" for each in progress.get("metrics") or ())
    if metrics:
        yield "metrics", metrics


def pod_state(pod: Object) -> str:
    """As kubectl says it: a container's reason comes before the pod's phase."""
    if meta.is_deleting(pod):
        return "Terminating"
    for status in pods.container_statuses(pod):
        state = status.get("state") or {}
        reason = (state.get("waiting") or {}).get("reason") or (state.get("terminated") or {}).get("reason")
        if reason and reason != "Completed":
            code = (state.get("terminated") or {}).get("exitCode")
            return f"{reason} ({code})" if code else str(reason)
    return pods.phase(pod) or "Pending"


def restarts(pod: Object) -> int:
    return sum(int(each.get("restartCount") or 0) for each in pods.container_statuses(pod))


def waiting_for(job: Object, found: Sequence[Object]) -> list[str]:
    """Why nothing, or not all, runs: in the words of whoever holds it back."""
    reasons: dict[str, None] = {}
    for pod in in_order(found):
        scheduled = conditions.find(pod, "PodScheduled") or {}
        if scheduled.get("status") == "False":
            reasons[f"{rank_of(pod)}: {scheduled.get('message') or scheduled.get('reason')}"] = None
        for status in pods.container_statuses(pod):
            waiting = (status.get("state") or {}).get("waiting") or {}
            # That it is being made is no reason: it takes its time.
            if waiting.get("reason") and waiting["reason"] not in ("ContainerCreating", "PodInitializing"):
                said = waiting.get("message") or ""
                reasons[f"{rank_of(pod)}: {waiting['reason']}{': ' if said else ''}{said}"] = None
    if (
        meta.spec(job).get("suspend") or (meta.spec(job).get("runPolicy") or {}).get("suspend")
    ) and not found:
        reasons[f"it is suspended: sampan train resume {meta.name(job)}"] = None
    return list(reasons)


def colour_of(rank: str) -> str:
    role, _, index = rank.rpartition("-")
    start = 0 if role in ("master", "chief", "launcher", "node") else 1
    return _COLOURS[(start + int(index or 0)) % len(_COLOURS)] if index.isdigit() else _COLOURS[0]


def log_text(line: LogLine, width: int, *, timestamps: bool = False) -> Text:
    """A line behind its rank, in the rank's colour; of a progress bar its last state. `width` 0 leaves the rank out."""
    said = Text.from_ansi(line.text.rstrip("\r").rpartition("\r")[2])
    parts: list[Any] = []
    if timestamps:
        parts.append((f"{line.time} ", "dim"))
    if width:
        parts.append((f"{line.rank:<{width}}  ", colour_of(line.rank)))
    return Text.assemble(*parts, said)


def took_seconds(summary: Summary) -> float:
    began = summary.started or summary.created
    if not began:
        return 0.0
    end = datetime.fromisoformat(summary.ended) if summary.ended else datetime.now(UTC)
    return max(0.0, (end - datetime.fromisoformat(began)).total_seconds())
