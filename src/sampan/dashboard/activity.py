"""What happened lately, as it is shown: the list, the page, and how far the user has read.

The bell in the header shows the beginning of the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nicegui import ui
from nicegui.element import Element

from sampan.dashboard.feeds import Activities, narrowed
from sampan.dashboard.window import Window
from sampan.ui import widgets
from sampan.ui.context import PageContext
from sampan.ui.contract import Activity, Build
from sampan.ui.times import TIMES

_SEEN = "activity_seen"


class SeenMark:
    """How far the user has read, kept for all of their tabs."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._newest = ""

    def is_new(self, found: Sequence[Activity]) -> bool:
        self._newest = found[0].at if found else ""
        kept = self._window.shared.preferences.of(self._window.api.user.name)
        return self._newest > str(kept.get(_SEEN, ""))

    async def keep(self) -> None:
        """All that was shown last."""
        if self._newest:
            user = self._window.api.user.name
            await self._window.shared.preferences.keep(user, _SEEN, self._newest)


class Feed(Element, component="static/feed.js", esm=TIMES):
    """A list of what happened, by day."""

    def __init__(self) -> None:
        super().__init__()
        self._shown: list[dict[str, Any]] = []
        self._props["items"] = []

    def show(self, found: Sequence[Activity], href: Callable[[str], str]) -> None:
        items = [
            {
                "at": each.at,
                "text": each.text,
                "icon": each.icon,
                "tone": each.tone,
                "kind": each.kind,
                "href": href(each.path) if each.path else "",
            }
            for each in found
        ]
        if items != self._shown:
            self._shown = items
            dict.__setitem__(self._props, "items", items)
            self.run_method("show", items)


def page(activities: Activities) -> Build:
    """The page's `build`."""

    async def build(page: PageContext) -> None:
        widgets.page_header("Activity", "What happened in this namespace, the newest first")
        kind, failed = page.query.get("kind", ""), page.query.get("failed") == "1"
        found: list[Activity] = []

        def show() -> None:
            feed.show(narrowed(found, kind, failed), page.href)

        async def look() -> None:
            nonlocal found
            found = await activities.latest(page.api, page.namespace)
            show()

        def choose(event: Any) -> None:
            nonlocal kind
            kind = str(event.args)
            page.set_query(kind=kind)
            show()

        def choose_failed(event: Any) -> None:
            nonlocal failed
            failed = bool(event.args)
            page.set_query(failed="1" if failed else "")
            show()

        found = await activities.latest(page.api, page.namespace)
        with ui.element("div").classes("sp-row sp-filters"):
            _kinds(
                sorted({each.kind for each in found if each.kind} | ({kind} if kind else set())), kind, choose
            )
            _failed(failed, choose_failed)
        feed = Feed()
        show()
        page.every(2.0, look)

    return build


def _kinds(kinds: Sequence[str], chosen: str, choose: Callable[[Any], None]) -> None:
    with ui.element("label").classes("sp-row"):
        widgets.text("About", "sp-muted")
        with ui.element("select").classes("sp-input") as box:
            for value, label in (("", "everything"), *((each, each) for each in kinds)):
                widgets.Text("option", label)._props["value"] = value
    box._props["value"] = chosen
    box.on("change", choose, js_handler="(event) => emit(event.target.value)")


def _failed(chosen: bool, choose: Callable[[Any], None]) -> None:
    with ui.element("label").classes("sp-row"):
        box = Element("input")
        box._props.update(type="checkbox", checked=chosen)
        widgets.text("Only what went wrong")
    box.on("change", choose, js_handler="(event) => emit(event.target.checked)")
