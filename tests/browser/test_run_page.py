"""A run's page: watched to its end, a failure seen, mended and resumed, a run that is stopped."""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path
from typing import Any

import pytest
from pages import address_has, dialog, shown
from playwright.sync_api import Page, expect

from sampan.testing import pipelines
from sampan.testing.server import ServerProcess


def of_two(second: str, first: str = "echo ready") -> Any:
    one = pipelines.Component("one", pipelines.shell(first))
    two = pipelines.Component("two", pipelines.shell(second))
    tasks = {"prepare": pipelines.task("one"), "train": pipelines.task("two", after=("prepare",))}
    return pipelines.pipeline("of-two", tasks, one, two)


def test_a_run_is_watched_to_its_end(page: Page, server: ServerProcess) -> None:
    # A step has a temporary folder of its own.
    seen = server.home / f"seen-{uuid.uuid4().hex[:6]}"
    first = f"until [ -e {seen} ]; do sleep 0.1; done; echo ready"
    run_id = server.submit(of_two("echo trained", first=first), f"watched {uuid.uuid4().hex[:6]}")
    page.goto(f"{server.url}/ui/runs/{run_id}?tab=steps")

    expect(page.get_by_text("Running for")).to_be_visible()
    seen.touch()
    expect(page.get_by_text("2 succeeded")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("button", name="Resume with changes")).to_be_visible()
    page.get_by_role("button", name="Open train").click()
    panel = page.get_by_role("complementary", name="The step")
    expect(panel.get_by_role("heading", name="train")).to_be_visible()
    address_has(page, "task=")
    panel.get_by_role("tab", name="Log").click()
    expect(panel.get_by_text("trained")).to_be_visible()
    page.reload()
    expect(page.get_by_role("complementary", name="The step").get_by_text("trained")).to_be_visible()


def test_a_failure_is_seen_mended_and_resumed(page: Page, server: ServerProcess, tmp_path: Path) -> None:
    run_id = server.submit(of_two("echo no such column; exit 3"), f"mended {uuid.uuid4().hex[:6]}")
    server.wait_run(run_id, timeout=200)
    page.goto(f"{server.url}/ui/runs/{run_id}")

    why = page.get_by_role("region", name="Why it failed")
    expect(why.get_by_role("heading", name="train failed")).to_be_visible()
    expect(why.get_by_text("no such column").first).to_be_visible()
    expect(why.get_by_text(f"sampan debug {run_id[:8]} train")).to_be_visible()

    page.get_by_role("tab", name="Logs").click()
    page.get_by_role("button", name="Open the log of prepare").click()
    panel = page.get_by_role("complementary", name="The step")
    expect(panel.get_by_text("ready", exact=True)).to_be_visible()
    panel.get_by_role("button", name="Close").click()

    fixed = tmp_path / "fixed.json"
    fixed.write_text(json.dumps(of_two("echo trained")))
    why.get_by_role("button", name="Resume with a fix").click()
    asked = page.get_by_role("dialog")
    asked.get_by_text("A new file").click()
    asked.locator("input[type=file]").set_input_files(fixed)
    expect(asked.get_by_text("fixed.json is taken.")).to_be_visible()
    asked.get_by_role("button", name="Show the plan").click()
    expect(asked.get_by_text("The plan: 1 reused, 1 run")).to_be_visible()
    asked.get_by_role("button", name="Start the new run").click()

    shown(page, re.compile("resumed"))
    expect(page.get_by_text("Goes on from")).to_be_visible()
    expect(page.get_by_role("button", name="Resume with changes")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("1 from cache")).to_be_visible()
    page.get_by_role("link", name=run_id[:8]).click()
    expect(page.get_by_text("Resumed by")).to_be_visible()


def test_a_run_is_stopped_after_a_question(page: Page, server: ServerProcess) -> None:
    run_id = server.submit(of_two("echo", first="sleep 600"), f"stopped {uuid.uuid4().hex[:6]}")
    page.goto(f"{server.url}/ui/runs/{run_id}")
    page.get_by_role("button", name="Stop").click()
    question = dialog(page, re.compile("^Stop the run stopped"))
    expect(question.get_by_text("Exit handlers still run", exact=False)).to_be_visible()
    question.get_by_role("button", name="Stop the run").click()
    expect(page.get_by_role("button", name="Retry").first).to_be_visible(timeout=60_000)
    assert server.wait_run(run_id)["state"] == "CANCELED"


@pytest.mark.slow
def test_a_paused_run_goes_on_with_a_fix(page: Page, server: ServerProcess, tmp_path: Path) -> None:
    body = {"display_name": "paused", "pipeline_spec": of_two("exit 3")}
    run_id = server.call("POST", "/apis/v2beta1/runs?pause_on_failure=true", body)["run_id"]
    page.goto(f"{server.url}/ui/runs/{run_id}")
    expect(page.get_by_role("heading", name="train failed, and the run waits for you")).to_be_visible(
        timeout=60_000
    )
    fixed = tmp_path / "fixed.json"
    fixed.write_text(json.dumps(of_two("echo trained")))
    page.get_by_role("button", name="Continue with a fix").click()
    asked = page.get_by_role("dialog")
    asked.get_by_text("A new file").click()
    asked.locator("input[type=file]").set_input_files(fixed)
    expect(asked.get_by_text("fixed.json is taken.")).to_be_visible()
    asked.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("2 succeeded")).to_be_visible(timeout=60_000)
