"""Artifacts and their lineage as pages show them. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sampan.components.pipelines.ui.previews.places import artifact_path
from sampan.components.pipelines.ui.states import shown
from sampan.ui import words
from sampan.ui.contract import Hit
from sampan.ui.graph.model import Edge, Graph, Node

ICONS = {
    "Artifact": "category",
    "Dataset": "table_view",
    "Model": "psychology",
    "Metric": "insights",
    "ClassificationMetric": "ssid_chart",
    "SlicedClassificationMetric": "stacked_line_chart",
    "HTML": "code",
    "Markdown": "article",
}
TYPES = {
    "": "All types",
    "Dataset": "Datasets",
    "Model": "Models",
    "Metric": "Metrics",
    "ClassificationMetric": "Classification metrics",
    "SlicedClassificationMetric": "Sliced metrics",
    "HTML": "HTML",
    "Markdown": "Markdown",
    "Artifact": "Other artifacts",
}
HOW = {"READ": "Read by", "REUSED": "Taken from the cache by"}
_SHORT = 80
_LONGEST = 400


def icon(artifact: Mapping[str, Any]) -> str:
    return ICONS.get(str(artifact.get("type", "")), "category")


def value(artifact: Mapping[str, Any]) -> str:
    """The number of a metric; nothing for others."""
    found = artifact.get("number_value")
    if found is None:
        return ""
    return f"{found:.6g}" if isinstance(found, int | float) else str(found)


def size(artifact: Mapping[str, Any]) -> str:
    """With the number of files of a folder; nothing where it was not measured."""
    if not artifact.get("digest"):
        return ""
    text = words.size(int(artifact.get("size_bytes", 0)))
    files = int(artifact.get("file_count", 0))
    return f"{text} in {words.counted(files, 'file|files')}" if files > 1 else text


def text_of(found: Any) -> str:
    """A value of the metadata; of a long one the beginning."""
    text = found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"


def download(artifact: Mapping[str, Any]) -> str:
    """The path that its file is fetched from; nothing for what is not one file that the platform keeps."""
    if int(artifact.get("file_count", 0)) > 1 or not artifact.get("stored"):
        return ""
    if str(artifact.get("uri", "")).partition("://")[0] in ("http", "https"):
        return ""
    return f"{artifact_path(str(artifact['artifact_id']))}:read"


def file_name(artifact: Mapping[str, Any]) -> str:
    """What a download is saved as."""
    return str(artifact.get("uri", "")).rstrip("/").rpartition("/")[2] or str(
        artifact.get("name", "artifact")
    )


def task_name(task: Mapping[str, Any]) -> str:
    return str(task.get("display_name") or task.get("name", ""))


def graph(lineage: Mapping[str, Any], centre: str) -> Graph:
    """Artifacts and the steps between them, from left to right. Node ids begin with what they are."""
    nodes = [
        _artifact_node(each, is_centre=each["artifact_id"] == centre) for each in lineage.get("artifacts", ())
    ]
    nodes += [_task_node(each) for each in lineage.get("executions", ())]
    edges = [_edge(use) for use in lineage.get("uses", ())]
    return Graph(nodes, sorted(edges, key=lambda edge: (edge.source, edge.target)), direction="right")


def path_of(node_id: str, lineage: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """The page of a node of the graph, and its query; an empty path for none."""
    kind, _, key = node_id.partition(":")
    if kind == "artifact":
        return f"/artifacts/{key}", {}
    task = next((each for each in lineage.get("executions", ()) if each["task_id"] == key), None)
    return (f"/runs/{task['run_id']}", {"task": key}) if task is not None else ("", {})


def deletion(artifact: Mapping[str, Any]) -> list[str]:
    """What goes with it, and who loses it."""
    lost = ["Its record, with its metadata and its place in the lineage."]
    if artifact.get("owned") and artifact.get("uri"):
        measured = size(artifact)
        lost.append(f"Its files{f' ({measured})' if measured else ''}, unless another artifact lies there.")
    else:
        lost.append("What is at its address stays: no run has written it.")
    wrote = artifact.get("produced_by", {}).get("run_id", "")
    others: dict[str, str] = {}
    for use in artifact.get("used_by", ()):
        if use.get("run_id") != wrote:
            others[use["run_id"]] = f"{use.get('run', '')}, {HOW[use['how']].lower()} {task_name(use)}"
    lost += [f"The run {text} has it no longer." for text in words.listed(list(others.values()), 6)]
    lost.append("Cached results that it belongs to are not used again.")
    return lost


def has_other_users(artifact: Mapping[str, Any]) -> bool:
    wrote = artifact.get("produced_by", {}).get("run_id", "")
    return any(use.get("run_id") != wrote for use in artifact.get("used_by", ()))


def uses(artifact: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The newest first."""
    return list(reversed(artifact.get("used_by", ())))


def hit(artifact: Mapping[str, Any]) -> Hit:
    run = artifact.get("produced_by", {}).get("run", "")
    return Hit(
        kind="Artifact",
        name=str(artifact.get("name", "")),
        path=f"/artifacts/{artifact['artifact_id']}",
        icon=icon(artifact),
        detail=" · ".join(each for each in (str(artifact.get("type", "")), run and f"of {run}") if each),
    )


def _artifact_node(artifact: Mapping[str, Any], *, is_centre: bool) -> Node:
    return Node(
        id=f"artifact:{artifact['artifact_id']}",
        label=str(artifact.get("name", ""))[:_SHORT],
        kind="artifact",
        icon=icon(artifact),
        detail=value(artifact) or str(artifact.get("type", "")),
        badge="this one" if is_centre else "",
        title=str(artifact.get("uri", "")),
    )


def _task_node(task: Mapping[str, Any]) -> Node:
    word, tone, _ = shown(str(task.get("state", "")))
    return Node(
        id=f"task:{task['task_id']}",
        label=task_name(task)[:_SHORT],
        icon="play_circle",
        state=word,
        tone=tone,
        title=f"{task_name(task)} of {task.get('run', '')}",
        badge=str(task.get("run", ""))[:24],
    )


def _edge(use: Mapping[str, Any]) -> Edge:
    artifact, task = f"artifact:{use['artifact_id']}", f"task:{use['task_id']}"
    source, target = (task, artifact) if use["how"] == "WROTE" else (artifact, task)
    return Edge(source, target, "artifact", str(use.get("key", "")))
