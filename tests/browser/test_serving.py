"""Serving in the dashboard: an endpoint from the form to its answer, lists of them, and what is done to them."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pages import dialog, shown
from playwright.sync_api import Page, expect
from seed_serving import SERVICES, change, flowers, seed_serving, shares, wait_for_serving, wait_until

from sampan.testing.server import ServerProcess

OpenTab = Callable[..., Page]
SERVER = """python -c "
import http.server
class Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_GET(self):
        self.do_POST()
    def do_POST(self):
        said = self.rfile.read(int(self.headers.get('Content-Length') or 0)) or b'{}'
        said = b'<img src=x onerror=alert(1)> ' + said
        self.send_response(200)
        self.send_header('Content-Length', str(len(said)))
        self.end_headers()
        self.wfile.write(said)
http.server.ThreadingHTTPServer(('', 8080), Echo).serve_forever()
"
"""


@pytest.fixture(scope="module")
def served(server: ServerProcess) -> ServerProcess:
    """The shared server with endpoints, and nothing else that takes its time."""
    seed_serving(server)
    wait_for_serving(server)
    return server


def state(page: Page, word: str) -> None:
    expect(page.locator(".sp-page-header").get_by_text(word, exact=True)).to_be_visible(timeout=60_000)


def test_an_endpoint_is_made_in_the_form_and_asked(tab: OpenTab, served: ServerProcess) -> None:
    page = tab(f"{served.url}/ui/serving")
    page.get_by_role("link", name="New endpoint").click()
    form = page.get_by_role("form", name="New endpoint")
    expect(form.get_by_text("Served by kserve-sklearnserver (ClusterServingRuntime)")).to_be_visible()
    form.get_by_role("textbox", name=re.compile("^Name")).fill("From the Form")
    form.get_by_role("button", name="A container of your own").or_(
        form.get_by_text("A container of your own")
    ).first.click()
    form.get_by_role("textbox", name=re.compile("^Image")).fill("python:3.11")
    form.get_by_role("textbox", name=re.compile("^Command")).fill(SERVER)
    page.get_by_role("button", name="Create").click()
    # What the API would refuse is said at its field before.
    expect(page.get_by_text("Lower case letters, digits and hyphens").first).to_be_visible()
    form.get_by_role("textbox", name=re.compile("^Name")).fill("from-the-form")
    page.get_by_role("button", name="Create").click()

    shown(page, "from-the-form")
    state(page, "Ready")
    page.get_by_role("tab", name="Try it").click()
    page.get_by_role("textbox", name=re.compile("^As it is sent")).fill('{"instances": [[7.5]]}')
    page.get_by_role("button", name="Send").click()
    answer = page.get_by_role("region", name="What it answers")
    expect(answer).to_contain_text("HTTP 200")
    # Whatever it says is text.
    expect(answer).to_contain_text('<img src=x onerror=alert(1)> {"instances": [[7.5]]}')
    expect(answer.locator("img")).to_have_count(0)


def test_the_traffic_is_split_and_the_newest_promoted(tab: OpenTab, served: ServerProcess) -> None:
    page = tab(f"{served.url}/ui/serving/inferenceservices/default/two-ways")
    split = page.get_by_role("img", name=re.compile("^Requests: "))
    expect(split).to_contain_text("00002 · 25%")
    slider = page.get_by_role("slider", name="To the newest revision")
    slider.fill("60")
    page.get_by_role("button", name="Apply").click()
    expect(split).to_contain_text("00002 · 60%")
    assert sorted(shares(served, "two-ways").values()) == [40, 60]
    page.get_by_role("button", name="Roll back").click()
    expect(split).to_contain_text("00001 · 100%")
    # It is another slider, once what is wished is known.
    expect(slider).to_have_value("0")
    slider.fill("25")
    page.get_by_role("button", name="Apply").click()
    expect(split).to_contain_text("00002 · 25%")


@pytest.mark.slow
def test_what_fails_says_why(tab: OpenTab, served: ServerProcess) -> None:
    page = tab(f"{served.url}/ui/serving/inferenceservices/default/unserved")
    failed = page.get_by_role("region", name="It does not start")
    expect(failed).to_contain_text("No runtime found to support specified framework/version: cobol")
    page.goto(f"{served.url}/ui/serving/inferenceservices/default/nowhere")
    expect(page.get_by_role("region", name="It does not start")).to_contain_text("/nowhere/model.joblib")
    page.get_by_role("tab", name="Logs").click()
    expect(page.get_by_text("does not exist").first).to_be_visible()


@pytest.mark.slow
def test_a_form_is_made_of_what_the_model_takes(tab: OpenTab, served: ServerProcess) -> None:
    page = tab(f"{served.url}/ui/serving/inferenceservices/default/flowers")
    # What is copied is as wide as the model, too.
    expect(page.get_by_text('{"instances": [[0.0, 0.0, 0.0, 0.0]]}')).to_be_visible(timeout=60_000)
    page.goto(f"{page.url}?tab=try&by=v2")
    page.get_by_role("textbox", name=re.compile("^flowers")).fill(
        "[[6.3, 3.3, 6.0, 2.5], [5.1, 3.5, 1.4, 0.2]]", timeout=60_000
    )
    sent = page.get_by_role("textbox", name=re.compile("^As it is sent"))
    expect(sent).to_have_value(re.compile(r'"shape": \[2, 4\]'))
    page.get_by_role("button", name="Send").click()
    answer = page.get_by_role("region", name="What it answers")
    expect(answer).to_contain_text("virginica", timeout=60_000)
    expect(answer).to_contain_text(re.compile(r"[\d.]+ ms"))
    page.get_by_role("tab", name="Statistics").click()
    expect(page.get_by_role("img", name="Latency")).to_be_visible()
    page.get_by_role("tab", name="Logs").click()
    expect(page.get_by_text("serving flowers").first).to_be_visible()
    page.get_by_role("tab", name="Events").click()
    expect(page.get_by_role("table", name="Conditions")).to_contain_text("PredictorReady")


@pytest.mark.slow
def test_endpoints_are_narrowed_stopped_started_and_deleted(tab: OpenTab, served: ServerProcess) -> None:
    for name in ("one", "two"):
        served.call("POST", SERVICES, flowers(name))
    page = tab(f"{served.url}/ui/serving?find=o")
    page.get_by_label("Pick one").check()
    page.get_by_label("Pick two", exact=True).check()
    toolbar = page.get_by_role("toolbar", name="Picked endpoints")
    toolbar.get_by_role("button", name="Stop").click()
    dialog(page, "Stop 2 endpoints?").get_by_role("button", name="Stop 2 endpoints").click()
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="one", exact=True))
    expect(row).to_contain_text("Stopped", timeout=60_000)
    row.get_by_role("button", name="Start").click()
    expect(row).to_contain_text("Ready", timeout=60_000)
    page.get_by_label("Pick one").check()
    page.get_by_label("Pick two", exact=True).check()
    toolbar.get_by_role("button", name="Delete").click()
    dialog(page, "Delete 2 endpoints?").get_by_role("button", name="Delete 2 endpoints").click()
    expect(page.get_by_role("link", name="two", exact=True)).to_have_count(0)
    page.get_by_role("button", name="Failed").click()
    expect(page.get_by_role("link", name="nowhere", exact=True)).to_be_visible()
    expect(page).to_have_url(re.compile("state=Failed"))


@pytest.mark.slow
def test_a_change_is_another_revision(tab: OpenTab, served: ServerProcess) -> None:
    served.call("POST", SERVICES, flowers("changing", least=1))
    wait_until(lambda: shares(served, "changing"), "changing serves", 60)
    # The form has no field for a probe: what has none is edited as it is.
    page = tab(f"{served.url}/ui/serving/new?change=changing")
    expect(page.get_by_role("button", name="Apply")).to_be_visible()
    expect(page.get_by_role("button", name="Create")).to_have_count(0)

    def unprobed(endpoint: Any) -> None:
        endpoint["spec"]["predictor"]["containers"][0].pop("readinessProbe", None)

    change(served, f"{SERVICES}/changing", unprobed)
    page.reload()
    form = page.get_by_role("form", name="Change changing")
    form.get_by_role("textbox", name=re.compile("^To this revision")).fill("10")
    form.get_by_role("textbox", name=re.compile("^At most")).fill("3")
    page.get_by_role("button", name="Apply").click()
    shown(page, "changing")
    wait_until(lambda: 10 in shares(served, "changing").values(), "a canary of 10 per cent", 60)
    served.call("DELETE", f"{SERVICES}/changing")


@pytest.mark.slow
def test_the_first_endpoint_is_one_click_away(tab: OpenTab, tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "home") as server:
        # Pages are loaded with the first request for one, however busy the machine is.
        urllib.request.urlopen(f"{server.url}/ui/serving", timeout=60).close()
        page = tab(f"{server.url}/ui/serving")
        page.get_by_role("button", name="Serve it").click()
        state(page, "Ready")
        page.get_by_role("textbox", name=re.compile("^flowers")).fill("[[6.3, 3.3, 6.0, 2.5]]")
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_role("region", name="What it answers")).to_contain_text("virginica")
        # Before the server is gone, which the page would complain of.
        page.goto("about:blank")


@pytest.mark.slow
def test_a_graph_is_drawn_and_asked(tab: OpenTab, served: ServerProcess) -> None:
    page = tab(f"{served.url}/ui/serving/inferencegraphs/default/flower-graph")
    state(page, "Ready")
    expect(
        page.get_by_role("application", name="Graph of flower-graph").or_(page.locator(".sp-graph")).first
    ).to_be_visible()
    page.get_by_role("tab", name="Try it").click()
    # The first service of the graph says what it takes.
    page.get_by_role("textbox", name=re.compile("^flowers")).fill("[[6.3, 3.3, 6.0, 2.5]]", timeout=60_000)
    sent = page.get_by_role("textbox", name=re.compile("^As it is sent"))
    expect(sent).to_have_value(re.compile(r'"instances": \[\s*\[6.3, 3.3, 6.0, 2.5\]'))
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("region", name="What it answers")).to_contain_text("HTTP 200", timeout=60_000)
