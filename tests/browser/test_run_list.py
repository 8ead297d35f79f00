"""The list of runs: narrowed, kept as a view, and done to many at once."""

from __future__ import annotations

import re
import uuid

import pytest
from pages import address_has, dialog
from playwright.sync_api import Page, expect

from sampan.testing import pipelines
from sampan.testing.server import ServerProcess


def quick(server: ServerProcess, *names: str, fails: bool = False) -> list[str]:
    """Runs of one shell step that have ended."""
    step = pipelines.Component("step", pipelines.shell("exit 3" if fails else "echo done"))
    spec = pipelines.pipeline("quick", {"step": pipelines.task("step")}, step)
    ids = [server.submit(spec, name) for name in names]
    for run_id in ids:
        server.wait_run(run_id, timeout=200)
    return ids


@pytest.fixture
def word() -> str:
    """That no other test's runs have in their names."""
    return uuid.uuid4().hex[:8]


def test_many_are_archived_at_once_and_the_list_follows(page: Page, server: ServerProcess, word: str) -> None:
    quick(server, f"{word} one", f"{word} two", f"{word} three")
    page.goto(f"{server.url}/ui/runs?q={word}")
    expect(page.get_by_text("1–3 of 3 runs")).to_be_visible()

    page.get_by_label(f"Pick {word} one").check()
    archive = page.get_by_role("toolbar", name="Picked runs").get_by_role("button", name="Archive")
    expect(archive).to_be_visible()
    # One more is picked, and the button that is there clicked at once.
    more = page.get_by_label(f"Pick {word} two").element_handle()
    archive.evaluate("(archive, more) => { more.click(); archive.click(); }", more)

    expect(page.get_by_text("2 runs archived.")).to_be_visible()
    expect(page.get_by_text("1–1 of 1 runs")).to_be_visible()
    expect(page.get_by_role("link", name=f"{word} three")).to_be_visible()
    expect(page.get_by_role("toolbar", name="Picked runs")).to_be_hidden()


def test_a_saved_view_survives_a_reload(page: Page, server: ServerProcess, word: str) -> None:
    quick(server, f"{word} good")
    quick(server, f"{word} bad", fails=True)
    page.goto(f"{server.url}/ui/runs")
    page.get_by_role("searchbox", name="Name contains").fill(word)
    expect(page.get_by_text("of 2 runs")).to_be_visible()
    page.get_by_role("button", name="Failed").click()
    expect(page.get_by_text("of 1 runs")).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("exit code 3"))).to_be_visible()
    address_has(page, "state=FAILED")

    page.get_by_role("button", name="Save view").click()
    asked = dialog(page, "Save this view")
    asked.get_by_role("textbox", name="Name").fill(f"Broken {word}")
    asked.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_label("View", exact=True)).to_have_value(f"v:Broken {word}")
    page.reload()
    expect(page.get_by_label("View", exact=True)).to_have_value(f"v:Broken {word}")
    expect(page.get_by_role("button", name="Failed")).to_have_attribute("aria-pressed", "true")

    page.get_by_label("View", exact=True).select_option("All runs")
    expect(page.get_by_role("button", name="Failed")).to_have_attribute("aria-pressed", "false")
    page.goto(f"{server.url}/ui/runs")
    page.get_by_label("View", exact=True).select_option(f"Broken {word}")
    expect(page.get_by_text("of 1 runs")).to_be_visible()


@pytest.mark.slow
def test_pages_go_on_and_back(page: Page, server: ServerProcess, word: str) -> None:
    quick(server, *(f"{word} {number:02}" for number in range(55)))
    page.goto(f"{server.url}/ui/runs?q={word}")
    expect(page.get_by_text("1–50 of 55 runs")).to_be_visible()
    page.get_by_role("button", name="Next page").click()
    expect(page.get_by_text("51–55 of 55 runs")).to_be_visible()
    page.get_by_role("button", name="Previous page").click()
    expect(page.get_by_text("1–50 of 55 runs")).to_be_visible()
