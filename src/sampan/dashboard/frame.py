"""What stays around every page of a tab: navigation, namespace, search, theme, where one is, and what went wrong."""

from __future__ import annotations

from collections.abc import Sequence

from nicegui import ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from sampan.dashboard.routes import ROOT, current
from sampan.dashboard.window import Window
from sampan.ui import widgets
from sampan.ui.api import ApiFailureError
from sampan.ui.context import Crumb

_THEMES = {"light": False, "dark": True, "system": None}
_NEXT_THEME = {"system": "light", "light": "dark", "dark": "system"}
_THEME_ICONS = {"system": "brightness_auto", "light": "light_mode", "dark": "dark_mode"}


class Browser(Element, component="static/shell.js"):
    """What only the browser can do: its address, its history, its keys, and a word said for some seconds."""


class Frame:
    def __init__(self, window: Window) -> None:
        self._window = window
        self.content: Element
        self._browser: Browser
        self._links: dict[str, Element] = {}
        self._crumbs: Element
        self._trouble: Element
        self._trouble_text: ui.label

    async def build(self) -> None:
        client = ui.context.client
        for path in self._window.shared.styles:
            ui.add_head_html(f'<link rel="stylesheet" href="{ROOT}{path}">')
        self._dark = ui.dark_mode(_THEMES.get(self._window.theme))
        with client.content:
            self._browser = Browser()
            self._browser.on("navigate", lambda event: self._window.navigate(str(event.args)))
            self._browser.on("upstream", self._follow_upstream)
            with ui.element("div").classes("sp-where"):
                self._crumbs = ui.element("nav").props('aria-label="Breadcrumb"').classes("sp-crumbs")
            self._trouble = ui.element("div").props('role="alert"').classes("sp-trouble")
            with self._trouble:
                ui.icon("error_outline").props("aria-hidden=true")
                self._trouble_text = ui.label()
            self._trouble.set_visibility(False)
            self.content = ui.element("div").classes("sp-content")
        with client.layout:
            with ui.element("header").classes("sp-header") as header:
                await self._build_header()
            with ui.element("nav").props('aria-label="Sections" id="sp-nav"').classes("sp-nav") as nav:
                self._build_navigation()
        # Before the page, for whoever goes from one to the next by key.
        nav.move(target_index=0)
        header.move(target_index=0)

    def went_to(self, path: str, title: str, parents: Sequence[Crumb]) -> None:
        """A page is shown."""
        ui.context.client.title = f"{title} · Sampan"
        self._browser.run_method("arrived", f"{title} · Sampan")
        entry = current(self._window.shared.sections, path)
        for each, link in self._links.items():
            is_current = entry is not None and each == entry.path
            link.classes(add="sp-current" if is_current else "", remove="" if is_current else "sp-current")
            link.props(
                add='aria-current="page"' if is_current else "", remove="" if is_current else "aria-current"
            )
        self._crumbs.clear()
        with self._crumbs:
            for text, above in parents:
                if above:
                    widgets.link(text, self._window.href(above))
                else:
                    ui.label(text)
                ui.icon("chevron_right").props("aria-hidden=true")
            ui.label(title).props('aria-current="page"')
        self.tell_trouble("")

    def tell_trouble(self, text: str) -> None:
        """What keeps the page from being current; nothing once it is."""
        self._trouble_text.set_text(text)
        self._trouble.set_visibility(bool(text))

    def notify(self, text: str, tone: str) -> None:
        self._browser.run_method("say", text, tone)

    def push_address(self, address: str) -> None:
        """Goes there: the browser says so, and the page follows."""
        self._browser.run_method("go", address)

    def replace_address(self, address: str) -> None:
        self._browser.run_method("replace", address)

    async def _build_header(self) -> None:
        with (
            ui.element("button")
            .props('type="button" aria-label="Menu" aria-controls="sp-nav"')
            .classes("sp-menu sp-icon-button")
            .on("click", js_handler="() => document.body.classList.toggle('sp-nav-open')")
        ):
            ui.icon("menu").props("aria-hidden=true")
        with widgets.link("", self._window.href("/")).classes("sp-brand").props('aria-label="Sampan, home"'):
            ui.icon("sailing").props("aria-hidden=true")
            ui.label("Sampan")
        with (
            ui.element("button")
            .props('type="button" aria-keyshortcuts="/ Control+K"')
            .classes("sp-search-button") as search
        ):
            ui.icon("search").props("aria-hidden=true")
            ui.label("Search runs, pipelines, pods …")
            ui.element("kbd").classes("sp-kbd")._text = "/"
        search.on("click", lambda: self._search())
        ui.element("div").classes("sp-space")
        await self._build_namespaces()
        self._theme_button = widgets.icon_button(
            _THEME_ICONS[self._window.theme], f"Theme: {self._window.theme}", self._switch_theme
        )

    async def _build_namespaces(self) -> None:
        names = await self._namespaces()
        with ui.element("label").classes("sp-namespace"):
            ui.label("Namespace").classes("sp-muted")
            with ui.element("select").props('id="sp-namespace"') as choice:
                for name in names:
                    option = ui.element("option").props(f'value="{name}"')
                    option._text = name
                    if name == self._window.namespace:
                        option.props("selected")
            choice.on("change", self._choose_namespace, js_handler="(event) => emit(event.target.value)")

    async def _namespaces(self) -> list[str]:
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
        self._dark.value = _THEMES[theme]
        widgets.change_icon_button(self._theme_button, _THEME_ICONS[theme], f"Theme: {theme}")
        await self._window.choose_theme(theme)

    def _build_navigation(self) -> None:
        for section in self._window.shared.sections:
            if section.label:
                ui.label(section.label).classes("sp-nav-heading")
            for entry in section.entries:
                with widgets.link("", self._window.href(entry.path)).classes("sp-nav-link") as link:
                    ui.icon(entry.icon).props("aria-hidden=true")
                    ui.label(entry.label)
                self._links[entry.path] = link

    def _follow_upstream(self, event: GenericEventArguments) -> None:
        path = self._window.shared.routes.of_upstream(str(event.args))
        if path:
            self.replace_address(self._window.href(path))
            self._window.navigate(path)

    async def _search(self) -> None:
        """Opens the search."""
