"""The frame around every page."""

from __future__ import annotations

import re
from collections.abc import Callable

from pages import shown
from playwright.sync_api import Page, WebSocketRoute, expect

from sampan.testing.server import ServerProcess

OpenTab = Callable[..., Page]


def test_a_page_is_where_its_address_says(page: Page, server: ServerProcess) -> None:
    page.get_by_role("link", name="Runs", exact=True).first.click()
    shown(page, "Runs")
    assert page.url == f"{server.url}/ui/runs"
    page.reload()
    shown(page, "Runs")
    page.go_back()
    shown(page, "Home")


def test_addresses_that_upstream_prints_lead_to_our_pages(page: Page, server: ServerProcess) -> None:
    for door in ("/", "/pipeline/", "/_/pipeline/", "/katib/", "/_/katib/"):
        page.goto(f"{server.url}{door}#/runs")
        shown(page, "Runs")
        expect(page).to_have_url(f"{server.url}/ui/runs")


def test_an_unknown_page_says_so(page: Page, server: ServerProcess) -> None:
    page.goto(f"{server.url}/ui/no/such/page")
    expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()


def test_search_leads_to_pages_and_shortcuts_to_more(page: Page, server: ServerProcess) -> None:
    page.keyboard.press("/")
    box = page.get_by_role("combobox", name="Search for anything")
    expect(box).to_be_focused()
    box.fill("runs")
    expect(page.get_by_role("option", name="Runs").first).to_be_visible()
    box.press("Enter")
    shown(page, "Runs")
    page.keyboard.press("g")
    page.keyboard.press("h")
    shown(page, "Home")
    page.keyboard.press("Control+k")
    box.fill("no such thing at all")
    expect(page.get_by_role("status").filter(has_text="Nothing in default")).to_be_visible()
    box.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("heading", name="Keyboard shortcuts")).to_be_visible()


def test_the_namespace_is_in_the_address(page: Page, server: ServerProcess) -> None:
    page.get_by_label("Namespace").select_option("kube-system")
    page.wait_for_url("**/ui/?ns=kube-system")
    link = page.get_by_role("link", name="Activity", exact=True)
    expect(link).to_have_attribute("href", "/ui/activity?ns=kube-system")
    link.click()
    page.wait_for_url("**/ui/activity?ns=kube-system")
    shown(page, "Activity")
    page.go_back()
    page.go_back()
    expect(page.get_by_label("Namespace")).to_have_value("default")
    # It is kept for the user, and so for all other tests of the server: that it was is known by the address.
    page.go_forward()
    expect(page.get_by_label("Namespace")).to_have_value("kube-system")
    page.get_by_label("Namespace").select_option("default")
    expect(page).to_have_url(f"{server.url}/ui/")


def test_what_is_done_before_there_is_a_connection_comes_in_its_order(
    page: Page, server: ServerProcess
) -> None:
    name, sockets = "one after the other", list[WebSocketRoute]()
    held, sent = list[str | bytes](), list[str]()

    def hold(socket: WebSocketRoute) -> None:
        above = socket.connect_to_server()

        def pass_on(message: str | bytes) -> None:
            sent.append(str(message))
            above.send(message)

        sockets.append(socket)
        socket.on_message(pass_on)
        above.on_message(lambda message: held.append(message) if sockets else socket.send(message))

    page.route_web_socket(re.compile("_nicegui_ws"), hold)
    page.goto(f"{server.url}/ui/notifications/new")
    page.get_by_label("Name", exact=True).press_sequentially(name)
    page.get_by_label("URL").press_sequentially("https://nobody.example.invalid/hook")
    page.get_by_role("button", name="Make the notification").click()
    expect(page.get_by_text("New notification").first).to_be_visible()
    (socket,) = sockets
    sockets.clear()
    for message in held:
        socket.send(message)
    shown(page, name)
    typed = [text for message in sent for text in re.findall(r'\\"(o[a-z ]*)\\"', message)]
    assert typed == [name[:end] for end in range(1, len(name) + 1)]
    server.call("DELETE", f"/apis/v2beta1/notifications/{page.url.rpartition('/')[2]}")


def test_a_lost_connection_says_so_does_nothing_late_and_heals(page: Page, server: ServerProcess) -> None:
    expect(page.get_by_role("heading", name="Capacity")).to_be_visible()
    theme = page.get_by_role("button", name="Theme: as the system")
    expect(theme).to_be_visible()
    page.wait_for_function("window.socket?.connected")
    page.evaluate("window.socket.disconnect()")
    expect(page.get_by_role("alert").filter(has_text="connection to the server is lost")).to_be_visible()
    theme.click()
    page.get_by_role("link", name="Runs", exact=True).first.click()
    expect(page.get_by_text("Not connected: this was not done").first).to_be_visible()
    page.get_by_role("button", name="Try now").click()
    expect(page.get_by_text("connection to the server is lost")).to_be_hidden()
    expect(theme).to_be_visible()
    shown(page, "Home")


def test_on_a_tablet_the_navigation_is_a_drawer(tab: OpenTab, server: ServerProcess) -> None:
    page = tab(f"{server.url}/ui/", viewport={"width": 820, "height": 1100})
    menu = page.get_by_role("button", name="Menu")
    link = page.get_by_role("link", name="Runs", exact=True).first
    expect(link).to_be_hidden()
    menu.click()
    expect(page.get_by_role("link", name="Home", exact=True)).to_be_focused()
    page.keyboard.press("Escape")
    expect(menu).to_be_focused()
    menu.click()
    link.click()
    shown(page, "Runs")
    expect(link).to_be_hidden()
