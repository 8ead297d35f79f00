"""Training in the dashboard: a job from the form to its end, lists of them, and what is done to many."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from pages import dialog, shown
from playwright.sync_api import Page, expect
from seed import Seeded
from seed_training import JOBS, seed_training, wait_for_training

from sampan.testing.server import HttpError, ServerProcess

OpenTab = Callable[..., Page]
SCRIPT = """import os, sys
print("arguments", sys.argv[1:], "quoted $HOME")
for step in range(1, 6):
    print(f"step={step} loss={1 / step:.3f}")
"""


@pytest.fixture(scope="module")
def trained(server: ServerProcess) -> ServerProcess:
    """The shared server with jobs of training, and nothing else that takes its time."""
    seed_training(server)
    wait_for_training(server)
    return server


def test_a_job_is_made_in_the_form_and_seen_to_its_end(tab: OpenTab, trained: ServerProcess) -> None:
    page = tab(f"{trained.url}/ui/training")
    page.get_by_role("link", name="New training job").click()
    shown(page, "New training job")
    form = page.get_by_role("form", name="New training job")
    form.get_by_role("textbox", name=re.compile("^Name")).fill("From the Form")
    form.get_by_label("Kind").select_option("PyTorchJob")
    form.get_by_role("textbox", name="Image").fill("python:3.11")
    form.get_by_role("textbox", name=re.compile("^Script")).fill(SCRIPT)
    form.get_by_role("textbox", name="Arguments").fill("--lr '0 1'")
    form.get_by_text("python", exact=True).click()
    form.get_by_role("textbox", name=re.compile("^Nodes")).fill("2")
    # What the API would refuse is said at its field before.
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_text("Lower case letters, digits").first).to_be_visible()
    form.get_by_role("textbox", name=re.compile("^Name")).fill("from-the-form")
    expect(page.locator(".sp-new-yaml")).to_contain_text("name: from-the-form")
    page.get_by_role("button", name="Create").click()

    shown(page, "from-the-form")
    expect(page.locator(".sp-page-header").get_by_text("Succeeded")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("table", name="Replicas").get_by_role("row")).to_have_count(3)

    page.get_by_role("tab", name="Logs").click()
    log = page.get_by_role("log")
    expect(log.get_by_text("arguments ['--lr', '0 1'] quoted $HOME")).to_have_count(2)
    page.get_by_role("button", name="worker-0").click()
    expect(log.get_by_text("worker-0")).to_have_count(6)
    expect(log.get_by_text("master-0")).to_have_count(0)
    page.get_by_role("tab", name="Metrics").click()
    expect(page.get_by_role("row", name=re.compile("loss worker-0 0.2 "))).to_be_visible()


def test_jobs_are_narrowed_picked_and_deleted(tab: OpenTab, trained: ServerProcess) -> None:
    for name in ("one", "two"):
        _copy(trained, "jaxjobs/held", name)
    page = tab(f"{trained.url}/ui/training")
    page.get_by_role("button", name="Suspended").click()
    expect(page.get_by_role("row", name="mnist")).to_have_count(0)
    expect(page).to_have_url(re.compile("state=Suspended"))
    page.get_by_label("Pick one").check()
    page.get_by_label("Pick two").check()
    page.get_by_role("toolbar", name="Picked jobs").get_by_role("button", name="Delete").click()
    dialog(page, "Delete 2 jobs?").get_by_role("button", name="Delete 2 jobs").click()
    expect(page.get_by_role("link", name="two", exact=True)).to_have_count(0)
    expect(page.get_by_role("link", name="held", exact=True)).to_be_visible()


@pytest.mark.slow
def test_a_job_that_waits_says_what_for(tab: OpenTab, trained: ServerProcess) -> None:
    page = tab(f"{trained.url}/ui/training/pytorchjobs/default/too-many")
    expect(page.get_by_text("There is no room for all its pods")).to_be_visible()
    expect(page.get_by_text(re.compile("Together they need 12,000 cores"))).to_be_visible()


@pytest.mark.slow
def test_a_job_that_failed_quotes_its_log(tab: OpenTab, trained: ServerProcess) -> None:
    page = tab(f"{trained.url}/ui/training/xgboostjobs/default/boosted")
    expect(page.get_by_role("region", name="Why it failed")).to_contain_text("step=3 loss=0.3333")


@pytest.mark.slow
def test_a_job_is_suspended_resumed_scaled_and_run_again(tab: OpenTab, trained: ServerProcess) -> None:
    _copy(trained, "jaxjobs/held", "own")
    page = tab(f"{trained.url}/ui/training/jaxjobs/default/own")
    page.get_by_role("button", name="Scale").click()
    asked = dialog(page, "Scale own")
    asked.get_by_label("Workers").fill("1")
    asked.get_by_role("button", name="Scale").click()
    expect(page.get_by_text("Worker 0/1")).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    expect(page.locator(".sp-page-header").get_by_text("Succeeded")).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Run again").click()
    shown(page, "own-2")

    _copy(trained, "tfjobs/learning", "learning-too")
    page.goto(f"{trained.url}/ui/training/tfjobs/default/learning-too")
    expect(page.locator(".sp-page-header").get_by_text("Running", exact=True)).to_be_visible(timeout=60_000)
    before = _uid(trained, "learning-too-worker-0")
    page.get_by_role("button", name="Restart").click()
    dialog(page, "Restart learning-too?").get_by_role("button", name="Restart").click()
    expect(page.get_by_text("learning-too begins again.")).to_be_visible(timeout=60_000)
    expect(page.locator(".sp-page-header").get_by_text("Running", exact=True)).to_be_visible(timeout=60_000)
    deadline = time.monotonic() + 60
    while _uid(trained, "learning-too-worker-0") in ("", before):
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.slow
def test_what_the_form_has_no_field_for_is_cloned_as_yaml(tab: OpenTab, trained: ServerProcess) -> None:
    page = tab(f"{trained.url}/ui/training/tfjobs/default/learning")
    page.get_by_role("link", name="Clone").click()
    expect(page.get_by_role("textbox", name="YAML of the new job")).to_contain_text("name: learning-2")
    page.get_by_role("button", name="Check only").click()
    expect(page.get_by_text("The cluster would take it so.")).to_be_visible()


@pytest.mark.slow
def test_a_runtime_leads_to_a_job(tab: OpenTab, trained: ServerProcess) -> None:
    page = tab(f"{trained.url}/ui/training/runtimes")
    page.get_by_role("link", name="plain", exact=True).click()
    shown(page, "plain")
    page.get_by_role("link", name="Train with it").click()
    shown(page, "New training job")
    page.get_by_role("textbox", name=re.compile("^Name")).fill("by-runtime")
    page.get_by_role("button", name="Create").click()
    shown(page, "by-runtime")
    expect(page.locator(".sp-page-header").get_by_text("Succeeded")).to_be_visible(timeout=60_000)


@pytest.mark.slow
def test_the_shell_knows_of_training(tab: OpenTab, seeded: Seeded) -> None:
    page = tab(f"{seeded.server.url}/ui/")
    expect(page.get_by_role("heading", name="Training", level=2)).to_be_visible()
    page.keyboard.press("/")
    page.get_by_role("combobox", name="Search for anything").fill("boosted")
    found = page.get_by_role("group", name="Training job", exact=True).get_by_role("option")
    expect(found).to_have_text(re.compile("boosted.*Failed · XGBoostJob"))
    page.keyboard.press("Enter")
    shown(page, "boosted")


def _copy(server: ServerProcess, of: str, name: str) -> None:
    body = server.call("GET", f"{JOBS}/{of}")
    copy = {key: body[key] for key in ("apiVersion", "kind", "spec")} | {"metadata": {"name": name}}
    server.call("POST", f"{JOBS}/{of.partition('/')[0]}", copy)


def _uid(server: ServerProcess, pod: str) -> str:
    try:
        return str(server.call("GET", f"/api/v1/namespaces/default/pods/{pod}")["metadata"]["uid"])
    except HttpError:
        return ""
