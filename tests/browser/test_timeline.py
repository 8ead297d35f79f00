"""The timeline element, on a page of its own."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import OpenTab


@pytest.mark.slow
def test_rows_fold_are_chosen_and_end(tab: OpenTab, gallery: str) -> None:
    page = tab(f"{gallery}/timeline")
    tree = page.get_by_role("tree", name="Times")
    going = tree.get_by_role("treeitem", name="step-39, Running", exact=False)
    tree.get_by_role("treeitem", name="step-1, Succeeded", exact=False).click()
    expect(page.get_by_text("chosen: r1")).to_be_visible()

    page.get_by_role("button", name="Choose the last").click()
    expect(going).to_be_in_viewport()
    bar = going.locator(".sp-t-going")
    before = going.get_attribute("aria-label")
    expect(bar).to_be_visible()
    expect(going).not_to_have_attribute("aria-label", before or "")  # it grows by itself
    page.get_by_role("button", name="End it").click()
    expect(tree.get_by_role("treeitem", name="step-39, Succeeded", exact=False)).to_be_visible()

    page.get_by_role("checkbox", name="Critical path only").check()
    expect(tree.get_by_role("treeitem")).to_have_count(4)
    page.get_by_role("checkbox", name="Critical path only").uncheck()
    page.get_by_role("button", name="Fold all", exact=True).click()
    expect(tree.get_by_role("treeitem")).to_have_count(4)


@pytest.mark.slow
def test_of_two_thousand_rows_only_those_in_sight_are_elements(tab: OpenTab, gallery: str) -> None:
    page = tab(f"{gallery}/timeline?count=2000")
    tree = page.get_by_role("tree", name="Times")
    expect(tree.get_by_role("treeitem", name="group-0", exact=False)).to_be_visible()
    assert tree.get_by_role("treeitem").count() < 80
    tree.focus()
    tree.press("End")
    expect(tree.get_by_role("treeitem", name="step-1999", exact=False)).to_be_in_viewport()
    assert tree.get_by_role("treeitem").count() < 80
