"""Home: the first visit, and what it shows once there is something."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from sampan.testing.server import ServerProcess


@pytest.mark.slow
def test_a_first_run_is_one_click_away(tab: Callable[..., Page], tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as fresh:
        page: Page = tab(f"{fresh.url}/ui/")
        page.get_by_role("button", name="Run it").click()
        page.wait_for_url(re.compile("/ui/runs/[0-9a-f-]{36}"))
        run = fresh.wait_run(page.url.rsplit("/", 1)[1], timeout=200)
        assert run["state"] == "SUCCEEDED"
        page.goto(f"{fresh.url}/ui/")
        expect(page.get_by_role("heading", name="Capacity")).to_be_visible()
        expect(page.get_by_role("heading", name="Run your first pipeline")).to_be_hidden()
        page.close()


def test_capacity_is_measured(page: Page) -> None:
    expect(page.get_by_role("meter", name="CPU")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("meter", name="Disk")).to_be_visible()
