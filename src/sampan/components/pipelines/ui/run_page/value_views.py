"""Lists of parameters and artifacts, drawn. Long values fold and can be saved."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from nicegui import ui

from sampan.components.pipelines.ui.previews.view import preview
from sampan.components.pipelines.ui.run_page.values import Linked, Value
from sampan.ui import widgets
from sampan.ui.context import PageContext

_RECORDED = frozenset({"Metric", "ClassificationMetric", "SlicedClassificationMetric"})
"""Types whose content is in the record: nothing is read for them."""
_MOST_SHOWN = 20_000
"""Characters of a folded value that are sent to the browser; the rest is in the file."""


def parameters(found: Sequence[Value], none: str) -> None:
    if not found:
        widgets.paragraph(none, "sp-muted")
        return
    with ui.element("dl").classes("sp-values"):
        for each in found:
            with ui.element("dt"):
                widgets.text(each.name, "sp-mono")
                widgets.text(f"{each.kind}, {each.source}" if each.source else each.kind, "sp-muted sp-small")
            with ui.element("dd"):
                _value(each)


def _value(each: Value) -> None:
    if not each.is_long:
        widgets.text(each.text if each.text else "(empty)", "sp-mono" if each.text else "sp-muted")
        return
    with ui.element("details"):
        widgets.Text("summary", each.beginning).classes("sp-mono")
        with ui.element("pre").classes("sp-long-value").props('tabindex="0"') as box:
            cut = len(each.text) > _MOST_SHOWN
            box._text = each.text[:_MOST_SHOWN] + ("\n…" if cut else "")
        with ui.element("div").classes("sp-row"):
            widgets.button("Download", partial(_save, each), icon="download")
            if cut:
                widgets.text(f"{len(each.text):,} characters; the file has all of them", "sp-muted")


def _save(each: Value) -> None:
    is_json = each.kind in ("list", "object")
    ui.download.content(each.text, f"{each.name or 'value'}.{'json' if is_json else 'txt'}")


async def artifacts(page: PageContext, found: Sequence[Linked], none: str) -> None:
    """Each with a link to its own page, and a preview: at once of what its record holds, of files when asked for."""
    if not found:
        widgets.paragraph(none, "sp-muted")
        return
    with ui.element("ul").classes("sp-artifacts"):
        for each in found:
            with ui.element("li"):
                artifact(page, each)
                await _preview(page, each)


async def _preview(page: PageContext, each: Linked) -> None:
    place = ui.element("div")

    async def show() -> None:
        button.set_visibility(False)
        with place:
            await preview(page, each.artifact)

    if str(each.artifact.get("type", "")) in _RECORDED:
        with place:
            await preview(page, each.artifact)
        return
    button = widgets.button("Preview", show, icon="visibility")


def artifact(page: PageContext, each: Linked) -> None:
    kind = str(each.artifact.get("type", "Artifact"))
    name = each.name or str(each.artifact.get("name", "")) or kind
    key = str(each.artifact.get("artifact_id", ""))
    with ui.element("div").classes("sp-row"):
        ui.icon(ICONS.get(kind, "description")).props("aria-hidden=true")
        if key:
            widgets.link(name, page.href(f"/artifacts/{key}"))
        else:
            widgets.text(name)
        widgets.text(kind, "sp-tag")
        if each.source:
            widgets.text(each.source, "sp-muted sp-small")
    if each.artifact.get("uri"):
        widgets.text(str(each.artifact["uri"]), "sp-mono sp-muted sp-small")


ICONS = {
    "Model": "view_in_ar",
    "Dataset": "table_chart",
    "Metric": "insights",
    "ClassificationMetric": "show_chart",
    "SlicedClassificationMetric": "show_chart",
    "HTML": "code",
    "Markdown": "article",
}
