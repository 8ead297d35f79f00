"""What the room's interface has of pipelines and versions."""

from __future__ import annotations

from sampan.components.pipelines.ui.pipelines import (
    compare_page,
    finding,
    list_page,
    pipeline_page,
    upload_page,
    version_page,
)
from sampan.ui.contract import Page, QuickAction

_PIPELINE = "/pipelines/{pipeline_id}"

PAGES = (
    Page("/pipelines", "Pipelines", list_page.build),
    Page("/pipelines/upload", "Upload pipeline", upload_page.build, "/pipelines"),
    Page(_PIPELINE, "Pipeline", pipeline_page.build, "/pipelines"),
    Page(f"{_PIPELINE}/versions/{{version_id}}", "Version", version_page.build, _PIPELINE),
    Page(f"{_PIPELINE}/compare", "Compare versions", compare_page.build, _PIPELINE),
)
QUICK_ACTIONS = (QuickAction("Upload pipeline", "/pipelines/upload", "upload", order=20),)
SEARCHES = (finding.search,)
FEEDS = (finding.feed,)
UPSTREAM_LINKS = {
    "/pipelines": "/pipelines",
    "/pipelines/details/{pipeline_id}": _PIPELINE,
    "/pipelines/details/{pipeline_id}/version/{version_id}": f"{_PIPELINE}/versions/{{version_id}}",
}
