"""Tuning in the dashboard: an experiment from the form to its end, lists of them, and what is done to them."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from pages import dialog, shown
from playwright.sync_api import Page, expect
from seed_serving import wait_until
from seed_tuning import EXPERIMENTS, experiment, holds, seed_tuning, trials_of, wait_for_tuning

from sampan.testing.server import ServerProcess

OpenTab = Callable[..., Page]
SCRIPT = """import sys
rate = float(sys.argv[1].partition("=")[2])
for step in range(1, 4):
    print(f"step={step} loss={rate / step:.4f}", flush=True)
"""


@pytest.fixture(scope="module")
def tuned(server: ServerProcess) -> ServerProcess:
    """The shared server with experiments, and nothing else that takes its time."""
    seed_tuning(server)
    wait_for_tuning(server)
    return server


def test_an_experiment_is_made_in_the_form_and_seen_to_its_end(tab: OpenTab, tuned: ServerProcess) -> None:
    page = tab(f"{tuned.url}/ui/tuning")
    page.get_by_role("link", name="New experiment").click()
    shown(page, "New tuning experiment")
    form = page.get_by_role("form", name="New tuning experiment")
    form.get_by_role("textbox", name=re.compile("^Name")).first.fill("From the Form")
    form.get_by_role("button", name="Take parameter 2 away").click()
    expect(form.get_by_role("group", name="Parameter 2")).to_have_count(0)
    row = form.get_by_role("group", name="Parameter 1")
    row.get_by_role("textbox", name=re.compile("^Name")).fill("rate")
    row.get_by_role("textbox", name=re.compile("^From")).fill("1")
    row.get_by_role("textbox", name=re.compile("^To")).fill("9")
    form.get_by_role("textbox", name=re.compile("^Script")).fill(SCRIPT)
    form.get_by_role("textbox", name=re.compile("^Trials in all")).fill("3")
    # What the API would refuse is said at its field before.
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_text("Lower case letters, digits").first).to_be_visible()
    form.get_by_role("textbox", name=re.compile("^Name")).first.fill("from-the-form")
    expect(page.locator(".sp-new-yaml")).to_contain_text("- --rate=${trialParameters.rate}")
    page.get_by_role("button", name="Create").click()

    shown(page, "from-the-form")
    expect(page.locator(".sp-page-header").get_by_text("Succeeded")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("3 / 3 trials")).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("^from-the-form-"))).to_be_visible()
    page.get_by_role("tab", name="Trials").click()
    expect(page.get_by_role("table", name="Trials").get_by_role("row")).to_have_count(4)
    page.get_by_role("tab", name="Charts").click()
    expect(page.get_by_role("img", name="loss of each trial")).to_be_visible()


def test_experiments_are_narrowed_picked_and_deleted(tab: OpenTab, tuned: ServerProcess) -> None:
    for name in ("one", "two"):
        tuned.call("POST", EXPERIMENTS, experiment(name, ["1", "0", "0"], cpu="4000"))
    page = tab(f"{tuned.url}/ui/tuning?find=o")
    page.get_by_label("Pick one").check()
    delete = page.get_by_role("toolbar", name="Picked experiments").get_by_role("button", name="Delete")
    expect(delete).to_be_visible()
    # One more is picked, and the button that is there clicked at once.
    more = page.get_by_label("Pick two").element_handle()
    delete.evaluate("(button, more) => { more.click(); button.click(); }", more)
    dialog(page, "Delete 2 experiments?").get_by_role("button", name="Delete 2 experiments").click()
    expect(page.get_by_role("link", name="two", exact=True)).to_have_count(0)
    page.get_by_role("button", name="Failed").click()
    expect(page.get_by_role("link", name="hopeless", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="landscape", exact=True)).to_have_count(0)
    expect(page).to_have_url(re.compile("state=Failed"))


@pytest.mark.slow
def test_what_waits_and_what_failed_says_why(tab: OpenTab, tuned: ServerProcess) -> None:
    page = tab(f"{tuned.url}/ui/tuning/experiments/default/too-large")
    expect(page.get_by_role("region", name=re.compile("wait to begin"))).to_contain_text("Insufficient cpu")
    page.goto(f"{tuned.url}/ui/tuning/experiments/default/hopeless")
    failed = page.get_by_role("region", name="It failed")
    expect(failed).to_contain_text(re.compile(r"[23] trials failed"))
    failed.get_by_role("link").first.click()
    shown(page, re.compile("^hopeless-"))


@pytest.mark.slow
def test_trials_are_found_sorted_and_kept_in_the_address(tab: OpenTab, tuned: ServerProcess) -> None:
    page = tab(f"{tuned.url}/ui/tuning/experiments/default/landscape?tab=trials")
    table = page.get_by_role("table", name="Trials")
    expect(table.get_by_role("row")).to_have_count(13)
    table.get_by_role("button", name="height").click()
    table.get_by_role("button", name="height").click()
    expect(table.get_by_role("row").nth(1)).to_contain_text("best so far")
    expect(page).to_have_url(re.compile("sort=m%3Aheight.*order=asc|order=asc.*sort=m%3Aheight"))
    page.get_by_role("searchbox").fill("kind=steep")
    expect(table.get_by_role("row")).not_to_have_count(13)
    expect(table.get_by_text("flat")).to_have_count(0)


@pytest.mark.slow
def test_an_experiment_is_cloned_its_counts_are_changed_and_it_is_stopped(
    tab: OpenTab, tuned: ServerProcess
) -> None:
    body = experiment("own", ["1800", "1", "0"], trials=6, parallel=1)
    tuned.call("POST", EXPERIMENTS, body)
    page = tab(f"{tuned.url}/ui/tuning/experiments/default/own")
    page.get_by_role("button", name="Counts").click()
    asked = dialog(page, "Counts of own")
    asked.get_by_label("Trials in all").fill("8")
    asked.get_by_role("button", name="Change").click()
    expect(page.get_by_text("0 / 8 trials")).to_be_visible()
    expect(page.get_by_text("1 running")).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Stop").click()
    dialog(page, "Stop own?").get_by_role("button", name="Stop").click()
    expect(page.locator(".sp-page-header").get_by_text("Succeeded")).to_be_visible(timeout=60_000)
    expect(page.locator(".sp-page-header").get_by_text("stopped", exact=True)).to_be_visible()
    wait_until(lambda: not trials_of(tuned, "own"), "the trials that did not end are gone", 60)
    assert holds(tuned.call("GET", f"{EXPERIMENTS}/own"), "Succeeded")
    page.get_by_role("button", name="Go on").click()
    asked = dialog(page, "Let own go on")
    expect(asked).to_contain_text("clone it")
    asked.get_by_role("link", name="Clone").click()
    shown(page, "New tuning experiment")
    expect(page.get_by_role("textbox", name=re.compile("^Name")).first).to_have_value("own-2")
    page.get_by_role("button", name="Check only").click()
    expect(page.get_by_text("The cluster would take it so.")).to_be_visible()


@pytest.mark.slow
def test_the_best_parameters_are_taken_and_run(tab: OpenTab, tuned: ServerProcess) -> None:
    page = tab(f"{tuned.url}/ui/tuning/experiments/default/landscape")
    page.get_by_role("button", name="Use these parameters").click()
    window = page.get_by_role("dialog")
    expect(window.get_by_role("region", name="Parameters as YAML")).to_contain_text("kind:")
    window.get_by_role("tab", name="For a shell").click()
    expect(window.get_by_role("region", name="For a shell")).to_contain_text("kind=")
    window.get_by_role("tab", name="As a run").click()
    window.get_by_label("Name").fill("landscape-again")
    window.get_by_role("button", name="Start this Job").click()
    expect(page).to_have_url(re.compile("/ui/cluster/jobs/default/landscape-again"))
    job = tuned.call("GET", "/apis/batch/v1/namespaces/default/jobs/landscape-again")
    assert "katib" not in str(job["metadata"].get("labels"))


@pytest.mark.slow
def test_a_trial_has_its_curves_and_its_log(tab: OpenTab, tuned: ServerProcess) -> None:
    name = trials_of(tuned, "landscape")[0]
    page = tab(f"{tuned.url}/ui/tuning/trials/default/{name}")
    expect(
        page.get_by_role("table", name="Metrics").get_by_role("row", name=re.compile("^height"))
    ).to_be_visible()
    page.get_by_role("tab", name="Metrics").click()
    expect(page.get_by_role("row", name=re.compile(r"^slope .* 4$"))).to_be_visible()
    page.get_by_role("tab", name="Logs").click()
    expect(page.get_by_role("log").get_by_text(re.compile("^done "))).to_be_visible()
    page.get_by_role("link", name="landscape", exact=True).first.click()
    shown(page, "landscape")


@pytest.mark.slow
def test_an_architecture_is_a_graph(tab: OpenTab, tuned: ServerProcess) -> None:
    page = tab(f"{tuned.url}/ui/tuning/experiments/default/network?tab=network")
    graph = page.get_by_role("tree", name=re.compile("^Architecture of network-"))
    expect(graph.get_by_role("treeitem", name=re.compile("Input"))).to_be_visible()
    expect(graph.get_by_role("treeitem")).to_have_count(8)
    second = trials_of(tuned, "network")[1]
    page.get_by_label("Trial", exact=True).select_option(second)
    expect(page.get_by_role("tree", name=f"Architecture of {second}")).to_be_visible()
    page.get_by_role("link", name="Clone").click()
    form = page.get_by_role("form", name="New tuning experiment")
    space = form.get_by_role("textbox", name=re.compile("^How it may be built"))
    expect(space).to_have_value(re.compile("graphConfig:"))
    space.fill("graphConfig: {}")
    form.get_by_role("button", name="Check only").click()
    expect(form.get_by_text("It has a graphConfig and operations", exact=True)).to_be_visible()
    form.get_by_role("radio", name="Values of parameters").check()
    expect(space).to_be_hidden()
    expect(form.get_by_role("group", name="Parameter 1")).to_be_visible()


@pytest.mark.slow
def test_a_template_is_written_used_changed_and_deleted(tab: OpenTab, tuned: ServerProcess) -> None:
    page = tab(f"{tuned.url}/ui/tuning/templates/new")
    page.get_by_role("textbox", name=re.compile("^Name")).fill("mine.yaml")
    page.get_by_role("button", name="Create").click()
    page.get_by_role("link", name="mine.yaml", exact=True).click()
    page.get_by_role("link", name="New experiment with it").click()
    expect(page.get_by_label(re.compile("^Template default/trial-templates/mine.yaml"))).to_be_visible()
    page.goto(f"{tuned.url}/ui/tuning/templates")
    page.get_by_role("button", name="Delete mine.yaml").click()
    dialog(page, "Delete mine.yaml?").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("link", name="mine.yaml", exact=True)).to_have_count(0)
    expect(page.get_by_role("link", name="quick.yaml", exact=True)).to_be_visible()


@pytest.mark.slow
def test_a_namespace_without_experiments_offers_a_first_one(tab: OpenTab, tuned: ServerProcess) -> None:
    tuned.call("POST", "/api/v1/namespaces", {"metadata": {"name": "fresh"}})
    page = tab(f"{tuned.url}/ui/tuning?ns=fresh")
    page.get_by_role("button", name="Run it").click()
    shown(page, "first-experiment")
    expect(page.locator(".sp-page-header").get_by_text("Succeeded")).to_be_visible(timeout=90_000)


@pytest.mark.slow
def test_the_shell_knows_of_tuning(tab: OpenTab, tuned: ServerProcess) -> None:
    page = tab(f"{tuned.url}/ui/")
    expect(page.get_by_role("heading", name="Tuning", level=2)).to_be_visible()
    page.keyboard.press("/")
    page.get_by_role("combobox", name="Search for anything").fill("hopeless")
    found = page.get_by_role("group", name="Tuning experiment", exact=True).get_by_role("option")
    expect(found).to_have_text(re.compile("hopeless.*Failed · random"))
    page.keyboard.press("Enter")
    shown(page, "hopeless")
