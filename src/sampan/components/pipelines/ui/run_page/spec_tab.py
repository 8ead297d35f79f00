"""What a run runs, as YAML."""

from __future__ import annotations

import asyncio
from typing import Any

import yaml
from nicegui import ui

from sampan.components.pipelines.ui import run_actions
from sampan.ui import widgets
from sampan.ui.context import PageContext

_MOST_SHOWN = 400_000
"""Characters; the file has all of them."""


async def show(page: PageContext, run_id: str) -> None:
    whole = await page.api.get(run_actions.path(run_id), {"view": "SPEC"})
    text = await asyncio.to_thread(written, whole.get("pipeline_spec", {}))
    with ui.element("div").classes("sp-bar-of-list"):
        widgets.button("Download", lambda: ui.download.content(text, "pipeline.yaml"), icon="download")
        if len(text) > _MOST_SHOWN:
            widgets.text("This is its beginning; the file has all of it.", "sp-muted")
    with ui.element("pre").classes("sp-spec").props('tabindex="0" aria-label="Specification"') as box:
        box._text = text[:_MOST_SHOWN]


def written(spec: Any) -> str:
    """In the order in which it was given. Blocks for large ones."""
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump(spec, Dumper=dumper, sort_keys=False, allow_unicode=True, width=110))
