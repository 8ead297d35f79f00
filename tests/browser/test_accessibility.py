"""Nothing serious for axe on any page, light and dark; and the main journey with no mouse."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from addresses import addresses, without_sample
from axe_playwright_python.sync_playwright import Axe
from pages import address_has, settled, shown
from playwright.sync_api import Page, expect
from seed import Seeded

OpenTab = Callable[..., Page]
GRAVE = ("serious", "critical")
MAIN = ("home", "runs", "run-failed")
OPTIONS = {
    "resultTypes": ["violations"],
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"],
}
OF_COLOURS = {"resultTypes": ["violations"], "runOnly": ["color-contrast", "link-in-text-block"]}
"""What another theme can break."""
GROUPS = ("run", "training", "tuning", "serving", "cluster", "compare", "others")
"""Pages whose names begin so. Each group is a test, which loads each of its pages once."""


def group_of(name: str) -> str:
    return next((each for each in GROUPS if name.startswith(each)), GROUPS[-1])


def complaints(page: Page, options: Mapping[str, object] = OPTIONS) -> list[str]:
    """What is grave of what axe finds, with the element that it is about."""
    found = Axe().run(page, options=dict(options)).response["violations"]
    return [
        f"{each['id']} ({each['impact']}): {node['html'][:160]} {node.get('failureSummary', '')[:300]}"
        for each in found
        if each["impact"] in GRAVE
        for node in each["nodes"][:3]
    ]


def look(
    page: Page, url: str, pages: Mapping[str, str], *, in_the_dark: bool = False
) -> dict[str, list[str]]:
    found = {}
    for name, path in pages.items():
        page.emulate_media(color_scheme="light")
        page.goto(f"{url}/ui{path}")
        settled(page)
        if said := complaints(page):
            found[name] = said
        if in_the_dark:
            page.emulate_media(color_scheme="dark")
            page.wait_for_function("document.body.classList.contains('body--dark')")
            if said := complaints(page, OF_COLOURS):
                found[f"{name}, dark"] = said
    return found


def test_main_pages_are_for_everyone(tab: OpenTab, seeded: Seeded) -> None:
    page = tab(f"{seeded.server.url}/ui/", reduced_motion="reduce")
    pages = {name: path for name, path in addresses(seeded).items() if name in MAIN}
    assert look(page, seeded.server.url, pages) == {}
    page.keyboard.press("/")
    page.get_by_role("combobox", name="Search for anything").fill("run")
    expect(page.get_by_role("listbox", name="Found").get_by_role("option").first).to_be_visible()
    assert complaints(page) == []
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("heading", name="Keyboard shortcuts")).to_be_visible()
    assert complaints(page) == []


@pytest.mark.slow
def test_what_is_hard_to_read_is_found(tab: OpenTab) -> None:
    page = tab("about:blank")
    page.set_content("<main><p style='color: #888; background: #777'>hardly to be seen</p></main>")
    for options in (OPTIONS, OF_COLOURS):
        assert any(each.startswith("color-contrast (serious)") for each in complaints(page, options))


@pytest.mark.slow
def test_every_page_has_an_address(seeded: Seeded) -> None:
    assert without_sample(seeded) == [], "add a sample to addresses.py"
    assert {group_of(name) for name in addresses(seeded)} == set(GROUPS)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("group", GROUPS)
def test_every_page_is_for_everyone(tab: OpenTab, seeded: Seeded, group: str) -> None:
    page = tab(f"{seeded.server.url}/ui/", reduced_motion="reduce")
    page.set_default_timeout(60_000)
    pages = {name: path for name, path in addresses(seeded).items() if group_of(name) == group}
    assert look(page, seeded.server.url, pages, in_the_dark=True) == {}


@pytest.mark.slow
@pytest.mark.parametrize("width", [820, 1440])
def test_no_page_is_wider_than_its_window(tab: OpenTab, seeded: Seeded, width: int) -> None:
    page = tab(f"{seeded.server.url}/ui/", viewport={"width": width, "height": 900})
    wider = {}
    for name, path in addresses(seeded).items():
        page.goto(f"{seeded.server.url}/ui{path}")
        settled(page)
        if excess := page.evaluate("document.documentElement.scrollWidth - innerWidth"):
            wider[name] = excess
    assert wider == {}


def test_from_search_to_a_step_and_back_without_a_mouse(tab: OpenTab, seeded: Seeded) -> None:
    page = tab(f"{seeded.server.url}/ui/")
    shown(page, "Home")
    page.keyboard.press("/")
    page.keyboard.type("runs")
    expect(page.get_by_role("option", name="Runs").first).to_be_visible()
    page.keyboard.press("Enter")
    shown(page, "Runs")
    # Others may have made many runs since.
    _tab_to(page, "Name contains")
    page.keyboard.type("broken")
    address_has(page, "q=broken")
    expect(page.get_by_role("link", name="broken", exact=True)).to_be_visible()
    _tab_to(page, "broken")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/runs/{seeded.runs['broken']}*")
    shown(page, "broken")
    expect(page.get_by_text("the column 'label' is missing").first).to_be_visible()
    # Focus is in the page that came, not at its old place.
    page.wait_for_function("document.activeElement.classList.contains('sp-content')")
    for title in ("Runs", "Home"):
        # As Alt+Left does, which a window without a frame does not know.
        page.go_back()
        shown(page, title)


def _tab_to(page: Page, text: str) -> None:
    for _ in range(120):
        page.keyboard.press("Tab")
        name = "document.activeElement.ariaLabel || document.activeElement.textContent.trim()"
        if page.evaluate(name) == text:
            return
    raise AssertionError(f"{text} cannot be reached by key")
