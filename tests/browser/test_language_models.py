"""LLMInferenceServices in the dashboard: one from its form to a talk with it, its list and page, and what is changed.

A program that speaks OpenAI's API stands at vLLM's place, by a configuration that the form names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pages import dialog, shown
from playwright.sync_api import Page, expect
from seed_serving import change, wait_until

from sampan.testing.server import ServerProcess

OpenTab = Callable[..., Page]
KIND = "/apis/serving.kserve.io/v1alpha2/namespaces/default/llminferenceservices"
CONFIGS = "/apis/serving.kserve.io/v1alpha2/namespaces/default/llminferenceserviceconfigs"
PARROT = """
import http.server, json, os, sys
class Parrot(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.answer(200, b"{}")
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        said = asked["messages"][-1]["content"]
        if said == "refuse":
            return self.answer(400, b'{"error": {"message": "I do not talk about that"}}')
        words = ["<img src=x onerror=alert(1)> ", asked["model"], " says ", said, " ", " ".join(sys.argv[1:])]
        told = [{"choices": [{"index": 0, "delta": {"content": each}}]} for each in words]
        if said == "break":
            told = [told[0], {"error": {"message": "the model is gone", "code": "500"}}]
        body = "".join(f"data: {json.dumps(each)}\\n\\n" for each in told) + "data: [DONE]\\n\\n"
        self.answer(200, body.encode(), "text/event-stream")
    def answer(self, code, body, kind="application/json"):
        self.send_response(code)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_args):
        pass
print("a parrot listens", flush=True)
http.server.ThreadingHTTPServer(("", 8000), Parrot).serve_forever()
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def parrot(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URI of a model, and a configuration whose image speaks for it."""
    folder = tmp_path_factory.mktemp("parrot")
    (folder / "config.json").write_text("{}")
    small = {"requests": {"cpu": "10m", "memory": "32Mi"}}
    main = {"name": "main", "image": "python:3.11", "command": ["python", "-c", PARROT], "resources": small}
    spec = {"template": {"containers": [main], "terminationGracePeriodSeconds": 1}}
    server.call("POST", CONFIGS, {**_named("LLMInferenceServiceConfig", "parrot"), "spec": spec})
    yield f"file://{folder}"
    for each in server.call("GET", KIND)["items"]:
        server.call("DELETE", f"{KIND}/{each['metadata']['name']}")


def _named(kind: str, name: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "serving.kserve.io/v1alpha2", "kind": kind, "metadata": metadata}


def make(server: ServerProcess, name: str, **spec: Any) -> None:
    server.call("POST", KIND, {**_named("LLMInferenceService", name), "spec": spec})


def state(page: Page, word: str) -> None:
    header = page.locator(".sp-page-header")
    expect(header.get_by_text(word, exact=True)).to_be_visible(timeout=60_000)


def talk(page: Page, text: str) -> None:
    page.get_by_role("textbox", name=re.compile("^What you say")).fill(text)
    page.get_by_role("button", name="Send").click()


def test_one_is_made_in_the_form_and_talked_to(tab: OpenTab, server: ServerProcess, parrot: str) -> None:
    page = tab(f"{server.url}/ui/serving/new")
    page.get_by_role("link", name="A language model").click()
    form = page.get_by_role("form", name="New language model")
    form.get_by_role("textbox", name=re.compile("^Name")).first.fill("talker")
    form.get_by_role("combobox", name=re.compile("^Model from")).or_(
        form.get_by_role("textbox", name=re.compile("^Model from"))
    ).first.fill("no scheme")
    page.get_by_role("button", name="Create").click()
    # What the API would refuse is said at its field before.
    expect(page.get_by_text("An address with a scheme").first).to_be_visible()
    form.get_by_role("combobox", name=re.compile("^Model from")).or_(
        form.get_by_role("textbox", name=re.compile("^Model from"))
    ).first.fill(parrot)
    form.get_by_role("textbox", name=re.compile("^Name of the model")).fill("birds/grey")
    form.get_by_text("More settings").click()
    form.get_by_role("textbox", name=re.compile("^Arguments")).fill("--loud 'two words'")
    form.get_by_role("textbox", name=re.compile("^Configurations")).fill("parrot")
    expect(page.get_by_text("kind: LLMInferenceService").first).to_be_visible()
    page.get_by_role("button", name="Create").click()

    shown(page, "talker")
    state(page, "Ready")
    page.get_by_role("tab", name="Try it").click()
    talk(page, "hello")
    answer = page.get_by_role("region", name="What it answers")
    # Whatever it says is text.
    expect(answer).to_contain_text("<img src=x onerror=alert(1)> birds/grey says hello --loud two words")
    expect(answer).to_contain_text(re.compile(r"first word after \d+ ms"))
    expect(answer.locator("img")).to_have_count(0)
    # The next thing can be said: nothing is wrong with having said nothing yet.
    expect(page.get_by_text("This is needed")).to_have_count(0)
    talk(page, "break")
    expect(answer.get_by_role("alert")).to_contain_text("the model is gone")
    page.get_by_role("tab", name="Logs").click()
    expect(page.get_by_text("a parrot listens").first).to_be_visible()
    page.get_by_role("tab", name="Events").click()
    expect(page.get_by_role("table", name="Conditions")).to_contain_text("MainWorkloadReady")


def test_it_is_changed_in_the_form_and_as_yaml(tab: OpenTab, server: ServerProcess, parrot: str) -> None:
    refs = [{"name": "parrot"}]
    make(server, "changing", model={"uri": parrot}, router={"route": {}}, baseRefs=refs)
    page = tab(f"{server.url}/ui/serving/llminferenceservices/default/changing")
    state(page, "Ready")
    page.get_by_role("link", name="Change").click()
    form = page.get_by_role("form", name="Change changing")
    form.get_by_role("textbox", name=re.compile("^Replicas")).fill("1")
    form.get_by_role("textbox", name=re.compile("^At most")).fill("2")
    page.get_by_role("button", name="Apply").click()
    shown(page, "changing")
    found = server.call("GET", f"{KIND}/changing")["spec"]
    assert (found["scaling"]["minReplicas"], found["scaling"]["maxReplicas"]) == (1, 2)
    assert found["router"] == {"route": {}}

    # The form has no field for prefill: what has none is edited as it is.
    def prefill(obj: Any) -> None:
        obj["spec"]["prefill"] = {"replicas": 0}

    change(server, f"{KIND}/changing", prefill)
    page.goto(f"{server.url}/ui/serving/new?kind=llminferenceservices&change=changing")
    expect(page.get_by_role("button", name="Apply")).to_be_visible()
    expect(page.get_by_role("form", name="Change changing")).to_have_count(0)


def test_what_fails_says_why_and_lists_are_narrowed(tab: OpenTab, server: ServerProcess, parrot: str) -> None:
    make(server, "halting", model={"uri": parrot}, router={"route": {}}, baseRefs=[{"name": "parrot"}])
    make(server, "lost", model={"uri": "hf://a/b"}, baseRefs=[{"name": "nobodys"}])
    page = tab(f"{server.url}/ui/serving/llminferenceservices/default/lost")
    failed = page.get_by_role("region", name="It does not start")
    expect(failed).to_contain_text('LLMInferenceServiceConfig "nobodys" not found', timeout=60_000)
    page.goto(f"{server.url}/ui/serving?kind=LLMInferenceService")
    expect(page.get_by_role("link", name="lost", exact=True)).to_be_visible()
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="halting", exact=True))
    expect(row).to_contain_text("Ready", timeout=60_000)
    row.get_by_role("button", name="Stop").click()
    dialog(page, "Stop 1 endpoint?").get_by_role("button", name="Stop").click()
    expect(row).to_contain_text("Stopped", timeout=30_000)
    page.get_by_label("Pick lost").check()
    toolbar = page.get_by_role("toolbar", name="Picked endpoints")
    toolbar.get_by_role("button", name="Delete").click()
    dialog(page, "Delete 1 endpoint?").get_by_role("button", name=re.compile("^Delete")).click()
    expect(page.get_by_role("link", name="lost", exact=True)).to_have_count(0)
    wait_until(
        lambda: not server.call("GET", f"{KIND}?fieldSelector=metadata.name%3Dlost")["items"], "lost goes", 60
    )


def test_it_fits_a_small_window_in_the_dark(tab: OpenTab, server: ServerProcess, parrot: str) -> None:
    assert Path(parrot.removeprefix("file://")).is_dir()
    small = {"width": 420, "height": 800}
    page = tab(f"{server.url}/ui/serving/new?kind=llminferenceservices", color_scheme="dark", viewport=small)
    expect(page.get_by_role("form", name="New language model")).to_be_visible()
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= small["width"]
