"""The small parts of pages: headers, buttons, states, empty states, failures, questions before something is lost.

Texts are texts: none of these takes HTML, and whatever users have written may be given to any of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from nicegui import ui
from nicegui.element import Element

from sampan.ui.api import ApiFailureError
from sampan.ui.links import checked

Act = Callable[[], Any]
"""Called on a click; may be a coroutine function."""

_TONE_ICONS = {
    "ok": "check_circle",
    "bad": "error",
    "busy": "pending",
    "warn": "warning",
    "idle": "remove_circle_outline",
}


class Text(Element):
    """An element of any tag that holds a text."""

    def __init__(self, tag: str, text: str) -> None:
        super().__init__(tag)
        self._text = text

    def set_text(self, text: str) -> None:
        if text != self._text:
            self._text = text
            self.update()


def address(path: str, query: Mapping[str, str]) -> str:
    """With the query's empty values left out."""
    kept = {key: value for key, value in query.items() if value}
    return f"{path}?{urlencode(kept)}" if kept else path


def link(text: str, href: str, *, new_tab: bool = False) -> Text:
    """To a page of ours, or to a file of the platform's; to elsewhere only with http or https."""
    found = Text("a", text)
    found._props["href"] = checked(href)
    if new_tab:
        found._props.update(target="_blank", rel="noopener noreferrer")
    return found


def download(text: str, href: str, name: str = "") -> Text:
    """A link that saves what it leads to."""
    found = link(text, href)
    found._props["download"] = name
    return found


def heading(text: str, level: int = 2) -> Text:
    return Text(f"h{level}", text)


def text(content: str, classes: str = "") -> Text:
    return Text("span", content).classes(classes) if classes else Text("span", content)


def paragraph(content: str, classes: str = "") -> Text:
    return Text("p", content).classes(classes) if classes else Text("p", content)


def page_header(title: str, subtitle: str = "") -> Element:
    """The page's name; what is made within the returned element are its actions, on the right."""
    with ui.element("div").classes("sp-page-header"):
        with ui.element("div").classes("sp-title"):
            heading(title, 1)
        actions = ui.element("div").classes("sp-actions")
        if subtitle:
            paragraph(subtitle, "sp-subtitle")
    return actions


def button(label: str, act: Act | None = None, *, icon: str = "", kind: str = "", href: str = "") -> Element:
    """`kind` is `primary`, `danger`, both, or nothing. With `href` it is a link that looks like one."""
    found = Element("a" if href else "button").classes("sp-button")
    if href:
        found._props["href"] = checked(href)
    else:
        found._props["type"] = "button"
    for each in kind.split():
        found.classes(f"sp-{each}")
    with found:
        if icon:
            ui.icon(icon).props("aria-hidden=true")
        text(label)
    if act is not None:
        found.on("click", lambda _: act())
    return found


def set_enabled(element: Element, enabled: bool, why: str = "") -> None:
    """Of a button; `why` it is not is shown to whoever points at it."""
    if enabled:
        element.props(remove="disabled title")
    else:
        element._props["disabled"] = True
        element._props["title"] = why
        element.update()


def explain(element: Element, text: str) -> Element:
    """Says more of what a button does, to whoever points at it and to whoever hears the page."""
    element._props.update({"title": text, "aria-description": text})
    return element


def icon_button(icon: str, label: str, act: Act) -> Element:
    """`label` is what it does: shown on pointing at it, and read aloud."""
    found = Element("button").classes("sp-icon-button")
    found._props.update({"type": "button", "aria-label": label, "title": label})
    with found:
        ui.icon(icon).props("aria-hidden=true")
    found.on("click", lambda _: act())
    return found


def change_icon_button(found: Element, icon: str, label: str) -> None:
    found._props.update({"aria-label": label, "title": label})
    found.clear()
    with found:
        ui.icon(icon).props("aria-hidden=true")
    found.update()


def state(label: str, tone: str = "idle", icon: str = "") -> Element:
    """A word for how something is. Never by colour alone."""
    found = Element("span").classes(f"sp-state sp-tone-{tone}")
    with found:
        ui.icon(icon or _TONE_ICONS.get(tone, "circle")).props("aria-hidden=true")
        text(label)
    return found


def card(title: str = "") -> Element:
    """What is made within it is its content."""
    found = ui.element("section").classes("sp-card")
    if title:
        with found:
            heading(title)
    return found


def pairs(values: Mapping[str, str | Callable[[], None]]) -> Element:
    """Names and values. A callable builds its value."""
    found = ui.element("dl").classes("sp-pairs")
    with found:
        for name, value in values.items():
            Text("dt", name)
            with ui.element("dd") as place:
                if callable(value):
                    value()
                else:
                    place._text = value
    return found


def empty_state(
    icon: str,
    title: str,
    detail: str,
    links: Sequence[tuple[str, str]] = (),
    command: str = "",
) -> Element:
    """Where there is nothing to show: what would be here, and how to get it. The first link is the one to take."""
    found = ui.element("div").classes("sp-empty")
    with found:
        ui.icon(icon).classes("sp-large").props("aria-hidden=true")
        heading(title)
        paragraph(detail)
        if command:
            Text("pre", command)
        with ui.element("div").classes("sp-row"):
            for index, (label, href) in enumerate(links):
                button(label, href=href, kind="" if index else "primary")
    return found


def failure(error: ApiFailureError, retry: Act | None = None) -> Element:
    """In place of what could not be shown."""
    titles = {403: "You may not see this", 404: "This is not here (any more)"}
    found = ui.element("div").classes("sp-empty").props('role="alert"')
    with found:
        ui.icon("error_outline").classes("sp-large").props("aria-hidden=true")
        heading(titles.get(error.status, "This could not be shown"))
        paragraph(error.message)
        if retry is not None:
            button("Try again", retry, icon="refresh")
    return found


def dialog(title: str, *, wide: bool = False) -> tuple[ui.dialog, Element]:
    """An open window over the page, and where its content goes. It is gone once closed."""
    window = ui.dialog(value=True)
    window.on("hide", window.delete)
    window._props["aria-label"] = title
    with window, ui.element("div").classes("sp-dialog") as content:
        if wide:
            content.classes("sp-wide")
        heading(title)
    return window, content


def failure_dialog(error: ApiFailureError) -> None:
    """What was asked for was refused."""
    window, content = dialog("This was not done")
    with content:
        paragraph(error.message, "sp-pre").props('role="alert"')
        with ui.element("div").classes("sp-dialog-actions"):
            button("Close", window.close, kind="primary")


def confirm(
    title: str,
    lost: Sequence[str],
    act: Callable[[], Awaitable[Any]],
    *,
    label: str,
    danger: bool = True,
    typed: str = "",
) -> None:
    """Asks before something is done that cannot be undone. `lost` names what goes; `typed` is to be written first."""
    window, content = dialog(title)

    async def go() -> None:
        window.close()
        await act()

    with content:
        with ui.element("ul").classes("sp-lost"):
            for each in lost:
                Text("li", each)
        answer: list[str] = [""]
        if typed:
            with ui.element("div").classes("sp-field"):
                Text("label", f"Type {typed} to go on").props('for="sp-typed"')
                box = Element("input").classes("sp-input").props('id="sp-typed" autocomplete="off"')
        with ui.element("div").classes("sp-dialog-actions"):
            button("Cancel", window.close)
            doing = button(label, go, kind="primary danger" if danger else "primary")
        if typed:
            set_enabled(doing, False, f"Type {typed} first")

            def note(event: Any) -> None:
                answer[0] = str(event.args)
                set_enabled(doing, answer[0] == typed, f"Type {typed} first")

            box.on("input", note, js_handler="(event) => emit(event.target.value)")


class Tabs:
    """Parts of a page of which one is shown. A part is built when it is first chosen, and anew each time."""

    def __init__(self, names: Mapping[str, str], chosen: str, choose: Callable[[str], Any]) -> None:
        """`names` from a part's key to its label. `choose` fills `panel` with the part of that key."""
        self._choose = choose
        self._is_filling = False
        self._is_asked_again = False
        self._buttons: dict[str, Element] = {}
        with ui.element("div").classes("sp-tabs").props('role="tablist"'):
            for key, label in names.items():
                found = Text("button", label).classes("sp-tab")
                found._props.update(type="button", role="tab", id=f"sp-tab-{key}")
                found.on("click", lambda _, key=key: self.show(key))
                self._buttons[key] = found
        self.panel = ui.element("div").props('role="tabpanel"')
        self.chosen = chosen if chosen in names else next(iter(names))

    async def show(self, key: str = "") -> None:
        """While a part is still being built, another one waits for its end: never are there two in the panel."""
        self.chosen = key or self.chosen
        for each, found in self._buttons.items():
            found._props["aria-selected"] = "true" if each == self.chosen else "false"
            found.update()
        self._is_asked_again = True
        if self._is_filling:
            return
        self._is_filling = True
        try:
            while self._is_asked_again:
                self._is_asked_again = False
                await self._fill()
        finally:
            self._is_filling = False

    async def _fill(self) -> None:
        self.panel._props["aria-labelledby"] = f"sp-tab-{self.chosen}"
        self.panel.clear()
        try:
            with self.panel:
                result = self._choose(self.chosen)
                if isinstance(result, Awaitable):
                    await result
        except ApiFailureError:
            # Of a part that is no longer wanted nobody needs to know.
            if not self._is_asked_again:
                raise
