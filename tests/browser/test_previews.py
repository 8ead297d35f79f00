"""Artifacts as they are looked at."""

from __future__ import annotations

from playwright.sync_api import Page, expect
from seed import Seeded


def test_each_kind_of_artifact_is_shown(page: Page, seeded: Seeded) -> None:
    def show(kind: str) -> None:
        page.goto(f"{seeded.server.url}/ui/artifacts/{seeded.artifacts[kind]}/content")

    show("HTML")
    frame = page.frame_locator("iframe[title=page]")
    expect(frame.get_by_role("heading", name="Report")).to_be_visible()
    expect(page.locator("iframe")).to_have_attribute("sandbox", "allow-scripts")
    show("Markdown")
    expect(page.frame_locator("iframe").get_by_role("cell", name="accuracy")).to_be_visible()
    show("Dataset")
    expect(page.get_by_role("columnheader", name="height")).to_be_visible()
    expect(page.get_by_role("link", name="Download CSV table")).to_be_visible()
    show("ClassificationMetric")
    expect(page.get_by_role("heading", name="ROC curve")).to_be_visible()
    expect(page.get_by_role("heading", name="Confusion matrix")).to_be_visible()
    show("Artifact")
    picture = page.get_by_role("img", name="picture")
    expect(picture).to_be_visible()
    expect(picture).to_have_js_property("naturalWidth", 64)
    with page.expect_download() as saved:
        page.get_by_role("link", name="Download PNG picture").click()
    assert saved.value.suggested_filename.endswith(".png")
