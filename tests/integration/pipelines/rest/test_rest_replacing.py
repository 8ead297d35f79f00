"""Triggers and notifications put in the place of what they were; and triggers tried with made-up events."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sampan.components.pipelines.store import event_triggers, notices

SECRET = "correct horse battery"
URL = "https://hooks.slack.com/services/T0/B0/canary"


@pytest.fixture
def trigger(api: Any, spec: Any) -> dict[str, Any]:
    body = {
        "display_name": "on push",
        "pipeline_spec": spec(ref="STRING"),
        "runtime_config": {"parameters": {"ref": "{{event.body.ref}}"}},
        "webhook": {"events": ["push"], "secret": SECRET},
    }
    answer = api.post("/v2/triggers", body)
    assert answer.status == 200, answer.content
    return {"trigger_id": answer.json["trigger_id"], **body}


def _put(api: Any, path: str, body: Any) -> Any:
    return api.call("PUT", path, {}, json.dumps(body).encode())


def _secret(api: Any, trigger_id: str) -> str:
    row = api.database.read_now(lambda c: event_triggers.get(c, trigger_id))
    return str(row.secret)


def test_a_trigger_is_replaced_and_keeps_its_secret(api: Any, trigger: dict[str, Any]) -> None:
    path = f"/v2/triggers/{trigger['trigger_id']}"
    changed = trigger | {"display_name": "on tag", "webhook": {"events": ["tag"]}, "max_concurrency": "2"}
    answer = _put(api, path, changed)
    assert answer.status == 200, answer.content
    assert "secret" not in answer.json["webhook"]
    there = api.get(path).json
    assert (there["display_name"], there["webhook"], there["max_concurrency"]) == (
        "on tag",
        {"events": ["tag"]},
        "2",
    )
    assert _secret(api, trigger["trigger_id"]) == SECRET


def test_a_trigger_of_another_kind_forgets_the_secret(api: Any, trigger: dict[str, Any]) -> None:
    path = f"/v2/triggers/{trigger['trigger_id']}"
    changed = {key: value for key, value in trigger.items() if key != "webhook"} | {
        "runtime_config": {"parameters": {"ref": "{{event.name}}"}},
        "artifact": {"type": "system.Model"},
    }
    assert _put(api, path, changed).status == 200
    assert _secret(api, trigger["trigger_id"]) == ""
    answer = _put(api, path, trigger | {"webhook": {}})
    assert len(answer.json["webhook"]["secret"]) > 20


def test_what_could_not_be_made_is_no_replacement(api: Any, trigger: dict[str, Any]) -> None:
    path = f"/v2/triggers/{trigger['trigger_id']}"
    answer = _put(api, path, trigger | {"max_concurrency": "0"})
    assert (answer.status, "max_concurrency" in answer.message) == (400, True)
    assert api.get(path).json["max_concurrency"] == "10"
    assert _put(api, "/v2/triggers/nowhere", trigger).status == 404


def test_a_made_up_event_starts_a_run(api: Any, trigger: dict[str, Any]) -> None:
    path = f"/v2/triggers/{trigger['trigger_id']}"
    answer = api.post(f"{path}:test", {"event": {"body": {"ref": "refs/heads/main"}}})
    assert (answer.status, answer.json["state"]) == (200, "PENDING")
    listed = api.get(f"{path}/deliveries").json["deliveries"]
    assert [each["delivery_id"] for each in listed] == [answer.json["delivery_id"]]
    shown = api.get(f"{path}/deliveries/{answer.json['delivery_id']}").json
    assert shown["event"]["body"] == {"ref": "refs/heads/main"}


def test_a_disabled_trigger_is_not_tried(api: Any, trigger: dict[str, Any]) -> None:
    path = f"/v2/triggers/{trigger['trigger_id']}"
    api.post(f"{path}:disable")
    answer = api.post(f"{path}:test", {"event": {}})
    assert (answer.status, "enable it first" in answer.message) == (400, True)


def test_a_notification_is_replaced_and_keeps_what_nobody_is_shown(api: Any) -> None:
    body = {"display_name": "failures", "slack": {"url": URL, "channel": "#ml"}}
    made = api.post("/v2/notifications", body).json
    path = f"/v2/notifications/{made['notification_id']}"
    changed = {"display_name": "all ends", "states": ["FAILED", "SUCCEEDED"], "slack": {"channel": "#ops"}}
    answer = _put(api, path, changed)
    assert answer.status == 200, answer.content
    assert URL not in answer.content.decode()
    assert answer.json["slack"] == {"url": "https://hooks.slack.com/…", "channel": "#ops"}
    row = api.database.read_now(lambda c: notices.get(c, made["notification_id"]))
    assert json.loads(row.secrets) == {"url": URL}
    moved = _put(api, path, {"display_name": "x", "webhook": {}})
    assert (moved.status, "give either url" in moved.message) == (400, True)
