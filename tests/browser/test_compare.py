"""Runs side by side: what differs, which is best, and what is kept by dragging along an axis."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from pages import address_has, dialog
from playwright.sync_api import Page, expect
from seed import LONG_NAME, Seeded

OpenTab = Callable[..., Page]


def _open(open_tab: OpenTab, seeded: Seeded, *names: str, **query: str) -> Page:
    more = "".join(f"&{key}={value}" for key, value in query.items())
    ids = ",".join(seeded.runs[name] for name in names)
    return open_tab(f"{seeded.server.url}/ui/compare?runs={ids}{more}")


def test_three_runs_are_compared(tab: OpenTab, seeded: Seeded) -> None:
    page = _open(tab, seeded, "good", "better")
    table = page.get_by_role("table", name="Runs side by side")
    expect(table.get_by_role("rowheader", name="learning_rate")).to_be_visible()
    expect(table.get_by_role("rowheader", name="seed")).to_have_count(0)

    # One more, by the picker: it is in the address, and a reload shows the same.
    page.get_by_role("button", name="Add runs").click()
    picker = dialog(page, "Add runs to the comparison")
    picker.get_by_label("Search runs by name").fill("best")
    expect(picker.get_by_role("checkbox", name=re.compile("^Pick (?!all)"))).to_have_count(1)
    picker.get_by_role("checkbox", name="Pick best").check()
    picker.get_by_role("button", name="Add", exact=True).click()
    expect(table.get_by_role("columnheader", name="best")).to_be_visible()
    address_has(page, seeded.runs["best"])
    accuracy = table.get_by_role("row").filter(has=page.get_by_role("rowheader", name="accuracy"))
    expect(accuracy.get_by_role("cell").filter(has_text="best")).to_have_count(1)

    # Held against one of them.
    page.get_by_role("button", name="Make it the baseline: good").click()
    expect(accuracy.get_by_role("cell").nth(1)).to_contain_text("%")

    # Dragging along the first axis keeps the runs that cross there.
    page.get_by_role("tab", name="Charts").click()
    chart = page.get_by_role("img", name="Parameters and metrics of each run")
    expect(chart.locator("svg")).to_be_visible()
    # Once the page does not move any more.
    chart.hover()
    box = chart.bounding_box()
    assert box is not None
    axis = box["x"] + 64
    page.mouse.move(axis, box["y"] + box["height"] - 60)
    page.mouse.down()
    page.mouse.move(axis, box["y"] + box["height"] - 40, steps=3)
    page.mouse.move(axis, box["y"] + box["height"] - 20, steps=3)
    page.mouse.up()
    expect(page.get_by_text(re.compile(r"of 3 runs:"))).to_be_visible()
    page.get_by_role("button", name="Compare only these").click()
    expect(page.get_by_text(re.compile(r"of 3 runs:"))).to_have_count(0)
    compared = f"({'|'.join(seeded.runs[name] for name in ('good', 'better', 'best'))})"
    expect(page).not_to_have_url(re.compile(f"{compared}.*{compared}.*{compared}"))


@pytest.mark.slow
def test_curves_steps_and_artifacts_side_by_side(tab: OpenTab, seeded: Seeded) -> None:
    page = _open(tab, seeded, "good", "better", "broken", tab="curves")
    expect(page.get_by_role("img", name="ROC curves of evaluate / curve")).to_be_visible()
    expect(page.get_by_role("img", name="Confusion matrix of better")).to_be_visible()
    page.get_by_text("As a table").first.click()
    expect(page.get_by_role("columnheader", name="True positive rate")).to_be_visible()
    page.get_by_role("tab", name="Steps").click()
    expect(page.get_by_role("rowheader", name="train")).to_be_visible()
    expect(page.get_by_role("main").get_by_text("Failed", exact=True).first).to_be_visible()
    page.get_by_role("tab", name="Artifacts").click()
    expect(page.get_by_role("link", name="Model").first).to_be_visible()
    page.get_by_role("button", name="prepare / data: Show side by side").click()
    expect(page.get_by_text("height").first).to_be_visible()
    page.reload()
    expect(page.get_by_role("tab", name="Artifacts", selected=True)).to_be_visible()
    expect(page.get_by_role("heading", name="prepare / data")).to_be_visible()


@pytest.mark.slow
def test_nothing_and_what_is_gone(tab: OpenTab, seeded: Seeded) -> None:
    page = tab(f"{seeded.server.url}/ui/compare")
    expect(page.get_by_role("heading", name="Nothing to compare yet")).to_be_visible()
    page.goto(f"{seeded.server.url}/ui/compare?runs={seeded.runs['good']},gone")
    expect(page.get_by_text("One of the runs is not here")).to_be_visible()
    page.goto(f"{seeded.server.url}/#/compare?runlist={seeded.runs['good']},{seeded.runs['better']}")
    expect(page.get_by_role("columnheader", name="better")).to_be_visible()


@pytest.mark.slow
def test_a_comparison_is_downloaded(tab: OpenTab, seeded: Seeded) -> None:
    page = _open(tab, seeded, "good", "better")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    head, *lines = download.value.path().read_text().splitlines()
    assert "metric accuracy" in head
    assert len(lines) == 2


@pytest.mark.slow
def test_names_are_texts_in_charts_and_in_what_is_said_on_pointing(tab: OpenTab, seeded: Seeded) -> None:
    page = _open(tab, seeded, LONG_NAME, "good", tab="steps")
    chart = page.get_by_role("img", name="The steps that took longest")
    expect(chart.locator("svg")).to_be_visible()
    chart.hover()
    box = chart.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=3)
    expect(chart.locator("text", has_text="<b>über</b>").first).to_be_attached()
    expect(chart.locator("text", has_text="good:").first).to_be_attached()
    assert page.locator(".sp-content b, .sp-content img").count() == 0
