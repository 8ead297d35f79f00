"""Parts of a page, on a page of their own."""

from __future__ import annotations

from playwright.sync_api import expect
from tests.browser.conftest import OpenTab

CLICKS = """
const tabs = [...document.querySelectorAll("[role=tab]")];
for (const name of ["Slow", "Quick"]) tabs.find((tab) => tab.textContent === name).click();
"""


def test_a_part_that_is_chosen_while_another_is_built_stands_alone(tab: OpenTab, gallery: str) -> None:
    page = tab(f"{gallery}/tabs")
    expect(page.get_by_role("tabpanel")).to_have_text("first begins, first ends")
    page.evaluate(CLICKS)
    expect(page.get_by_text("3 ended")).to_be_visible()
    expect(page.get_by_role("tab", selected=True)).to_have_text("Quick")
    expect(page.get_by_role("tabpanel")).to_have_text("quick begins, quick ends")
