"""A schedule of every two seconds: it ticks on its page, is paused there, says why ticks had no run, and is deleted."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import pytest
from pages import dialog, shown
from playwright.sync_api import Page, expect
from quick import QUICK

from sampan.testing.server import HttpError, ServerProcess

API = "/apis/v2beta1"


@pytest.fixture
def schedule(server: ServerProcess) -> Iterator[Any]:
    body = {
        "display_name": "every two seconds",
        "pipeline_spec": QUICK,
        "trigger": {"periodic_schedule": {"interval_second": "2"}},
        "max_concurrency": "10",
        "no_catchup": True,
        "mode": "ENABLE",
    }
    made = server.call("POST", f"{API}/recurringruns", body)
    yield made
    # A test that failed leaves none that goes on, for all others of the server.
    with contextlib.suppress(HttpError):
        server.call("DELETE", f"{API}/recurringruns/{made['recurring_run_id']}")


def test_it_ticks_on_its_page_is_paused_and_deleted(page: Page, schedule: Any) -> None:
    page.get_by_role("link", name="Recurring runs", exact=True).click()
    shown(page, "Recurring runs")
    # Its latest runs are links too, by names that begin so.
    page.get_by_role("link", name="every two seconds", exact=True).click()
    shown(page, "every two seconds")
    newest = page.get_by_role("table", name="Latest runs").locator("tbody tr").first
    seen = newest.get_attribute("data-id")
    expect(newest).not_to_have_attribute("data-id", str(seen))
    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.get_by_text("is paused.")).to_be_visible()
    expect(page.get_by_role("button", name="Resume", exact=True)).to_be_visible()
    ticks = page.get_by_role("table", name="Past ticks")
    expect(ticks.get_by_text("the recurring run was paused").first).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Run now").click()
    expect(page.get_by_text("has started.")).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    question = dialog(page, "Delete every two seconds?")
    expect(question).to_contain_text("It starts no more runs")
    expect(question).to_contain_text(re.compile("The .* it has started stay"))
    question.get_by_role("button", name="Delete").click()
    shown(page, "Recurring runs")
    expect(page.get_by_role("link", name="every two seconds", exact=True)).to_have_count(0)
