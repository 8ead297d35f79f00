"""What pipelines of v1 say is to be shown: `mlpipeline-ui-metadata` and `mlpipeline-metrics`. Called by `view`. Pure.

Source: kubeflow/pipelines 1.8, frontend/src/lib/OutputArtifactLoader.ts and the documentation of output viewers. Here a
`source` that is `inline` counts for every kind of viewer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sampan.components.pipelines.ui.classification import Confusion, Point
from sampan.components.pipelines.ui.previews.measures import number
from sampan.components.pipelines.ui.previews.tables import Rows

_MOST_VIEWERS = 50
_TYPES = {
    "confusion_matrix": "Confusion matrix",
    "roc": "ROC curve",
    "table": "Table",
    "markdown": "Markdown",
    "web-app": "Web page",
    "tensorboard": "TensorBoard",
}


@dataclass(frozen=True, slots=True)
class Viewer:
    """One output of the file."""

    index: int
    type: str
    """As it stands in the file."""
    source: str
    is_inline: bool
    columns: Sequence[str] = ()
    labels: Sequence[str] = ()

    @property
    def title(self) -> str:
        return _TYPES.get(self.type, self.type or "Output")

    @property
    def is_known(self) -> bool:
        return self.type in _TYPES


def is_ui_metadata(name: str) -> bool:
    """Of an artifact, by its name; SDKs write it in several ways."""
    return name.replace("_", "-").endswith("mlpipeline-ui-metadata")


def is_metrics(name: str) -> bool:
    return name.replace("_", "-").endswith("mlpipeline-metrics")


def viewers(document: Any) -> list[Viewer]:
    """What is no output is left out."""
    outputs = document.get("outputs") if isinstance(document, Mapping) else None
    found: list[Viewer] = []
    for index, each in enumerate(outputs if isinstance(outputs, list) else []):
        if not isinstance(each, Mapping) or len(found) == _MOST_VIEWERS:
            continue
        found.append(
            Viewer(
                index,
                str(each.get("type", "")),
                each["source"] if isinstance(each.get("source"), str) else "",
                each.get("storage") == "inline",
                _columns(each),
                [str(label) for label in _list(each.get("labels"))],
            )
        )
    return found


def metrics(document: Any) -> dict[str, tuple[float, bool]]:
    """Names, numbers, and whether they are percentages."""
    found = {}
    for each in _list(document.get("metrics")) if isinstance(document, Mapping) else ():
        if isinstance(each, Mapping) and (value := number(each.get("numberValue"))) is not None:
            found[str(each.get("name", ""))] = (value, each.get("format") == "PERCENTAGE")
    return found


def curve(rows: Rows) -> list[Point]:
    """Of columns fpr, tpr and thresholds: by their names, else in this order."""
    names = [name.strip().lower() for name in rows.columns]
    places = [
        next((at for at, name in enumerate(names) if name in wanted), usual)
        for usual, wanted in enumerate((("fpr",), ("tpr",), ("thresholds", "threshold")))
    ]
    found = []
    for row in rows.rows:
        values = [_read(row[at]) if at < len(row) else None for at in places]
        if values[0] is not None and values[1] is not None:
            found.append((values[0], values[1], math.nan if values[2] is None else values[2]))
    return sorted(found, key=lambda point: point[:2])


def matrix(rows: Rows, labels: Sequence[str]) -> Confusion | None:
    """Of columns target, predicted and count. `labels` give the order."""
    cells: dict[tuple[str, str], float] = {}
    for row in rows.rows:
        count = _read(row[2]) if len(row) > 2 else None
        if count is not None:
            cells[row[0], row[1]] = cells.get((row[0], row[1]), 0) + count
    classes = list(labels) or list(dict.fromkeys(name for pair in cells for name in pair))
    if not cells or not classes or len(classes) > 100:
        return None
    return Confusion(classes, [[cells.get((true, said), 0.0) for said in classes] for true in classes])


def _columns(output: Mapping[str, Any]) -> list[str]:
    if header := _list(output.get("header")):
        return [str(name) for name in header]
    return [str(each.get("name", "")) for each in _list(output.get("schema")) if isinstance(each, Mapping)]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _read(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
