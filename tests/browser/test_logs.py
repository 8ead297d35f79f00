"""The log of a step, as a user reads it."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Page, expect
from seed import Seeded


def test_a_log_is_read_searched_and_followed(page: Page, seeded: Seeded, tmp_path: Path) -> None:
    broken = seeded.runs["broken"]
    page.goto(f"{seeded.server.url}/ui/runs/{broken}/logs/{seeded.task('broken', 'break-down')}")
    log = page.get_by_role("log", name="Log of break-down")
    expect(log).to_contain_text("ValueError: the column 'label' is missing")
    expect(log.get_by_text("warning: 3 rows have no label")).to_have_class("sp-log-f3")

    search = page.get_by_role("searchbox", name="Find in the log")
    search.fill("valueerror")
    expect(page.get_by_text(re.compile(r"1 of \d"))).to_be_visible()
    expect(page.locator(".sp-log-hit").first).to_have_text("ValueError")
    page.get_by_role("button", name="Regular expression").click()
    search.fill("(")
    expect(page.get_by_text("This is no regular expression")).to_be_visible()
    search.press("Escape")

    log.press("Home")
    page.get_by_role("button", name="Mark line 2", exact=True).click()
    expect(page).to_have_url(re.compile(r"line=2$"))
    page.reload()
    expect(page.locator(".sp-log-mark")).to_have_attribute("data-line", "1")
    with page.expect_download() as saved:
        page.get_by_role("link", name="Download").click()
    assert saved.value.suggested_filename == "break-down-1.log"
    saved.value.save_as(tmp_path / "log")
    assert "reading the table" in (tmp_path / "log").read_text()

    running = seeded.runs["running"]
    page.goto(f"{seeded.server.url}/ui/runs/{running}/logs/{seeded.task('running', 'count')}")
    last = page.locator(".sp-log-line").last
    expect(last).to_contain_text("second")
    shown = last.inner_text()
    expect(last).not_to_have_text(shown)
    log = page.get_by_role("log")
    log.focus()
    page.keyboard.press("Home")
    expect(page.get_by_role("button", name="Follow the end")).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("End")
    expect(page.get_by_role("button", name="Follow the end")).to_have_attribute("aria-pressed", "true")


def test_a_step_without_a_log_says_why(page: Page, seeded: Seeded) -> None:
    again = seeded.runs["again"]
    page.goto(f"{seeded.server.url}/ui/runs/{again}/logs/{seeded.task('again', 'train')}")
    expect(page.get_by_text("came from the cache")).to_be_visible()
