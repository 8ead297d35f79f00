"""Row 10 of the table of attacks, in a browser: what users write is text, or stays within its frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Dialog, Page, Request, expect
from untrusted import TEXTS, Planted, plant, plant_frame, plant_training, plant_tuning

from sampan.testing.server import ServerProcess


@dataclass
class Watched:
    """A window, and what happened in it that must not."""

    page: Page
    server: ServerProcess
    happened: list[str] = field(default_factory=list)

    def visit(self, path: str, marker: str = "") -> None:
        self.page.goto(f"{self.server.url}{path}")
        expect(self.page.locator(".sp-content")).to_be_visible()
        if marker:
            expect(self.page.get_by_text(marker).first).to_be_visible()
        # What a payload would do, it does by then.
        self.page.wait_for_timeout(150)
        self.check(path)

    def check(self, where: str) -> None:
        assert not self.happened, (where, self.happened)
        assert self.page.evaluate("[window.owned, ({}).owned, [].owned]") == [None, None, None], where
        assert self.page.locator("[data-owned]").count() == 0, where
        address = self.page.url.removeprefix(self.server.url)
        assert address.startswith("/ui/"), where


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("untrusted") / "home") as server:
        yield server


@pytest.fixture(scope="module")
def planted(own_server: ServerProcess) -> Planted:
    return plant(own_server)


@pytest.fixture
def watched(browser: Browser, own_server: ServerProcess) -> Iterator[Watched]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.set_default_timeout(60_000)
    found = Watched(page, own_server)

    ours = (found.server.url, found.server.url.replace("127.0.0.1", "content.localhost"), "data:", "blob:")

    def answered(sent: Request) -> None:
        if "/owned" in sent.url.partition("?")[0] or not sent.url.startswith(ours):
            found.happened.append(f"request {sent.url[:200]}")

    def failed(sent: Request) -> None:
        # What the policy stops is told as a request too; it was never sent.
        if "csp" not in (sent.failure or "").lower():
            answered(sent)

    def dialog(opened: Dialog) -> None:
        found.happened.append(f"dialog {opened.message}")
        opened.dismiss()

    page.on("requestfinished", answered)
    page.on("requestfailed", failed)
    page.on("dialog", dialog)
    context.on("page", lambda _: found.happened.append("a window"))
    page.on("pageerror", lambda error: found.happened.append(f"error {error}"))
    yield found
    context.close()


def test_html_of_a_step_reaches_nothing(watched: Watched) -> None:
    page = watched.page
    page.goto(f"{watched.server.url}/ui/artifacts/{plant_frame(watched.server)}/content")
    page.evaluate("localStorage.setItem('ours', 1); document.cookie = 'ours=1'; window.heard = 0")
    page.evaluate("window.addEventListener('message', () => window.heard++)")
    frame = page.frame_locator("iframe")
    said = dict(
        line.replace("!", "=!", 1).split("=", 1) for line in frame.locator("#said").inner_text().splitlines()
    )
    assert said["origin"] == "null"
    for name in ("parent", "top", "name", "storage", "cookie"):
        assert said[name] == "!SecurityError", (name, said)
    assert said["fetch"] == "!TypeError"
    assert said["open"] == "null"
    watched.check("frame")
    assert page.locator("iframe").get_attribute("sandbox") == "allow-scripts"

    # The same by itself, in a window of its own.
    source = str(page.locator("iframe").get_attribute("src"))
    assert not source.startswith(watched.server.url)
    page.goto(source)
    said_alone = page.locator("#said").inner_text()
    assert "origin=null" in said_alone
    assert "storage!SecurityError" in said_alone
    # Not on our host, not with another path, not a moment longer than it is good for.
    ticket, host = source.partition("/content/")[2], {"Host": "content.localhost"}
    ours: dict[str, str] = {}
    for path, named in ((f"/content/{ticket}", ours), (f"/content/{ticket}x", host), (f"/ui/{ticket}", host)):
        assert page.request.get(watched.server.url + path, headers=named).status in (403, 404), path
    assert page.request.get(f"{watched.server.url}/content/{ticket}", headers=host).ok
    assert not watched.happened


@pytest.mark.slow
def test_nothing_that_is_written_anywhere_takes_effect(watched: Watched, planted: Planted) -> None:
    run_id, task_id = planted.log
    watched.visit("/ui/runs")
    for number in (0, 1, -1):
        watched.visit(f"/ui/runs/{planted.runs[number]}")
        for tab in ("graph", "timeline", "artifacts", "inputs", "outputs", "logs", "events", "details"):
            watched.visit(f"/ui/runs/{planted.runs[number]}?tab={tab}")
    watched.visit(f"/ui/runs/{run_id}/logs/{task_id}", marker="alert(1)")
    for kind in ("experiments", "pipelines"):
        watched.visit(f"/ui/{kind}")
        for key in getattr(planted, kind)[:3]:
            watched.visit(f"/ui/{kind}/{key}")
    for path in (
        "/",
        "/artifacts",
        "/executions",
        "/activity",
        "/archive",
        "/cache",
        "/recurring-runs",
        "/cluster",
    ):
        watched.visit(f"/ui{path}")
    watched.visit(f"/ui/compare?runs={','.join(planted.runs[:4])}")
    watched.visit(f"/ui/runs/new?clone={planted.runs[0]}")
    for key in planted.artifacts:
        watched.visit(f"/ui/artifacts/{key}")
        watched.visit(f"/ui/artifacts/{key}/content")


@pytest.mark.slow
def test_nothing_in_a_training_job_takes_effect(watched: Watched, own_server: ServerProcess) -> None:
    plant_training(own_server)
    watched.visit("/ui/training")
    for tab in ("overview", "logs", "metrics", "usage", "events", "environment", "yaml"):
        watched.visit(f"/ui/training/pytorchjobs/default/probe?tab={tab}", marker="alert(1)")
    for path in (
        "new?clone=PyTorchJob/probe",
        "runtimes",
        "runtimes/default/probe",
        "new?runtime=TrainingRuntime/probe",
    ):
        watched.visit(f"/ui/training/{path}")
    for text in TEXTS[:6]:
        escaped = quote(text, safe="")
        watched.visit(f"/ui/training?find={escaped}&state={escaped}&kind={escaped}&sort={escaped}")
        watched.visit(f"/ui/training/pytorchjobs/default/probe?tab=logs&ranks={escaped}")
        watched.visit(f"/ui/training/pytorchjobs/{escaped}/{escaped}")


@pytest.mark.slow
def test_nothing_in_an_experiment_takes_effect(watched: Watched, own_server: ServerProcess) -> None:
    plant_tuning(own_server)
    watched.visit("/ui/tuning", marker="alert(1)")
    for tab in ("overview", "trials", "events", "yaml"):
        watched.visit(f"/ui/tuning/experiments/default/probe?tab={tab}", marker="alert(1)")
    charts = "history,curves,importance,coordinates,slices,contour,distribution"
    watched.visit(f"/ui/tuning/experiments/default/probe?tab=charts&charts={charts}")
    watched.visit("/ui/tuning/experiments/default/probe?tab=timeline")
    for tab in ("overview", "metrics", "logs", "yaml"):
        watched.visit(f"/ui/tuning/trials/default/probe?tab={tab}", marker="alert(1)")
    for path in ("new?clone=probe", "templates", "templates/default/probe/probe.yaml"):
        watched.visit(f"/ui/tuning/{path}", marker="alert(1)")
    watched.visit("/ui/tuning/new?template=default/probe/probe.yaml")
    for text in TEXTS[:6]:
        escaped = quote(text, safe="")
        watched.visit(f"/ui/tuning?find={escaped}&state={escaped}&algorithm={escaped}&sort={escaped}")
        watched.visit(f"/ui/tuning/experiments/default/probe?tab=trials&find={escaped}&sort=p:{escaped}")
        watched.visit(f"/ui/tuning/trials/{escaped}/{escaped}")
        watched.visit(f"/ui/tuning/new?template={escaped}")


@pytest.mark.slow
def test_nothing_in_an_address_takes_effect(watched: Watched) -> None:
    for text in TEXTS:
        escaped = quote(text.encode(errors="replace").decode().replace("\0", ""), safe="")
        watched.visit(f"/ui/{escaped}")
        watched.visit(f"/ui/runs?ns={escaped}&q={escaped}&sort={escaped}")
        watched.visit(f"/ui/runs/{escaped}?tab={escaped}&task={escaped}")


@pytest.mark.slow
def test_a_folder_of_files_with_such_names(watched: Watched, planted: Planted) -> None:
    watched.visit(f"/ui/artifacts/{planted.artifacts[-1]}/content", marker="onerror")
    watched.page.get_by_role("button", name="Open").first.click()
    expect(watched.page.get_by_role("region", name="Text")).to_contain_text("alert(1)")
    watched.check("file")


@pytest.mark.slow
def test_the_log_on_disk_is_what_was_printed(own_server: ServerProcess, planted: Planted) -> None:
    """Else the log page would have shown that nothing happens to nothing."""
    logs = [path.read_text(errors="replace") for path in (own_server.home / "logs").rglob("main.0.log")]
    assert any("alert(1)" in text and "\x1b]8;;javascript" in text for text in logs)
    assert planted.log[0]
