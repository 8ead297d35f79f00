"""What pages of triggers, notifications, recurring runs and artifacts say, and what their forms send."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.components.pipelines.ui import record_finds
from sampan.components.pipelines.ui.artifacts import model as artifacts
from sampan.components.pipelines.ui.events import notification_model as notifications
from sampan.components.pipelines.ui.events import trigger_model as triggers
from sampan.components.pipelines.ui.recurring import model as recurring
from sampan.ui import words


@pytest.mark.parametrize(
    ("trigger", "words"),
    [
        ({"webhook": {}}, "on a webhook"),
        ({"webhook": {"events": ["push", "tag"]}}, "on a webhook (push, tag)"),
        ({"file": {"folder": "/in/", "glob": "*.csv"}}, "on files /in/*.csv"),
        ({"object": {"uri": "s3://b/in", "glob": "*"}}, "on objects s3://b/in/*"),
        ({"artifact": {"type": "system.Model", "name": "best*"}}, "on a new system.Model named best*"),
        ({"run": {"states": ["FAILED", "CANCELED"]}}, "when a run has failed or been stopped"),
    ],
)
def test_triggers_in_words(trigger: dict[str, Any], words: str) -> None:
    assert triggers.when(trigger) == words


def test_a_form_sends_what_the_source_has_and_keeps_what_it_has_no_field_for() -> None:
    there = {"run": {"pipeline_id": "p", "experiment_id": "e", "states": ["SUCCEEDED"], "name": "old"}}
    sent = triggers.source("run", {"name": "", "states": ["FAILED"]}, there)
    assert sent == {"run": {"pipeline_id": "p", "experiment_id": "e", "states": ["FAILED"]}}
    given = {"folder": "/in", "glob": "", "settle_seconds": 0, "include_existing": False, "states": []}
    assert triggers.source("file", given, {}) == {"file": {"folder": "/in", "settle_seconds": "0"}}
    hook = {"webhook": {"secret_ref": {"name": "s", "key": "k"}}}
    assert triggers.source("webhook", {"events": "a, b", "secret": ""}, hook) == {
        "webhook": {"events": ["a", "b"], "secret_ref": {"name": "s", "key": "k"}}
    }
    assert triggers.source("webhook", {"events": "", "secret": "new one"}, hook) == {
        "webhook": {"secret": "new one"}
    }


@pytest.mark.parametrize(
    ("text", "declared", "value"),
    [
        ("5", "STRING", "5"),
        ("5", "NUMBER_INTEGER", 5),
        ("0.5", "NUMBER_DOUBLE", 0.5),
        ("true", "BOOLEAN", True),
        ("[1]", "LIST", [1]),
        ("{{event.n}}", "NUMBER_INTEGER", "{{event.n}}"),
        ("five", "NUMBER_INTEGER", "five"),
    ],
)
def test_parameters_have_their_types(text: str, declared: str, value: Any) -> None:
    assert triggers.parameter(text, declared) == value


def test_the_inputs_of_pipelines_of_both_kinds() -> None:
    ir = {
        "root": {
            "inputDefinitions": {
                "parameters": {"n": {"parameterType": "NUMBER_INTEGER", "defaultValue": 7.0}}
            }
        }
    }
    assert triggers.inputs(ir) == triggers.inputs({"pipeline_spec": ir}) == [("n", "NUMBER_INTEGER", 7.0)]
    assert triggers.default_word(7.0, "NUMBER_INTEGER") == "7"
    workflow = {"spec": {"arguments": {"parameters": [{"name": "m", "value": "x"}]}}}
    assert triggers.inputs(workflow) == [("m", "STRING", "x")]


def test_notifications_in_words() -> None:
    mail = {"states": ["FAILED", "PAUSED"], "longer_than_seconds": "3600", "email": {"to": ["a@b.c"]}}
    said = "when a run has failed or waits for a decision or takes longer than one hour"
    assert (notifications.when(mail), notifications.to_whom(mail)) == (said, "a@b.c")
    chat = {"slack": {"url": "https://x/…", "channel": "#ml"}}
    assert notifications.to_whom(chat) == "https://x/… #ml"


def test_a_notification_keeps_what_is_left_empty() -> None:
    there = {"webhook": {"url": "https://x/…", "secret_ref": {"name": "s", "key": "k"}}}
    kept = notifications.target("webhook", {"url": "", "secret": ""}, there)
    assert kept == {"webhook": {"secret_ref": {"name": "s", "key": "k"}}}
    assert notifications.target("webhook", {"url": "https://y", "secret": "z"}, there) == {
        "webhook": {"url": "https://y", "secret": "z"}
    }


@pytest.mark.parametrize(
    ("text", "seconds"), [("", 0), ("90", 90), ("15m", 900), ("1h30m", 5400), ("2 h", 7200)]
)
def test_durations(text: str, seconds: int) -> None:
    assert notifications.seconds(text) == seconds


@pytest.mark.parametrize("text", ["h", "1x", "1h30", "-5"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        notifications.seconds(text)


def test_states_of_recurring_runs() -> None:
    base = {"status": "ENABLED", "next_tick_at": "2026-01-01T00:00:00Z"}
    assert recurring.state(base)[0] == "Active"
    assert recurring.state({"status": "ENABLED"})[0] == "Over"
    assert recurring.state(base | {"error": {"message": "no such version"}})[::3] == (
        "Cannot start runs",
        "no such version",
    )
    assert recurring.state({"status": "DISABLED"})[0] == "Paused"
    workflow = {"spec": {"schedules": ["*/5 * * * *"], "timezone": "UTC"}}
    assert recurring.cron_workflow_when(workflow) == ("Every 5 minutes", "UTC")


def test_lineage_is_a_graph_from_left_to_right() -> None:
    lineage = {
        "artifacts": [{"artifact_id": "a", "name": "data", "type": "Dataset"}],
        "executions": [{"task_id": "t", "name": "train", "run_id": "r", "run": "one", "state": "SUCCEEDED"}],
        "uses": [
            {"artifact_id": "a", "task_id": "t", "how": "READ", "key": "data"},
            {"artifact_id": "a", "task_id": "t", "how": "WROTE", "key": "out"},
        ],
    }
    graph = artifacts.graph(lineage, "a")
    assert [(edge.source, edge.target) for edge in graph.edges] == [
        ("artifact:a", "task:t"),
        ("task:t", "artifact:a"),
    ]
    assert artifacts.path_of("artifact:a", lineage) == ("/artifacts/a", {})
    assert artifacts.path_of("task:t", lineage) == ("/runs/r", {"task": "t"})
    assert artifacts.path_of("", lineage) == artifacts.path_of("task:x", lineage) == ("", {})


def test_deleting_an_artifact_names_who_loses_it() -> None:
    artifact = {
        "uri": "/a",
        "owned": True,
        "digest": "d",
        "size_bytes": 2048,
        "file_count": 1,
        "produced_by": {"run_id": "one"},
        "used_by": [
            {"run_id": "one", "run": "first", "how": "READ", "name": "train"},
            {"run_id": "two", "run": "second", "how": "REUSED", "name": "prepare"},
        ],
    }
    lost = artifacts.deletion(artifact)
    assert "Its files (2.0 KiB), unless another artifact lies there." in lost
    assert "The run second, taken from the cache by prepare has it no longer." in lost
    assert not any("first" in line for line in lost)
    assert artifacts.has_other_users(artifact)


@pytest.mark.parametrize(
    ("artifact", "is_file"),
    [
        ({"stored": True, "uri": "/home/a b", "file_count": 1}, True),
        ({"stored": True, "uri": "gs://bucket/k/x", "file_count": 1}, True),
        ({"stored": True, "uri": "/folder", "file_count": 3}, False),
        ({"stored": False, "uri": "/gone"}, False),
        ({"stored": True, "uri": "https://example.com/x"}, False),
    ],
)
def test_what_can_be_downloaded(artifact: dict[str, Any], is_file: bool) -> None:
    address = artifacts.download({"artifact_id": "a/b", **artifact})
    assert address == ("/apis/v2beta1/artifacts/a%2Fb:read" if is_file else "")


def test_what_went_wrong_is_in_the_feed() -> None:
    trigger = {
        "display_name": "on push",
        "webhook": {},
        "status": "DISABLED",
        "updated_at": "2026-01-01T00:00:00Z",
        "error": {"message": "no such pipeline"},
        "error_at": "2026-01-02T00:00:00Z",
    }
    found = record_finds.event_activity(trigger, "triggers", "t1")
    assert (found.at, found.path) == ("2026-01-02T00:00:00Z", "/triggers/t1")
    assert found.text == "on push started no run: no such pipeline"


def test_counts_sizes_and_long_lists() -> None:
    assert (words.counted(1, "run|runs"), words.counted(1200, "run|runs")) == ("1 run", "1,200 runs")
    assert (words.size(10), words.size(2048), words.size(3 * 2**30)) == ("10 B", "2.0 KiB", "3.0 GiB")
    assert words.listed(list("abcdefghij"), 4) == ["a", "b", "c", "and 7 more"]
