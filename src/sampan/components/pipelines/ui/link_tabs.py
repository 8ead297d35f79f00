"""Parts of one subject that are pages of their own, as tabs that are links."""

from __future__ import annotations

from collections.abc import Sequence

from nicegui import ui

from sampan.ui import widgets
from sampan.ui.context import PageContext


def link_tabs(page: PageContext, label: str, parts: Sequence[tuple[str, str]]) -> None:
    """`parts` are labels and paths; the page's own is the current one."""
    with ui.element("nav").classes("sp-tabs") as place:
        place._props["aria-label"] = label
        for text, path in parts:
            found = widgets.link(text, page.href(path)).classes("sp-tab")
            if path == page.path:
                found._props["aria-current"] = "page"
