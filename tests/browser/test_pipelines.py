"""From a file to a run: uploaded, looked at, started with other inputs; then a next version, compared, and deleted."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from pages import dialog, shown
from playwright.sync_api import Page, expect

from sampan.testing.server import ServerProcess

API = "/apis/v2beta1"
INPUTS: dict[str, Any] = {
    "greeting": {"parameterType": "STRING", "defaultValue": "hello", "description": "What is said"},
    "times": {"parameterType": "NUMBER_INTEGER"},
    "loud": {"parameterType": "BOOLEAN", "defaultValue": False},
    "options": {"parameterType": "STRUCT", "defaultValue": {"a": 1}, "isOptional": True},
}
SPEC: dict[str, Any] = {
    "pipelineInfo": {"name": "say-hello"},
    "schemaVersion": "2.1.0",
    "sdkVersion": "kfp-2.17.0",
    "root": {
        "inputDefinitions": {"parameters": INPUTS},
        "dag": {"tasks": {"say": {"componentRef": {"name": "comp-say"}, "taskInfo": {"name": "say"}}}},
    },
    "components": {"comp-say": {"executorLabel": "exec-say"}},
    "deploymentSpec": {
        "executors": {"exec-say": {"container": {"image": "busybox", "command": ["echo"], "args": ["hello"]}}}
    },
}


def pasted() -> dict[str, Any]:
    """The next version: another image, one task more."""
    spec = copy.deepcopy(SPEC)
    spec["deploymentSpec"]["executors"]["exec-say"]["container"]["image"] = "busybox:2"
    tasks = spec["root"]["dag"]["tasks"]
    tasks["again"] = {
        "componentRef": {"name": "comp-say"},
        "taskInfo": {"name": "again"},
        "dependentTasks": ["say"],
    }
    return spec


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "say.json"
    path.write_text(json.dumps(SPEC))
    return path


def test_from_a_file_to_a_run_and_on_to_the_next_version(page: Page, file: Path) -> None:
    page.get_by_role("link", name="Pipelines", exact=True).click()
    shown(page, "Pipelines")
    page.get_by_role("link", name="Upload pipeline").first.click()
    upload(page, file)
    start_a_run(page)
    paste_a_version(page)
    compare(page)
    delete(page)


def upload(page: Page, file: Path) -> None:
    page.locator("input[type=file]").set_input_files(file)
    expect(page.get_by_text("say-hello: 1 task, 4 inputs")).to_be_visible()
    expect(page.get_by_role("textbox", name="Name", exact=True)).to_have_value("say-hello")
    page.get_by_role("textbox", name="Name", exact=True).fill("Journey")
    page.get_by_role("button", name="Upload", exact=True).click()
    shown(page, "Journey")
    assert re.search(r"/ui/pipelines/[^/]+/versions/[^/]+$", page.url)
    page.get_by_role("tab", name="Inputs").click()
    expect(page.get_by_role("row", name=re.compile("times whole|times NUMBER_INTEGER"))).to_be_visible()
    page.get_by_role("tab", name="YAML").click()
    expect(page.get_by_role("region", name="YAML")).to_contain_text("sdkVersion: kfp-2.17.0")


def start_a_run(page: Page) -> None:
    page.get_by_role("link", name="New run").click()
    times = page.get_by_role("textbox", name="times")
    expect(page.get_by_role("textbox", name="Name", exact=True)).to_have_value("Journey 1")
    expect(page.get_by_role("textbox", name="greeting")).to_have_value("hello")
    times.fill("1.5")
    page.get_by_text("True", exact=True).click()
    page.get_by_role("textbox", name="options").fill("[1]")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Write a whole number, such as 10")).to_be_visible()
    expect(page.get_by_text("Write a JSON object")).to_be_visible()
    assert page.url.split("?")[0].endswith("/runs/new")
    times.fill("3")
    page.get_by_role("button", name="Reset options to its default").click()
    page.keyboard.press("Control+Enter")
    expect(page).to_have_url(re.compile(r"/ui/runs/[0-9a-f-]{36}"))
    shown(page, "Journey 1")


def paste_a_version(page: Page) -> None:
    page.locator(".sp-nav").get_by_role("link", name="Pipelines", exact=True).click()
    shown(page, "Pipelines")
    page.get_by_role("table", name="Pipelines").get_by_role("link", name="Journey", exact=True).first.click()
    shown(page, "Journey")
    page.get_by_role("link", name="Upload version").first.click()
    page.get_by_text("Pasted text").click()
    text = page.get_by_role("textbox", name="YAML or JSON")
    text.fill("root: [")
    text.blur()
    expect(page.get_by_text(re.compile("line 1|line 2")).first).to_be_visible()
    text.fill(json.dumps(pasted()))
    expect(page.get_by_text("say-hello: 2 tasks, 4 inputs")).to_be_visible()
    expect(page.get_by_role("textbox", name="Name", exact=True)).to_have_value("v2")
    page.get_by_role("button", name="Upload", exact=True).click()
    shown(page, "v2")


def compare(page: Page) -> None:
    page.get_by_role("link", name="Compare").click()
    expect(page.get_by_text("1 task added, 1 task changed.")).to_be_visible()
    expect(page.get_by_text("Image: busybox → busybox:2")).to_be_visible()
    page.get_by_role("tab", name="YAML").click()
    expect(page.get_by_role("region", name="Differences of the YAML")).to_contain_text("image: busybox:2")


def delete(page: Page) -> None:
    page.get_by_role("navigation", name="Breadcrumb").get_by_role("link", name="Journey").click()
    shown(page, "Journey")
    page.get_by_role("button", name="Delete", exact=True).click()
    question = dialog(page, "Delete the pipeline Journey?")
    expect(question).to_contain_text("All 2 versions: v2, Journey")
    question.get_by_role("button", name="Delete").click()
    shown(page, "Pipelines")
    expect(page.get_by_role("link", name="Journey", exact=True)).to_have_count(0)


def test_a_run_is_cloned_with_what_it_was_given(page: Page, server: ServerProcess) -> None:
    given = {"greeting": "hallo", "times": 7, "loud": True}
    body = {"display_name": "first", "pipeline_spec": SPEC, "runtime_config": {"parameters": given}}
    run = server.call("POST", f"{API}/runs", body)
    page.goto(f"{server.url}/ui/runs/new?clone={run['run_id']}")
    expect(page.get_by_role("textbox", name="greeting")).to_have_value("hallo")
    expect(page.get_by_role("textbox", name="times")).to_have_value("7")
    expect(page.get_by_role("radio", name="True")).to_be_checked()
    expect(page.get_by_role("textbox", name="Name", exact=True)).to_have_value("Clone of first")
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_url(re.compile(r"/ui/runs/[0-9a-f-]{36}"))
    found = server.call("GET", f"{API}/runs/{page.url.rpartition('/')[2]}")
    assert found["runtime_config"]["parameters"] == {**given, "options": {"a": 1}}


@pytest.mark.slow
def test_a_recurring_run_is_made_with_its_time_zone(page: Page, server: ServerProcess) -> None:
    page.goto(f"{server.url}/ui/runs/new?recurring=1")
    page.get_by_role("radiogroup", name="What runs").get_by_text("YAML").click()
    page.get_by_role("textbox", name="YAML").fill(json.dumps(SPEC))
    page.get_by_role("textbox", name="times").fill("1")
    page.get_by_role("textbox", name="Name", exact=True).fill("mornings")
    page.get_by_role("combobox", name="Repeats").select_option("Monday to Friday at 09:00")
    expect(page.get_by_role("combobox", name="Time zone")).to_have_value("Europe/Berlin")
    expect(page.get_by_role("list", name="Next ticks").get_by_role("listitem")).to_have_count(5)
    page.get_by_role("button", name="Create", exact=True).click()
    page.wait_for_url(re.compile("/ui/recurring-runs/"))
    found = server.call("GET", f"{API}/recurringruns/{page.url.rpartition('/')[2]}")
    assert found["trigger"]["cron_schedule"]["cron"] == "CRON_TZ=Europe/Berlin 0 0 9 * * mon-fri"
    assert found["max_concurrency"] == "1"
    server.call("DELETE", f"{API}/recurringruns/{found['recurring_run_id']}")


@pytest.mark.slow
def test_python_is_answered_with_the_command(page: Page, server: ServerProcess, tmp_path: Path) -> None:
    program = tmp_path / "train.py"
    program.write_text("from kfp import dsl")
    page.goto(f"{server.url}/ui/pipelines/upload")
    page.locator("input[type=file]").set_input_files(program)
    expect(page.get_by_text("sampan run train.py")).to_be_visible()
