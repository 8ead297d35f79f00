"""The cluster's objects in a browser: a failing pod is found and understood, YAML is edited, things are deleted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pages import dialog, shown
from playwright.sync_api import Page, expect

from sampan.testing.server import ServerProcess

CANARY = "hunter2-canary"
FAILING = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "kc-crashes", "labels": {"app": "kc"}},
    "spec": {
        "restartPolicy": "Never",
        "containers": [
            {
                "name": "main",
                "image": "python:3.11",
                "command": ["python", "-c", "print('no column price'); raise SystemExit(3)"],
            }
        ],
    },
}
SETTINGS = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "kc-settings"},
    "data": {"colour": "blue"},
}


def _make(server: ServerProcess, plural: str, obj: Any) -> None:
    server.call("POST", f"/api/v1/namespaces/default/{plural}", obj)


def test_a_failing_pod_is_found_understood_and_deleted(page: Page, server: ServerProcess) -> None:
    _make(server, "pods", FAILING)
    page.goto(f"{server.url}/ui/cluster")
    row = page.get_by_role("table", name="Needs attention").get_by_role("row").filter(has_text="kc-crashes")
    expect(row).to_contain_text("Container main ended with exit code 3")
    row.get_by_role("link", name="kc-crashes").click()
    # The list may hold other pods that ended so, and stays until the pod's page is there.
    shown(page, "kc-crashes")
    expect(page.get_by_text("Container main ended with exit code 3")).to_be_visible()
    page.get_by_role("tab", name="Logs").click()
    expect(page.get_by_text("no column price")).to_be_visible()
    page.goto(f"{server.url}/ui/cluster/pods?labels=app%3Dkc")
    page.get_by_role("checkbox", name="Pick kc-crashes").check()
    page.get_by_role("button", name="Delete", exact=True).click()
    question = dialog(page, "Delete Pod kc-crashes?")
    expect(question).to_contain_text("Pod kc-crashes")
    question.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()


def test_yaml_is_checked_before_it_is_saved(page: Page, server: ServerProcess) -> None:
    _make(server, "configmaps", SETTINGS)
    page.goto(f"{server.url}/ui/cluster/configmaps/default/kc-settings?tab=yaml")
    editor = page.get_by_role("textbox", name="YAML of kc-settings")
    editor.press("Control+End")
    editor.press_sequentially("dat: y")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("There is no such field.")).to_be_visible()
    expect(page.locator(".cm-line.sp-wrong")).to_have_text("dat: y")
    page.get_by_role("button", name="Start over").click()
    expect(page.get_by_text("There is no such field.")).not_to_be_visible()
    expect(editor).not_to_contain_text("dat: y")
    editor.press("Control+End")
    editor.press("ArrowUp")
    editor.press("End")
    editor.press_sequentially("green")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    found = server.call("GET", "/api/v1/namespaces/default/configmaps/kc-settings")
    assert found["data"] == {"colour": "bluegreen"}


@pytest.mark.slow
def test_a_secret_is_sent_only_when_it_is_asked_for(page: Page, server: ServerProcess) -> None:
    sent: list[str] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: sent.append(str(frame))))
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "kc-secret"},
        "stringData": {"key": CANARY},
    }
    _make(server, "secrets", secret)
    page.goto(f"{server.url}/ui/cluster/secrets/default/kc-secret")
    show = page.get_by_role("button", name="Show key")
    expect(show).to_be_visible()
    assert CANARY not in page.content() + "".join(sent)
    show.click()
    expect(page.get_by_text(CANARY)).to_be_visible()
    page.get_by_role("button", name="Hide key").click()
    expect(page.get_by_text(CANARY)).not_to_be_visible()


@pytest.mark.slow
def test_objects_are_created_from_yaml(page: Page, server: ServerProcess) -> None:
    page.goto(f"{server.url}/ui/cluster/apply?kind=configmaps")
    expect(page.get_by_role("textbox", name="YAML of the new objects")).to_contain_text("kind: ConfigMap")
    page.get_by_role("button", name="Check only").click()
    expect(page.get_by_text("The cluster would take it so.")).to_be_visible()
    page.get_by_role("button", name="Create or change").click()
    done = page.get_by_role("table", name="What was done")
    expect(done).to_contain_text("Created")
    done.get_by_role("link", name="settings").click()
    shown(page, "settings")
    expect(page.get_by_text("blue")).to_be_visible()


@pytest.mark.slow
def test_what_somebody_else_has_changed_is_shown_beside_ones_own(page: Page, server: ServerProcess) -> None:
    _make(server, "configmaps", {**SETTINGS, "metadata": {"name": "kc-shared"}})
    path = "/api/v1/namespaces/default/configmaps/kc-shared"
    page.goto(f"{server.url}/ui/cluster/configmaps/default/kc-shared?tab=yaml")
    editor = page.get_by_role("textbox", name="YAML of kc-shared")
    editor.press("Control+End")
    editor.press("ArrowUp")
    editor.press("End")
    editor.press_sequentially("-mine")
    server.call("PUT", path, {**SETTINGS, "metadata": {"name": "kc-shared"}, "data": {"colour": "theirs"}})
    page.get_by_role("button", name="Save").click()
    question = dialog(page, "Somebody else has changed it meanwhile")
    expect(question).to_contain_text("theirs")
    expect(question).to_contain_text("blue-mine")
    question.get_by_role("button", name="Save mine over it").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    assert server.call("GET", path)["data"] == {"colour": "blue-mine"}
    assert json.dumps(server.call("GET", path)).count("theirs") == 0


@pytest.mark.slow
def test_a_terminal_runs_what_is_typed(page: Page, server: ServerProcess) -> None:
    container = {"name": "main", "image": "python:3.11", "command": ["sleep", "600"]}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "kc-shell"},
        "spec": {"containers": [container]},
    }
    _make(server, "pods", pod)
    page.goto(f"{server.url}/ui/cluster/pods/default/kc-shell")
    expect(page.get_by_role("table", name="Containers")).to_contain_text("Running", timeout=60_000)
    page.get_by_role("tab", name="Terminal").click()
    page.get_by_role("button", name="Open a terminal").click()
    expect(page.locator(".xterm-accessibility-tree")).to_contain_text("kc-shell")
    page.locator(".xterm-helper-textarea").press_sequentially("echo $((40+2))\nexit 3\n")
    expect(page.get_by_text("The shell has ended with exit code 3.")).to_be_visible()


@pytest.mark.slow
def test_what_objects_say_is_only_ever_text(page: Page, server: ServerProcess) -> None:
    template = "{{constructor.constructor('hacked=1')()}}"
    payload = f'<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>{template}'
    notes = {"note": payload, "link": "javascript:window.hacked=1"}
    metadata = {"name": "kc-payload", "annotations": notes}
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": payload}}
    _make(server, "configmaps", config)
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "kc-payload.1"},
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": "kc-payload",
            "namespace": "default",
        },
        "type": "Warning",
        "reason": payload[:100],
        "message": payload,
    }
    _make(server, "events", event)
    for path in ("", "/events", "/configmaps/default/kc-payload", "/configmaps/default/kc-payload?tab=yaml"):
        page.goto(f"{server.url}/ui/cluster{path}")
        expect(page.get_by_text("window.hacked=1").first).to_be_visible()
        assert page.evaluate("window.hacked") is None
        assert page.locator("img").count() == 0
