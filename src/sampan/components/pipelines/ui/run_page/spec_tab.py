"""What a run runs, as YAML."""

from __future__ import annotations

import asyncio

from nicegui import ui

from sampan.components.pipelines.ui.run_page.plan import Plan
from sampan.components.pipelines.ui.spec import reading
from sampan.ui import widgets
from sampan.ui.code.view import CodeView

_MOST_SHOWN = 1_000_000
"""Characters; the file has all of them."""


async def show(plan: Plan) -> None:
    text = await asyncio.to_thread(reading.as_yaml, plan.spec)
    with ui.element("div").classes("sp-bar-of-list"):
        widgets.button("Download", lambda: ui.download.content(text, "pipeline.yaml"), icon="download")
        if len(text) > _MOST_SHOWN:
            widgets.text("This is its beginning; the file has all of it.", "sp-muted")
    CodeView(text[:_MOST_SHOWN], label="Specification", language="yaml", height="calc(100vh - 260px)")
