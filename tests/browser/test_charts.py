"""The chart element, on a page of its own: what is in view is drawn first, the rest when nothing else is to do."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.browser.conftest import OpenTab

# The browser has other things to do until a test says `idle()`.
BUSY = """
const waiting = [];
window.requestIdleCallback = (call) => waiting.push(call);
window.idle = () => waiting.splice(0).forEach((call) => call());
"""
COUNT = 6


def charts(tab: OpenTab, gallery: str) -> Page:
    page = tab("about:blank")
    page.add_init_script(BUSY)
    page.goto(f"{gallery}/charts?count={COUNT}")
    return page


def chart(page: Page, number: int) -> Locator:
    return page.get_by_role("img", name=f"Chart {number}", exact=True)


@pytest.mark.slow
def test_what_is_in_view_is_drawn_first(tab: OpenTab, gallery: str) -> None:
    page = charts(tab, gallery)
    last, drawn = chart(page, COUNT - 1), page.locator(".sp-chart-box svg")
    expect(chart(page, 0).locator("svg")).to_be_visible()
    expect(last).to_be_attached()
    expect(last.locator("svg")).to_have_count(0)

    # Whoever comes there before that sees it.
    last.scroll_into_view_if_needed()
    expect(last.locator("svg")).to_be_visible()
    middle = chart(page, 2)
    expect(middle.locator("svg")).to_have_count(0)

    page.evaluate("idle()")
    expect(drawn).to_have_count(COUNT)
    expect(middle.locator("text", has_text="first")).to_be_attached()


@pytest.mark.slow
def test_a_figure_that_changes_before_its_turn_is_drawn_as_it_is_then(tab: OpenTab, gallery: str) -> None:
    page = charts(tab, gallery)
    first, last = chart(page, 0), chart(page, COUNT - 1)
    expect(first.locator("text", has_text="first")).to_be_attached()
    page.get_by_role("button", name="Change all").click()
    expect(first.locator("text", has_text="second")).to_be_attached()
    expect(last.locator("svg")).to_have_count(0)

    page.evaluate("idle()")
    expect(last.locator("text", has_text="second")).to_be_attached()
    expect(page.locator(".sp-chart-box text", has_text=re.compile("^first$"))).to_have_count(0)
