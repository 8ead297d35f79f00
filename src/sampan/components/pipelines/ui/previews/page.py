"""The page of one artifact's content, with all the room there is."""

from __future__ import annotations

from sampan.components.pipelines.ui.previews.places import artifact_path
from sampan.components.pipelines.ui.previews.view import preview
from sampan.ui import widgets
from sampan.ui.api import segment
from sampan.ui.context import PageContext


async def build(page: PageContext) -> None:
    artifact = await page.api.get(artifact_path(page.params["artifact_id"]))
    name = str(artifact.get("name") or "Artifact")
    above = f"/artifacts/{segment(artifact['artifact_id'])}"
    page.set_title(f"Content of {name}", [("Artifacts", "/artifacts"), (name, above)])
    with widgets.page_header(name, str(artifact.get("uri", ""))):
        widgets.button("Artifact", icon="arrow_back", href=page.href(above))
    await preview(page, artifact)
