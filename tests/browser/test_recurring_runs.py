"""A schedule of every two seconds: it ticks on its page, is paused there, says why ticks had no run, and is deleted."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from quick import QUICK

from sampan.testing.server import ServerProcess

API = "/apis/v2beta1"


@pytest.fixture
def schedule(server: ServerProcess) -> Any:
    body = {
        "display_name": "every two seconds",
        "pipeline_spec": QUICK,
        "trigger": {"periodic_schedule": {"interval_second": "2"}},
        "max_concurrency": "10",
        "no_catchup": True,
        "mode": "ENABLE",
    }
    return server.call("POST", f"{API}/recurringruns", body)


def test_it_ticks_on_its_page_is_paused_and_deleted(page: Page, schedule: Any) -> None:
    page.get_by_role("link", name="Recurring runs", exact=True).click()
    page.get_by_role("link", name="every two seconds").click()
    runs = page.get_by_role("table", name="Latest runs").locator("tbody tr")
    expect(runs).not_to_have_count(0)
    seen = runs.count()
    page.wait_for_function(
        "seen => document.querySelectorAll('table[aria-label=\"Latest runs\"] tbody tr').length > seen",
        arg=seen,
    )
    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.get_by_text("is paused.")).to_be_visible()
    expect(page.get_by_role("button", name="Resume", exact=True)).to_be_visible()
    ticks = page.get_by_role("table", name="Past ticks")
    expect(ticks.get_by_text("the recurring run was paused").first).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Run now").click()
    expect(page.get_by_text("has started.")).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    question = page.get_by_role("dialog")
    expect(question).to_contain_text("It starts no more runs")
    expect(question).to_contain_text(re.compile("The .* it has started stay"))
    question.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="Recurring runs", level=1)).to_be_visible()
    expect(page.get_by_role("link", name="every two seconds")).to_have_count(0)
