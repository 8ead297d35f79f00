"""What runs leave: from an artifact along its lineage into its run; from the archive back, and for good."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from pages import dialog, shown
from playwright.sync_api import Page, expect
from quick import QUICK
from seed import Seeded

from sampan.testing.server import ServerProcess

API = "/apis/v2beta1"


def _runs(server: ServerProcess, *names: str) -> None:
    """Archived ones."""
    for name in names:
        run = server.call("POST", f"{API}/runs", {"display_name": name, "pipeline_spec": QUICK})["run_id"]
        server.wait_run(run, timeout=200)
        server.call("POST", f"{API}/runs/{run}:archive")


def test_what_was_archived_is_restored_and_deleted(page: Page, server: ServerProcess) -> None:
    _runs(server, "put away one", "put away two")
    page.goto(f"{server.url}/ui/archive?q=put+away")
    runs = page.get_by_role("table", name="Archived runs")
    expect(runs.get_by_role("link", name="put away")).to_have_count(2)
    page.get_by_role("row", name="put away one").get_by_role("button", name="Restore").click()
    expect(page.get_by_text("put away one is restored.")).to_be_visible()
    expect(runs.get_by_role("link", name="put away")).to_have_count(1)
    runs.get_by_role("checkbox", name="Pick put away two").check()
    page.get_by_role("button", name="Delete", exact=True).click()
    question = dialog(page, "Delete put away two for good?")
    expect(question).to_contain_text("All of their steps, parameters and metrics.")
    question.get_by_role("button", name="Delete 1 run").click()
    expect(page.get_by_text("Nothing matches")).to_be_visible()
    listed = server.call("GET", f"{API}/runs?page_size=200")["runs"]
    states = {
        run["display_name"]: run["storage_state"] for run in listed if "put away" in run["display_name"]
    }
    assert states == {"put away one": "AVAILABLE"}


def test_an_artifact_leads_along_its_lineage_into_its_run(page: Page, seeded: Seeded) -> None:
    url = seeded.server.url
    page.goto(f"{url}/ui/artifacts?type=Model")
    artifacts = page.get_by_role("table", name="Artifacts")
    row = artifacts.get_by_role("row", name="of good")
    row.get_by_role("link", name="model").click()
    shown(page, "model")
    expect(
        page.get_by_role("table", name="Where it is used").get_by_role("row", name="again").first
    ).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    question = dialog(page, "Delete model?")
    expect(question).to_contain_text("The run again, taken from the cache by train")
    expect(question.get_by_role("button", name="Delete the artifact")).to_be_disabled()
    question.get_by_role("button", name="Cancel").click()
    lineage = page.get_by_label("Lineage", exact=True).first
    lineage.get_by_text("data", exact=True).first.click()
    shown(page, "data")
    page.get_by_role("link", name="prepare", exact=True).first.click()
    page.wait_for_url(f"{url}/ui/runs/{seeded.runs['good']}?task=*")


@pytest.mark.slow
def test_results_of_steps_are_forgotten(page: Page, server: ServerProcess) -> None:
    spec: Any = copy.deepcopy(QUICK)
    spec["root"]["dag"]["tasks"]["say"]["cachingOptions"] = {"enableCache": True}
    body = {"display_name": "cached", "pipeline_spec": spec}
    server.wait_run(server.call("POST", f"{API}/runs", body)["run_id"], timeout=200)
    page.goto(f"{server.url}/ui/cache?pipeline=quick")
    found = page.get_by_role("table", name="Results that are reused")
    expect(found.get_by_text("say").first).to_be_visible()
    page.get_by_role("button", name="Forget all that is shown").click()
    question = dialog(page, re.compile("^Forget .*"))
    question.get_by_role("button", name="Forget them").click()
    expect(page.get_by_text("Nothing matches")).to_be_visible()
    expect(question).to_have_count(0)
    page.get_by_role("link", name="Disk use").click()
    page.get_by_role("button", name="What would be deleted now").click()
    expect(page.get_by_role("dialog")).to_contain_text("Nothing would be deleted")


@pytest.mark.slow
def test_executions_are_narrowed_by_state(page: Page, seeded: Seeded) -> None:
    page.goto(f"{seeded.server.url}/ui/executions")
    page.get_by_label("State").select_option("FAILED")
    steps = page.get_by_role("table", name="Executions").locator("tbody tr")
    expect(steps.get_by_role("link", name="break-down", exact=True)).to_have_count(1)
    page.wait_for_url("**/executions?state=FAILED")
    page.get_by_role("searchbox").fill("nothing of the kind")
    expect(page.get_by_text("Nothing matches")).to_be_visible()
