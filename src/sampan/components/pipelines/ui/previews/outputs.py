"""Metrics, curves and matrices on a page, and the viewers of v1. Called by `view`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nicegui import ui

from sampan.components.pipelines.ui.classification import Confusion, Point
from sampan.components.pipelines.ui.previews import files, kinds, legacy, places, tables
from sampan.components.pipelines.ui.previews.legacy import Viewer
from sampan.components.pipelines.ui.previews.measures import Classification
from sampan.components.pipelines.ui.previews.places import Place
from sampan.ui import widgets
from sampan.ui.api import ApiFailureError
from sampan.ui.charts.cartesian import area_below, roc
from sampan.ui.charts.chart import Chart
from sampan.ui.charts.figure import Series, shown
from sampan.ui.charts.heat_map import confusion_matrix
from sampan.ui.content import Content
from sampan.ui.context import PageContext
from sampan.ui.sandbox.sandbox import Sandbox

_MOST_CURVES = 10
_MOST_MATRICES = 20
_MOST_ROWS = 20_000


def scalars(values: Mapping[str, tuple[float, bool]]) -> None:
    """Names, numbers, and whether they are percentages."""
    with ui.element("dl").classes("sp-preview-scalars"):
        for name, (value, is_percentage) in values.items():
            with ui.element("div").classes("sp-card"):
                widgets.Text("dt", name)
                widgets.Text("dd", f"{shown(value * 100)} %" if is_percentage else shown(value))


def classification(label: str, parts: Mapping[str, Classification]) -> None:
    """A curve for each part in one chart, and a matrix for each."""
    curves = {name: part.roc for name, part in parts.items() if part.roc}
    with ui.element("div").classes("sp-grid"):
        if curves:
            _curves(label, curves)
        for name, part in list(parts.items())[:_MOST_MATRICES]:
            if part.matrix is not None:
                _matrix(name if len(parts) > 1 else "", part.matrix)
    if len(parts) > _MOST_MATRICES:
        widgets.paragraph(
            f"The first {_MOST_MATRICES} of {len(parts)} slices are shown.", "sp-muted sp-small"
        )


def _curves(label: str, curves: Mapping[str, Sequence[Point]]) -> None:
    series = []
    for name, points in list(curves.items())[:_MOST_CURVES]:
        area = f"area {shown(area_below([point[:2] for point in points]))}"
        series.append(Series(f"{name}, {area}" if len(curves) > 1 else area, points, id=name))
    title = "ROC curve" if len(curves) == 1 else "ROC curves"
    with widgets.card(f"{title} · {series[0].name}" if len(series) == 1 else title):
        Chart(roc(f"{title} of {label}", series))
        if len(curves) > _MOST_CURVES:
            widgets.paragraph(f"The first {_MOST_CURVES} of {len(curves)} are drawn.", "sp-muted sp-small")


def _matrix(name: str, matrix: Confusion) -> None:
    with widgets.card(f"Confusion matrix · {name}" if name else "Confusion matrix"):
        Chart(confusion_matrix(f"Confusion matrix {name}".strip(), matrix.classes, matrix.counts))


async def viewer(page: PageContext, found: Viewer, own: Place, namespace: str) -> None:
    """One output of `mlpipeline-ui-metadata`, whose own file is at `own`."""
    if not found.is_known:
        widgets.paragraph(f"{found.type} is no viewer that pipelines know.", "sp-muted")
    elif found.type == "tensorboard":
        widgets.paragraph(found.source, "sp-mono")
        widgets.paragraph("TensorBoard reads its logs there; it is not served here yet.", "sp-muted")
    elif found.type in ("markdown", "web-app"):
        _page_of(page, found, own, namespace)
    else:
        try:
            rows = await _rows(page, found, namespace)
        except (ApiFailureError, tables.NoTableError) as error:
            widgets.paragraph(f"It cannot be read: {error}", "sp-muted")
            return
        _drawn(found, rows)


def _page_of(page: PageContext, found: Viewer, own: Place, namespace: str) -> None:
    kind = "html" if found.type == "web-app" else "markdown"
    if found.is_inline:
        content = Content(kind, own.path, own.query, ("outputs", found.index, "source"))
        Sandbox(page, content, title=found.title, download=own.download)
        return
    place = places.of_uri(found.source, namespace)
    if place is None:
        widgets.paragraph(f"{found.source} is not read by this server.", "sp-muted")
        return
    Sandbox(page, Content(kind, place.path, place.query), title=found.title, download=place.download)


async def _rows(page: PageContext, found: Viewer, namespace: str) -> tables.Rows:
    """Raises ApiFailureError, NoTableError."""
    if found.is_inline:
        text, is_whole = found.source, True
    else:
        place = places.of_uri(found.source, namespace)
        if place is None:
            raise tables.NoTableError(f"{found.source} is not read by this server")
        head = await files.head_of(page, place)
        is_whole = len(head) < kinds.PEEK_BYTES
        text = kinds.text_of(head, is_whole=is_whole) or ""
    most = tables.MOST_ROWS if found.type == "table" else _MOST_ROWS
    return tables.read("csv", text, is_whole=is_whole, header=found.columns, most=most)


def _drawn(found: Viewer, rows: tables.Rows) -> None:
    if found.type == "table":
        files.table(rows, found.title)
    elif found.type == "roc" and (points := legacy.curve(rows)):
        Chart(roc(found.title, [Series("ROC", points)]))
    elif found.type == "confusion_matrix" and (matrix := legacy.matrix(rows, found.labels)) is not None:
        Chart(confusion_matrix(found.title, matrix.classes, matrix.counts))
    else:
        files.table(rows, found.title)
