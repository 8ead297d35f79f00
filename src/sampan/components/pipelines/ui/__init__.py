"""The pages of pipelines in the dashboard. `INTERFACE` is what the shell is told of them.

They reach runs, pipelines and all else through the REST API alone (`ui.api`), as the user whose tab it is.
"""

from __future__ import annotations

from pathlib import Path

from sampan.components.pipelines.ui import run_list
from sampan.components.pipelines.ui.pipelines import (
    compare_page,
    list_page,
    pipeline_page,
    upload_page,
    version_page,
)
from sampan.ui.contract import Interface, NavEntry, NavSection, Page, QuickAction

_HERE = Path(__file__).parent
_PIPELINE = "/pipelines/{pipeline_id}"

INTERFACE = Interface(
    sections=(
        NavSection(
            "Pipelines",
            (
                NavEntry("Pipelines", "/pipelines", "account_tree"),
                NavEntry("Runs", "/runs", "play_circle"),
            ),
            order=10,
        ),
    ),
    pages=(
        Page("/runs", "Runs", run_list.build),
        Page("/pipelines", "Pipelines", list_page.build),
        Page("/pipelines/upload", "Upload pipeline", upload_page.build, "/pipelines"),
        Page(_PIPELINE, "Pipeline", pipeline_page.build, "/pipelines"),
        Page(f"{_PIPELINE}/versions/{{version_id}}", "Version", version_page.build, _PIPELINE),
        Page(f"{_PIPELINE}/compare", "Compare versions", compare_page.build, _PIPELINE),
    ),
    quick_actions=(QuickAction("Upload pipeline", "/pipelines/upload", "upload", order=20),),
    styles=(_HERE / "pipelines.css",),
    upstream_links={
        "/runs": "/runs",
        "/runs/details/{run_id}": "/runs/{run_id}",
        "/pipelines": "/pipelines",
        "/pipelines/details/{pipeline_id}": _PIPELINE,
        "/pipelines/details/{pipeline_id}/version/{version_id}": f"{_PIPELINE}/versions/{{version_id}}",
    },
)
