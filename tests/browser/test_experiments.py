"""An experiment from its making to its archive, and the metrics of one that has runs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pages import dialog, shown
from playwright.sync_api import Page, expect
from seed import Seeded

OpenTab = Callable[..., Page]


def _open(open_tab: OpenTab, seeded: Seeded, path: str) -> Page:
    return open_tab(f"{seeded.server.url}/ui{path}")


def test_an_experiment_is_made_changed_archived_and_brought_back(tab: OpenTab, seeded: Seeded) -> None:
    page = _open(tab, seeded, "/experiments")
    page.get_by_role("button", name="New experiment").click()
    asked = dialog(page, "New experiment")
    asked.get_by_label("Name").fill("of the browser")
    asked.get_by_label("Description").fill("what a person does")
    asked.get_by_role("button", name="Create", exact=True).click()
    shown(page, "of the browser")
    expect(page.get_by_text("No runs yet")).to_be_visible()

    page.get_by_role("button", name="Edit", exact=True).click()
    asked = dialog(page, "Edit of the browser")
    asked.get_by_label("Name").fill("of a browser")
    asked.get_by_role("button", name="Save").click()
    shown(page, "of a browser")

    page.get_by_role("button", name="Archive", exact=True).first.click()
    question = dialog(page, "Archive of a browser?")
    expect(question.get_by_text("runs are unarchived one by one")).to_be_visible()
    question.get_by_role("button", name="Archive").click()
    expect(page.get_by_role("button", name="Unarchive")).to_be_visible()

    page.goto(f"{seeded.server.url}/ui/experiments?show=archived")
    row = page.get_by_role("row", name="of a browser")
    row.get_by_role("button", name="Unarchive").click()
    expect(page.get_by_role("row", name="of a browser")).to_have_count(0)
    page.get_by_label("Show", exact=True).select_option("Active")
    expect(page.get_by_role("row", name="of a browser")).to_be_visible()


@pytest.mark.slow
def test_metrics_of_an_experiment_over_its_runs(tab: OpenTab, seeded: Seeded) -> None:
    run = seeded.server.call("GET", f"/apis/v2beta1/runs/{seeded.runs['best']}")
    page = _open(tab, seeded, f"/experiments/{run['experiment_id']}?tab=metrics&metric=accuracy")
    expect(page.get_by_role("img", name="accuracy of each run")).to_be_visible()
    best = page.get_by_role("link", name="best", exact=True)
    expect(best).to_be_visible()
    page.get_by_role("button", name="Higher is better").click()
    expect(page.get_by_role("button", name="Lower is better")).to_be_visible()
    page.get_by_role("button", name="Lower is better").click()
    expect(best).to_be_visible()
    best.click()
    expect(page).to_have_url(f"{seeded.server.url}/ui/runs/{seeded.runs['best']}")


@pytest.mark.slow
def test_experiments_are_found_by_the_search_and_by_upstreams_address(tab: OpenTab, seeded: Seeded) -> None:
    name, experiment_id = next(iter(seeded.experiments.items()))
    page = _open(tab, seeded, "/")
    page.keyboard.press("/")
    page.keyboard.type(name)
    expect(page.get_by_text(name, exact=True).first).to_be_visible()
    page.keyboard.press("Escape")
    page.goto(f"{seeded.server.url}/#/experiments/details/{experiment_id}")
    shown(page, name)
