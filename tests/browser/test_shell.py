"""The frame around every page."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from sampan.testing.server import ServerProcess


def test_a_page_is_where_its_address_says(page: Page, server: ServerProcess) -> None:
    page.get_by_role("link", name="Runs", exact=True).first.click()
    expect(page.get_by_role("heading", name="Runs", level=1)).to_be_visible()
    assert page.url == f"{server.url}/ui/runs"
    page.reload()
    expect(page.get_by_role("heading", name="Runs", level=1)).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Home", level=1)).to_be_visible()


def test_addresses_that_upstream_prints_lead_to_our_pages(page: Page, server: ServerProcess) -> None:
    page.goto(f"{server.url}/#/runs")
    expect(page.get_by_role("heading", name="Runs", level=1)).to_be_visible()
    assert page.url == f"{server.url}/ui/runs"


def test_an_unknown_page_says_so(page: Page, server: ServerProcess) -> None:
    page.goto(f"{server.url}/ui/no/such/page")
    expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()
