"""The YAML of an object, as the API has it now, as a tab of its page; it is edited among the cluster's objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nicegui import ui

from sampan.kube import meta
from sampan.ui import widgets
from sampan.ui.code.view import CodeView
from sampan.ui.context import PageContext
from sampan.ui.objects import yamltext


class YamlPart:
    def __init__(self, page: PageContext, shown: Callable[[], Mapping[str, Any]], edit: str) -> None:
        """`shown` gives the object, `edit` is its page among those of the cluster."""
        self._page = page
        self._shown = shown
        self._edit = edit
        self._drawn = ""

    async def build(self) -> None:
        href = self._page.href
        with ui.element("div").classes("sp-bar-of-list"):
            widgets.button("Edit", icon="edit", href=href(self._edit, tab="yaml"))
            widgets.button("What belongs to it", icon="account_tree", href=href(self._edit, tab="owned"))
        self._place = ui.element("div")
        self.update()

    def update(self) -> None:
        obj = self._shown()
        text = yamltext.dump(obj)
        if text == self._drawn:
            return
        self._drawn = text
        self._place.clear()
        with self._place:
            CodeView(text, label=f"YAML of {meta.name(obj)}", language="yaml", height="70vh")

    def stop(self) -> None:
        """Nothing goes on by itself."""
