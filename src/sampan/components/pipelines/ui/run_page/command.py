"""A command for the terminal, with a button that copies it."""

from __future__ import annotations

from nicegui import ui
from nicegui.element import Element

from sampan.ui import widgets

_COPY = """(event) => {
  const button = event.currentTarget;
  navigator.clipboard.writeText(button.dataset.text).then(() => {
    button.dataset.copied = "yes";
    setTimeout(() => delete button.dataset.copied, 1500);
  });
}"""


def command(text: str, label: str = "Copy the command") -> Element:
    with ui.element("div").classes("sp-run-command") as found:
        widgets.Text("code", text)
        copy = Element("button").classes("sp-icon-button")
        copy._props.update({"type": "button", "aria-label": label, "title": label, "data-text": text})
        with copy:
            ui.icon("content_copy").props("aria-hidden=true")
        copy.on("click", js_handler=_COPY)
    return found
