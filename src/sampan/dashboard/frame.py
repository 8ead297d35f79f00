"""What stays around every page of a tab: the header, the navigation, where one is, and what went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qsl, urlsplit

from nicegui import ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from sampan.dashboard.header import Header
from sampan.dashboard.routes import ROOT, current
from sampan.dashboard.search import Palette
from sampan.dashboard.window import Window
from sampan.ui import widgets
from sampan.ui.context import Crumb

_BEFORE_MOUNT = {
    "light": "html { color-scheme: light; background: #f6f7f9; }",
    "dark": "html { color-scheme: dark; background: #0f141a; }",
}
"""What the window shows until its page is there, where the user's choice is not the system's: no flash."""


class Browser(Element, component="static/shell.js"):
    """What only the browser can do: its address, its history, its menu, and a word said for some seconds."""


class Connection(Element, component="static/connection.js"):
    """Says when the server cannot be reached."""


class Frame:
    def __init__(self, window: Window) -> None:
        self._window = window
        self.namespace = window.namespace
        """The one that is shown."""
        self.content: Element
        self._browser: Browser
        self._palette: Palette
        self._header = Header(window, lambda: self._palette.open(), lambda: self._palette.show_keys())
        self._links: dict[str, Element] = {}
        self._crumbs: Element
        self._trouble: Element
        self._trouble_text: ui.label

    async def build(self) -> None:
        client = ui.context.client
        ui.add_head_html(f"<style>{_BEFORE_MOUNT.get(self._window.theme, '')}</style>")
        for path in self._window.shared.styles:
            ui.add_head_html(f'<link rel="stylesheet" href="{ROOT}{path}">')
        with client.content:
            self._browser = Browser()
            self._browser.on("navigate", lambda event: self._window.navigate(str(event.args)))
            self._browser.on("upstream", self._follow_upstream)
            self._palette = Palette(self._window)
            Connection()
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
                await self._header.build()
            with ui.element("nav").props('aria-label="Sections" id="sp-nav"').classes("sp-nav") as nav:
                self._build_navigation()
        # Before the page, for whoever goes from one to the next by key.
        nav.move(target_index=0)
        header.move(target_index=0)

    def stop(self) -> None:
        """The tab is gone."""
        self._header.stop()
        self._palette.stop()

    def show_namespace(self) -> None:
        """The window's is another one: it is in the address of every page."""
        self.namespace = self._window.namespace
        self._header.show_namespace()
        self._palette.refresh()
        for path, link in self._links.items():
            link._props["href"] = self._window.href(path)
            link.update()

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
            split = urlsplit(path)
            self.replace_address(self._window.href(split.path, **dict(parse_qsl(split.query))))
            self._window.navigate(path)
