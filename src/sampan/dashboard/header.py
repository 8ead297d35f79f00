"""The bar above all pages: menu, search, namespace, what happened lately, help, theme."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from sampan.dashboard import about
from sampan.dashboard.bell import Bell
from sampan.dashboard.window import Window
from sampan.ui import widgets
from sampan.ui.api import ApiFailureError

THEMES = {"light": False, "dark": True, "system": None}
_NEXT_THEME = {"system": "light", "light": "dark", "dark": "system"}
_THEME_ICONS = {"system": "brightness_auto", "light": "light_mode", "dark": "dark_mode"}
_THEME_WORDS = {"system": "as the system", "light": "light", "dark": "dark"}


class Header:
    def __init__(self, window: Window, search: Callable[[], Any], keys: Callable[[], Any]) -> None:
        """`search` and `keys` open the search and the list of shortcuts."""
        self._window = window
        self._search = search
        self._keys = keys
        self._dark: ui.dark_mode
        self._namespaces: Element
        self._theme: Element
        self._home: Element
        self._bell: Bell

    async def build(self) -> None:
        self._dark = ui.dark_mode(THEMES.get(self._window.theme))
        with ui.element("button").classes("sp-menu sp-icon-button") as menu:
            menu._props.update({"type": "button", "aria-label": "Menu", "aria-controls": "sp-nav"})
            ui.icon("menu").props("aria-hidden=true")
        menu.on("click", js_handler="() => window.dispatchEvent(new CustomEvent('sampan-menu'))")
        with widgets.link("", self._window.href("/")).classes("sp-brand") as self._home:
            self._home._props["aria-label"] = "Sampan, home"
            ui.icon("sailing").props("aria-hidden=true")
            widgets.text("Sampan")
        self._build_search()
        ui.element("div").classes("sp-space")
        await self._build_namespaces()
        self._bell = Bell(self._window)
        self._bell.build()
        about.build(self._window, self._keys)
        self._theme = widgets.icon_button("", "", self._switch_theme).classes("sp-theme")
        self._show_theme()

    def show_namespace(self) -> None:
        self._home._props["href"] = self._window.href("/")
        self._home.update()
        self._namespaces._props["value"] = self._window.namespace
        self._namespaces.update()
        self._bell.show_namespace()

    def stop(self) -> None:
        """The tab is gone."""
        self._bell.stop()

    def _build_search(self) -> None:
        with ui.element("button").classes("sp-search-button") as search:
            search._props.update({"type": "button", "aria-keyshortcuts": "/ Control+K"})
            ui.icon("search").props("aria-hidden=true")
            widgets.text("Search runs, pipelines, pods …")
            widgets.Text("kbd", "/").classes("sp-kbd")
        search.on("click", self._search)

    async def _build_namespaces(self) -> None:
        names = await self._names()
        with ui.element("label").classes("sp-namespace"):
            widgets.text("Namespace", "sp-muted")
            with ui.element("select") as self._namespaces:
                for name in names:
                    widgets.Text("option", name)._props["value"] = name
        self._namespaces._props.update(id="sp-namespace", value=self._window.namespace)
        self._namespaces.on(
            "change", self._choose_namespace, js_handler="(event) => emit(event.target.value)"
        )

    async def _names(self) -> list[str]:
        try:
            found = await self._window.api.get("/api/v1/namespaces")
        except ApiFailureError:
            return [self._window.namespace]
        names = [item["metadata"]["name"] for item in found.get("items", ())]
        return sorted({*names, self._window.namespace})

    async def _choose_namespace(self, event: GenericEventArguments) -> None:
        await self._window.choose_namespace(str(event.args))

    async def _switch_theme(self) -> None:
        theme = _NEXT_THEME[self._window.theme]
        self._dark.value = THEMES[theme]
        await self._window.choose_theme(theme)
        self._show_theme()

    def _show_theme(self) -> None:
        theme = self._window.theme
        widgets.change_icon_button(self._theme, _THEME_ICONS[theme], f"Theme: {_THEME_WORDS[theme]}")
