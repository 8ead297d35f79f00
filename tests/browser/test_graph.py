"""The graph element, on a page of its own."""

from __future__ import annotations

import pytest
from playwright.sync_api import FloatRect, Locator, expect
from tests.browser.conftest import OpenTab


def _settled(item: Locator) -> FloatRect | None:
    """Where it is once it does not move any more: a trial click waits for that, and clicks nothing."""
    item.click(trial=True)
    return item.bounding_box()


def test_a_graph_is_folded_searched_chosen_and_kept_current(tab: OpenTab, gallery: str) -> None:
    page = tab(f"{gallery}/graph")
    tree = page.get_by_role("tree", name="Steps")
    train = tree.get_by_role("treeitem", name="train <b>model</b>, Running, attempt 2")
    place = _settled(train)

    page.get_by_role("button", name="Succeed").click()
    done = tree.get_by_role("treeitem", name="train <b>model</b>, Succeeded, attempt 2")
    assert _settled(done) == place, "a state changes, and nothing moves"

    done.click()
    expect(page.get_by_text("chosen: train")).to_be_visible()
    expect(done).to_have_attribute("aria-selected", "true")

    tree.get_by_role("button", name="Unfold condition-1").click()
    expect(tree.get_by_role("treeitem", name="deploy, Skipped")).to_be_visible()

    page.get_by_role("button", name="Choose a step of fold 140").click()
    expect(tree.get_by_role("treeitem", name="fold 140, iteration, 1 inside, 1/1")).to_be_visible()
    expect(tree.locator("[aria-selected=true]")).to_have_attribute("aria-label", "evaluate")

    page.get_by_role("searchbox").fill("tell")
    page.get_by_role("searchbox").press("Enter")
    expect(tree.get_by_role("treeitem", name="tell, Skipped")).to_be_in_viewport()

    page.get_by_role("button", name="Grow").click()
    page.get_by_role("searchbox").fill("")
    expect(page.get_by_text("308 nodes")).to_be_visible()


@pytest.mark.slow
def test_arrow_keys_walk_along_the_edges(tab: OpenTab, gallery: str) -> None:
    page = tab(f"{gallery}/graph")
    tree = page.get_by_role("tree", name="Steps")
    expect(tree.get_by_role("treeitem", name="load-data, Succeeded")).to_be_attached()
    tree.focus()
    for key in ("Home", "ArrowDown", "ArrowDown", "Enter"):
        tree.press(key)
    expect(page.get_by_text("chosen: train")).to_be_visible()
    tree.press("ArrowUp")
    tree.press("Enter")
    expect(page.get_by_text("chosen: data")).to_be_visible()
    tree.press("Escape")
    expect(page.get_by_text("chosen: nothing")).to_be_visible()


@pytest.mark.slow
def test_the_same_graph_is_a_list_where_the_window_is_narrow(tab: OpenTab, gallery: str) -> None:
    page = tab(f"{gallery}/graph", viewport={"width": 480, "height": 900})
    names = page.get_by_role("list", name="Steps, as a list")
    expect(names.get_by_role("button", name="load-data")).to_be_visible()
    expect(names.get_by_role("button", name="fold 60", exact=True)).to_have_count(0)
    names.get_by_role("button", name="The page after, for each fold").click()
    expect(names.get_by_role("button", name="fold 60", exact=True)).to_be_visible()
    names.get_by_role("button", name="Unfold condition-1").click()
    names.get_by_role("button", name="deploy").click()
    expect(page.get_by_text("chosen: deploy")).to_be_visible()
    page.get_by_role("button", name="Show as a graph").click()
    expect(page.get_by_role("treeitem", name="deploy, Skipped")).to_be_visible()


@pytest.mark.slow
def test_of_two_thousand_nodes_only_those_in_sight_are_elements(tab: OpenTab, gallery: str) -> None:
    page = tab(f"{gallery}/graph?large=1")
    expect(page.get_by_text("2000 nodes")).to_be_visible()
    page.get_by_role("button", name="Show all").click()
    items = page.get_by_role("tree", name="Steps").get_by_role("treeitem")
    expect(items).to_have_count(1)
    page.get_by_role("searchbox").fill("step-1777")
    page.get_by_role("searchbox").press("Enter")
    expect(page.get_by_role("treeitem", name="step-1777, Running")).to_be_in_viewport()
    assert 1 < items.count() < 400
    for _ in range(4):
        page.mouse.move(700, 500)
        page.mouse.down()
        page.mouse.move(700, 200, steps=4)
        page.mouse.up()
    assert 1 < items.count() < 400
