"""What pages of triggers and notifications have in common: what was sent or came in, as a window over the page."""

from __future__ import annotations

import json
from typing import Any

from nicegui import ui

from sampan.ui import widgets


def show_json(title: str, value: Any) -> None:
    window, content = widgets.dialog(title, wide=True)
    with content:
        text = json.dumps(value, indent=2, ensure_ascii=False)
        widgets.Text("pre", text).classes("sp-code").props('tabindex="0"')
        with ui.element("div").classes("sp-dialog-actions"):
            widgets.button("Close", window.close, kind="primary")
