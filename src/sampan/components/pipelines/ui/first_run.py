"""The first visit: where a namespace has no runs yet, home offers to run a small pipeline with one click.

`first_pipeline.yaml` needs no package and no network, so that it succeeds on any machine.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from nicegui import ui

from sampan.components.pipelines.ui.pipelines.packages import About, send_file
from sampan.ui import widgets
from sampan.ui.api import Api, ApiFailureError
from sampan.ui.context import PageContext

_PACKAGE = Path(__file__).with_name("first_pipeline.yaml")
_NAME = "first-pipeline"
_RUNS = "/apis/v2beta1/runs"
_PIPELINES = "/apis/v2beta1/pipelines"
_COMMAND = "sampan run pipeline.py"


async def build(page: PageContext) -> None:
    """Nothing where there are runs."""
    found = await page.api.get(_RUNS, {"page_size": "1", "namespace": page.namespace})
    if found.get("runs"):
        return

    async def run() -> None:
        started: list[str] = []

        async def start() -> None:
            started.append(await start_first_run(page.api, page.namespace))

        if await page.attempt(start(), done="Your first run has started."):
            page.go(f"/runs/{started[0]}")

    with ui.element("section").classes("sp-card sp-welcome"):
        ui.icon("sailing").classes("sp-large").props("aria-hidden=true")
        with ui.element("div").classes("sp-stack"):
            widgets.heading("Run your first pipeline")
            widgets.paragraph(
                "Three small steps: one rolls a die, one takes the average, one writes a report. You will see "
                "its graph, its logs and what it made. It needs no network and takes a few seconds."
            )
            with ui.element("div").classes("sp-row"):
                widgets.button("Run it", run, icon="play_arrow", kind="primary")
                widgets.button("Upload your own", href=page.href("/pipelines/upload"), icon="upload")
                widgets.text("or, in a terminal:", "sp-muted")
                widgets.Text("code", _COMMAND).classes("sp-mono")


async def start_first_run(api: Api, namespace: str) -> str:
    """The id of the run. Raises ApiFailureError."""
    pipeline_id, version_id = await _uploaded(api, namespace)
    body: dict[str, Any] = {
        "display_name": "My first run",
        "pipeline_version_reference": {"pipeline_id": pipeline_id, "pipeline_version_id": version_id},
    }
    run = await api.post(_RUNS, body, {"namespace": namespace})
    return str(run["run_id"])


async def _uploaded(api: Api, namespace: str) -> tuple[str, str]:
    """Anew only where it is not there."""
    try:
        found = await api.get(f"{_PIPELINES}/names/{_NAME}", {"namespace": namespace})
    except ApiFailureError as error:
        if error.status != 404:
            raise
        data = await asyncio.to_thread(_PACKAGE.read_bytes)
        about = About(_NAME, "Rolls a die, takes the average, and writes a report")
        return await send_file(api, data, about, namespace=namespace)
    versions = await api.get(
        f"{_PIPELINES}/{found['pipeline_id']}/versions", {"page_size": "1", "sort_by": "created_at desc"}
    )
    return found["pipeline_id"], versions["pipeline_versions"][0]["pipeline_version_id"]
