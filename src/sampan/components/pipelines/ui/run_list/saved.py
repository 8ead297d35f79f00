"""Saved views above the list of runs: choose one, keep what is shown as one, rename, delete, begin with one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from nicegui import ui
from nicegui.element import Element

from sampan.components.pipelines.ui.run_list import views
from sampan.components.pipelines.ui.run_list.views import Views
from sampan.ui import widgets
from sampan.ui.context import PageContext
from sampan.ui.controls.controls import Choice

_ALL = "all"
"""In the address: all runs are wanted, whatever the list usually begins with."""
_OWN_KEYS = frozenset({"page", "view"})


class SavedViews:
    def __init__(self, page: PageContext, apply: Callable[[Mapping[str, str]], Awaitable[None]]) -> None:
        self._page = page
        self._apply = apply
        self._views: Views = views.from_json(page.preference(views.PREFERENCE))
        self._shown = {key: value for key, value in page.query.items() if key not in _OWN_KEYS}

    def beginning(self) -> Mapping[str, str]:
        """What the list begins with: what its address says, else the view that was chosen to begin with."""
        if self._shown or self._page.query.get("view") == _ALL:
            return self._shown
        view = self._views.find(self._views.chosen)
        if view is not None:
            self._shown = dict(view.address)
        return self._shown

    def build(self) -> None:
        self._choice = Choice("View", self._options(), self._current(), self._choose)
        widgets.button("Save view", self._ask_name, icon="bookmark_add")
        self._manage = widgets.icon_button("edit_note", "Manage saved views", self._ask_changes)
        self._manage.set_visibility(bool(self._views.views))

    def note(self, address: Mapping[str, str]) -> str:
        """What is shown now. For the address: whether this must be said to be all runs."""
        self._shown = {key: value for key, value in address.items() if value}
        self._show_choice()
        return _ALL if self._views.chosen and not self._shown else ""

    def _show_choice(self) -> None:
        self._choice.set_options(self._options())
        self._choice.choose(self._current())

    def _options(self) -> list[tuple[str, str]]:
        named = [(f"v:{view.name}", view.name) for view in self._views.views]
        unsaved = [("", "Unsaved")] if self._shown and not self._views.of_address(self._shown) else []
        return [(_ALL, "All runs"), *named, *unsaved]

    def _current(self) -> str:
        name = self._views.of_address(self._shown)
        return f"v:{name}" if name else "" if self._shown else _ALL

    async def _choose(self, key: str) -> None:
        view = self._views.find(key.removeprefix("v:")) if key.startswith("v:") else None
        if view is not None or key == _ALL:
            await self._apply(view.address if view is not None else {})

    async def _keep(self, changed: Views) -> None:
        self._views = changed
        await self._page.keep_preference(views.PREFERENCE, changed.to_json())
        self._show_choice()
        self._manage.set_visibility(bool(changed.views))

    def _ask_name(self) -> None:
        window, content = widgets.dialog("Save this view")

        async def go(name: str) -> None:
            window.close()
            await self._keep(self._views.saved(name, self._shown))
            self._page.notify(f"Saved as {name}.")

        with content:
            widgets.paragraph("Filters, order and columns, under a name. Only you see it.", "sp-muted")
            box = _NameBox("Name", self._views.of_address(self._shown), go)
            with ui.element("div").classes("sp-dialog-actions"):
                widgets.button("Cancel", window.close)
                widgets.button("Save", box.send, kind="primary")

    def _ask_changes(self) -> None:
        window, content = widgets.dialog("Saved views")

        def fill() -> None:
            listing.clear()
            with listing:
                for view in self._views.views:
                    with ui.element("div").classes("sp-row sp-view-row"):
                        self._build_view(view.name, fill)
                if not self._views.views:
                    widgets.paragraph("None is left.", "sp-muted")

        with content:
            listing = ui.element("div").classes("sp-stack")
            fill()
            with ui.element("div").classes("sp-dialog-actions"):
                widgets.button("Close", window.close, kind="primary")

    def _build_view(self, name: str, again: Callable[[], None]) -> None:
        async def rename(new: str) -> None:
            await self._keep(self._views.renamed(name, new))
            again()

        async def delete() -> None:
            await self._keep(self._views.without(name))
            again()

        async def begin() -> None:
            await self._keep(self._views.beginning_with("" if is_first else name))
            again()

        is_first = self._views.chosen == name
        box = _NameBox(f"Name of {name}", name, rename, unlabelled=True)
        widgets.button("Rename", box.send)
        label = "Do not begin with it" if is_first else "Begin with it"
        widgets.button(label, begin, icon="star" if is_first else "star_outline")
        widgets.icon_button("delete", f"Delete the view {name}", delete)


class _NameBox(Element):
    """A text with a name that is sent by the Enter key or `send`."""

    def __init__(
        self, label: str, value: str, act: Callable[[str], Awaitable[None]], *, unlabelled: bool = False
    ) -> None:
        super().__init__("div")
        self.classes("sp-field sp-space")
        self._value = value
        self._act = act
        with self:
            if not unlabelled:
                widgets.Text("label", label).props('for="sp-name"')
            box = Element("input").classes("sp-input")
            box._props.update({"aria-label": label, "^value": value, "maxlength": views.MOST_NAME})
            if not unlabelled:
                box.props('id="sp-name" autofocus')
            box.on("input", self._note, js_handler="(event) => emit(event.target.value)")
            box.on("keydown.enter", lambda _: self.send())

    def _note(self, event: object) -> None:
        self._value = str(getattr(event, "args", ""))

    async def send(self) -> None:
        if self._value.strip():
            await self._act(self._value.strip())
