"""A webhook: made in the form, its secret shown once, fired from outside, and its event seen on the trigger's page."""

from __future__ import annotations

import json
import urllib.request

import pytest
from pages import dialog, shown
from playwright.sync_api import Page, expect
from quick import QUICK
from seed import upload

from sampan.testing.server import ServerProcess

API = "/apis/v2beta1"


@pytest.fixture(scope="module")
def pipeline(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("quick") / "quick.yaml"
    file.write_text(json.dumps(QUICK))
    made = upload(server, "/pipelines/upload", file, name="said-by-webhook")
    return str(made["pipeline_id"])


def test_a_webhook_is_made_and_fired(page: Page, server: ServerProcess, pipeline: str) -> None:
    page.get_by_role("link", name="Triggers", exact=True).click()
    shown(page, "Triggers")
    page.get_by_role("link", name="New trigger").first.click()
    shown(page, "New trigger")
    page.get_by_label("Name", exact=True).first.fill("on word")
    page.get_by_role("combobox", name="Pipeline").fill("said-by")
    # Once the list is that of what was typed, it does not change under the mouse.
    options = page.get_by_role("listbox", name="Pipeline").get_by_role("option")
    expect(options).to_have_text(["said-by-webhook"])
    options.click()
    page.get_by_label("word", exact=True).fill("{{event.body.word}}")
    page.get_by_role("button", name="Make the trigger").click()
    told = dialog(page, "The trigger is made")
    secret = told.get_by_label("secret", exact=True).inner_text()
    address = told.get_by_label("address", exact=True).inner_text()
    assert address.startswith(server.url)
    told.get_by_role("button", name="I have it").click()
    shown(page, "on word")
    expect(told).to_have_count(0)
    assert secret not in page.content()

    request = urllib.request.Request(
        address,
        data=json.dumps({"word": "ahoy"}).encode(),
        headers={"Authorization": f"Bearer {secret}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        run_id = json.load(answer)["run_id"]
    events = page.get_by_role("table", name="Events")
    expect(events.get_by_text("Started a run")).to_be_visible()
    assert run_id in str(events.get_by_role("link", name="Open the run").get_attribute("href"))
    parameters = server.call("GET", f"{API}/runs/{run_id}")["runtime_config"]["parameters"]
    assert parameters == {"word": "ahoy"}
    events.get_by_role("button", name="Show the event").click()
    expect(page.get_by_role("dialog")).to_contain_text('"word": "ahoy"')


@pytest.mark.slow
def test_a_trigger_is_tried_changed_and_deleted(page: Page, server: ServerProcess, pipeline: str) -> None:
    body = {
        "display_name": "on note",
        "pipeline_version_reference": {"pipeline_id": pipeline},
        "webhook": {"events": ["note"]},
    }
    made = server.call("POST", f"{API}/triggers", body)
    page.goto(f"{server.url}/ui/triggers/{made['trigger_id']}")
    page.get_by_role("button", name="Try it").click()
    dialog(page, "Try on note").get_by_role("button", name="Start a run").click()
    expect(page.get_by_role("table", name="Events").get_by_text("Started a run")).to_be_visible()
    page.get_by_role("link", name="Edit").click()
    page.get_by_role("textbox", name="Events").fill("note, memo")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("On a webhook (note, memo)")).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    question = dialog(page, "Delete on note?")
    expect(question).to_contain_text("secret are of no more use")
    question.get_by_role("button", name="Delete").click()
    shown(page, "Triggers")


@pytest.mark.slow
def test_a_notification_says_why_it_was_not_taken(page: Page, server: ServerProcess) -> None:
    page.goto(f"{server.url}/ui/notifications/new")
    page.get_by_label("Name", exact=True).fill("to nobody")
    page.get_by_label("URL").fill("https://nobody.example.invalid/hook")
    page.get_by_role("button", name="Make the notification").click()
    shown(page, "to nobody")
    page.get_by_role("button", name="Send a test").click()
    expect(page.get_by_role("dialog")).to_contain_text("nobody.example.invalid")
