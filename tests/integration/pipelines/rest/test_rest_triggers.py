"""Triggers: through the REST API, on a clock that the test moves, with the loops that start runs."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import hmac
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sampan.components.pipelines.api.events import Event, EventKind
from sampan.components.pipelines.api.settings import PipelineSettings
from sampan.components.pipelines.api.states import ArtifactType, RuntimeState
from sampan.components.pipelines.engine.triggers.firing import Firing
from sampan.components.pipelines.engine.triggers.places import NoBuckets
from sampan.components.pipelines.engine.triggers.service import Loops
from sampan.components.pipelines.engine.triggers.watching import Watcher
from sampan.components.pipelines.rest import Api, Backend
from sampan.components.pipelines.store import artifacts, deliveries, event_triggers, pipelines, transitions
from sampan.components.pipelines.store.artifacts import ArtifactRow
from sampan.components.pipelines.store.transitions import RunState, Transition
from sampan.kube.kinds import NAMESPACES, SECRETS
from sampan.lib.clock import to_micros
from sampan.lib.ids import new_uid
from sampan.store.artifacts.local import LocalStore
from sampan.store.artifacts.protocol import ObjectMissingError

SECRET = "correct horse battery"


class Clock:
    """Moves when it is told to."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 3, 1, tzinfo=UTC)
        self.passed = 0.0

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.passed

    def move(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)
        self.passed += seconds


class CrashError(BaseException):
    """Ends everything in the middle, as `kill -9` does."""


class Triggered:
    """The API and the loops of triggers on a clock of their own."""

    def __init__(self, api: Any, spec: Any, **settings: Any) -> None:
        self.api, self.spec = api, spec
        self.clock = Clock()
        self.settings = PipelineSettings(**settings)
        self.buckets: Any = NoBuckets()
        self.restart()

    def restart(self) -> None:
        """A new process on the same database."""
        self.backend: Backend = dataclasses.replace(
            self.api.app._backend,
            clock=self.clock,
            settings=self.settings,
            trigger_loops=Loops(self.wake, self.fire_now),
            buckets=self.buckets,
        )
        self.api.app = Api(self.backend)
        self.firing = Firing(self.api.database, self.clock, self.backend.creator)
        self.watcher = Watcher(self.api.database, self.clock, self.backend.places, self.firing.wake)

    def wake(self) -> None:
        self.watcher.wake()

    async def fire_now(self, delivery_id: str) -> None:
        await self.firing.fire(delivery_id)

    def asked(self, **fields: Any) -> Any:
        body = {
            "display_name": "On push",
            "pipeline_spec": self.spec(ref="STRING"),
            "runtime_config": {"parameters": {"ref": "x"}},
        } | fields
        return self.api.post("/v2/triggers", body)

    def made(self, **fields: Any) -> dict[str, Any]:
        answer = self.asked(**fields)
        assert answer.status == 200, answer.content
        return dict(answer.json)

    def get(self, trigger: dict[str, Any]) -> dict[str, Any]:
        return dict(self.api.get(f"/v2/triggers/{trigger['trigger_id']}").json)

    def post(self, trigger: dict[str, Any], body: bytes, **headers: str) -> Any:
        sent = {key.replace("_", "-"): value for key, value in headers.items()}
        return self.api.call("POST", f"/v2/triggers/{trigger['trigger_id']}:fire", {}, body, sent)

    def fire(self, trigger: dict[str, Any], body: Any = None, **headers: str) -> Any:
        content = json.dumps(body if body is not None else {}).encode()
        return self.post(trigger, content, x_gitlab_token=trigger["webhook"].get("secret", SECRET), **headers)

    def turn(self) -> float:
        while (pause := self.api.run(self.firing.turn())) == 0:
            pass
        return float(pause)

    def look(self, seconds: float = 0) -> float:
        self.clock.move(seconds)
        pause = self.api.run(self.watcher.turn())
        self.turn()
        return float(pause)

    def runs(self) -> list[dict[str, Any]]:
        return list(self.api.get("/v2/runs", page_size=200, sort_by="created_at").json.get("runs", []))

    def parameters(self) -> list[Any]:
        return [run["runtime_config"]["parameters"]["ref"] for run in self.runs()]

    def deliveries(self, trigger: dict[str, Any]) -> list[dict[str, Any]]:
        path = f"/v2/triggers/{trigger['trigger_id']}/deliveries"
        return list(self.api.get(path, page_size=200, sort_by="created_at desc").json.get("deliveries", []))

    def states(self, trigger: dict[str, Any]) -> list[str]:
        return [each["state"] for each in self.deliveries(trigger)]

    def end(self, run_id: str, state: RuntimeState = RuntimeState.SUCCEEDED, error: str = "") -> None:
        self.clock.move(1)
        moment = to_micros(self.clock.now())
        transition = Transition(run_id, run=[RunState(state, moment, error)])
        self.api.write(lambda connection: transitions.apply(connection, transition))

    def started(self, **fields: Any) -> str:
        body = {
            "display_name": "some run",
            "pipeline_spec": self.spec(ref="STRING"),
            "runtime_config": {"parameters": {"ref": "given"}},
        } | fields
        answer = self.api.post("/v2/runs", body)
        assert answer.status == 200, answer.content
        return str(answer.json["run_id"])


@pytest.fixture
def on(api: Any, spec: Any) -> Triggered:
    return Triggered(api, spec)


def signed(body: bytes, secret: str) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


# Made, read, listed


def test_a_trigger_is_read_back_as_it_was_made_but_for_its_secret(on: Triggered) -> None:
    made = on.made(
        webhook={"events": ["push"]},
        description="d",
        conditions={"body.ref": "refs/heads/*"},
        max_concurrency=3,
        runtime_config={"parameters": {"ref": "{{event.body.ref}}"}},
    )
    secret = made["webhook"].pop("secret")
    assert len(secret) > 30
    read = on.get(made)
    assert read == made
    assert (read["status"], read["max_concurrency"], read["webhook"]) == (
        "ENABLED",
        "3",
        {"events": ["push"]},
    )
    listed = on.api.get("/v2/triggers").json
    assert (listed["total_size"], listed["triggers"]) == (1, [read])
    assert secret not in on.api.get("/v2/triggers").content.decode()


def test_a_given_secret_is_never_given_out(on: Triggered) -> None:
    made = on.made(webhook={"secret": SECRET})
    assert made["webhook"] == {}
    assert SECRET not in json.dumps(on.get(made))
    assert on.post(made, b"{}", x_gitlab_token=SECRET).status == 200


def test_the_list_is_filtered_sorted_and_paged(on: Triggered) -> None:
    for index in range(5):
        on.clock.move(1)
        on.made(display_name=f"t{index}", webhook={}) if index % 2 else on.made(
            display_name=f"t{index}", run={}
        )

    def listed(**query: Any) -> list[str]:
        return [each["display_name"] for each in on.api.get("/v2/triggers", **query).json.get("triggers", [])]

    assert listed(sort_by="created_at desc") == ["t4", "t3", "t2", "t1", "t0"]
    predicate = {"operation": "EQUALS", "key": "kind", "string_value": "run"}
    assert listed(filter=json.dumps({"predicates": [predicate]})) == ["t0", "t2", "t4"]
    first = on.api.get("/v2/triggers", page_size=3).json
    assert listed(page_size=3, page_token=first["next_page_token"]) == ["t3", "t4"]
    for key in ("secret", "source", "x; DROP TABLE kfp_triggers"):
        predicate = {"operation": "EQUALS", "key": key, "string_value": "x"}
        assert on.api.get("/v2/triggers", filter=json.dumps({"predicates": [predicate]})).status == 400
        assert on.api.get("/v2/triggers", sort_by=key.split(";")[0]).status == 400


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"display_name": ""}, "trigger.display_name"),
    ({}, "give exactly one of webhook, file, object, artifact, run"),
    ({"webhook": {}, "run": {}}, "only one of webhook and run"),
    ({"webhook": {}, "pipeline_spec": None}, "give pipeline_spec"),
    ({"webhook": {}, "max_concurrency": 0}, "trigger.max_concurrency must be at least 1"),
    ({"webhook": {"secret": "short"}}, "trigger.webhook.secret"),
    ({"webhook": {"secret_ref": {"name": "x"}}}, "trigger.webhook.secret_ref.key"),
    ({"webhook": {"header": "x"}}, "unknown field 'header'"),
    ({"webhook": {}, "runtime_config": {"parameters": {"ref": "{{event.path}}"}}}, "parameters.ref"),
    ({"webhook": {}, "runtime_config": {"parameters": {"rev": "x"}}}, "rev"),
    ({"webhook": {}, "runtime_config": {"parameters": {"ref": 7}}}, "ref"),
    ({"webhook": {}, "conditions": {"path": "x"}}, "trigger.conditions"),
    ({"webhook": {}, "experiment_id": "nowhere"}, "nowhere"),
    ({"file": {"folder": "in"}}, "trigger.file.folder must be an absolute path"),
    ({"file": {"folder": "/nowhere/at/all"}}, "is no folder"),
    ({"file": {"folder": "/tmp", "glob": "../*"}}, "trigger.file.glob"),
    ({"file": {"folder": "/tmp", "settle_seconds": 9999}}, "trigger.file.settle_seconds"),
    ({"object": {"uri": "bucket/x"}}, "trigger.object.uri"),
    ({"object": {"uri": "s3://bucket/x"}}, "object stores"),
    ({"artifact": {}}, "trigger.artifact: say which"),
    ({"artifact": {"type": "system.Model", "pipeline_id": "x"}}, "trigger.artifact.pipeline_id"),
    ({"run": {"states": ["RUNNING"]}}, "trigger.run.states"),
    ({"run": {"experiment_id": "x"}}, "trigger.run.experiment_id"),
]


def test_what_cannot_be_is_refused_with_the_field(on: Triggered) -> None:
    for fields, words in REFUSED:
        answer = on.asked(**fields)
        assert answer.status in (400, 404)
        assert words in answer.message
    assert on.api.get("/v2/triggers").json == {}


# Webhooks


def test_a_push_as_github_sends_it_starts_one_run(on: Triggered) -> None:
    made = on.made(
        webhook={"secret": SECRET, "events": ["push"]},
        conditions={"body.ref": "refs/heads/*"},
        runtime_config={
            "parameters": {"ref": "{{event.body.ref}} by {{ event.body.commits.0.author.name }}"}
        },
    )

    def push(ref: str, delivery: str, event: str = "push", secret: str = SECRET) -> Any:
        body = json.dumps({"ref": ref, "commits": [{"author": {"name": "Zoë"}}]}).encode()
        return on.post(
            made,
            body,
            content_type="application/json",
            x_github_event=event,
            x_github_delivery=delivery,
            x_hub_signature_256=signed(body, secret),
        )

    first = push("refs/heads/main", "d-1")
    assert (first.status, first.json["state"]) == (200, "STARTED")
    # GitHub sends it again: the same delivery.
    assert push("refs/heads/main", "d-1").json["run_id"] == first.json["run_id"]
    assert push("refs/tags/v1", "d-2").json["state"] == "SKIPPED"
    assert push("refs/heads/main", "d-3", event="ping").json["state"] == "SKIPPED"
    assert push("refs/heads/main", "d-4", secret="guessed it").status == 401
    assert on.parameters() == ["refs/heads/main by Zoë"]
    assert on.api.engine.submitted == [first.json["run_id"]]
    assert on.get(made)["runs_started"] == "1"
    assert sorted(on.states(made)) == ["SKIPPED", "SKIPPED", "STARTED"]


BODY = b'{"a": 1}'


PROOFS: list[tuple[dict[str, str], int]] = [
    ({"x-hub-signature-256": signed(BODY, SECRET)}, 200),
    ({"x-gitlab-token": SECRET}, 200),
    ({"authorization": f"Bearer {SECRET}"}, 200),
    ({"authorization": f"bearer {SECRET}"}, 200),
    ({}, 401),
    ({"x-hub-signature-256": ""}, 401),
    ({"x-hub-signature-256": signed(BODY, "")}, 401),
    ({"x-hub-signature-256": signed(BODY, SECRET).removeprefix("sha256=")}, 401),
    ({"x-hub-signature-256": signed(BODY, SECRET).upper()}, 401),
    ({"x-hub-signature-256": signed(BODY + b" ", SECRET)}, 401),
    ({"x-hub-signature-256": signed(BODY, SECRET)[:-1]}, 401),
    ({"x-hub-signature": "sha1=" + hmac.new(SECRET.encode(), BODY, hashlib.sha1).hexdigest()}, 401),
    ({"x-gitlab-token": ""}, 401),
    ({"x-gitlab-token": SECRET + "x"}, 401),
    ({"x-gitlab-token": "\xff\xfe"}, 401),
    ({"authorization": f"Basic {SECRET}"}, 401),
    ({"authorization": "Bearer "}, 401),
    # A right proof does not make up for a wrong one.
    ({"x-gitlab-token": SECRET, "x-hub-signature-256": signed(BODY, "other")}, 401),
]


def test_who_does_not_prove_to_know_the_secret_starts_nothing(on: Triggered) -> None:
    made = on.made(webhook={"secret": SECRET}, max_concurrency=100)
    for headers, status in PROOFS:
        answer = on.api.call("POST", f"/v2/triggers/{made['trigger_id']}:fire", {}, BODY, headers)
        assert answer.status == status, headers
        assert SECRET not in answer.content.decode()
    assert len(on.runs()) == sum(status == 200 for _, status in PROOFS)


def test_a_secret_may_be_one_of_the_namespace(on: Triggered) -> None:
    made = on.made(webhook={"secret_ref": {"name": "hook", "key": "token"}})
    missing = on.post(made, b"{}", x_gitlab_token="")
    assert (missing.status, "default/hook does not exist" in missing.message) == (400, True)
    space = {"metadata": {"name": "default"}}
    on.api.run(on.api.kubernetes.client.create(NAMESPACES, space))
    body = {"metadata": {"name": "hook", "namespace": "default"}, "stringData": {"token": SECRET}}
    on.api.run(on.api.kubernetes.client.create(SECRETS, body))
    assert on.post(made, b"{}", x_gitlab_token=SECRET).json["state"] == "STARTED"
    assert on.post(made, b"{}", x_gitlab_token="other").status == 401


def test_values_keep_their_types_and_texts_become_what_the_pipeline_declares(on: Triggered) -> None:
    made = on.made(
        webhook={},
        pipeline_spec=on.spec(
            ref="STRING", n="NUMBER_INTEGER", x="NUMBER_DOUBLE", b="BOOLEAN", s="STRUCT", l="LIST"
        ),
        runtime_config={
            "parameters": {
                "ref": "n is {{event.body.n}}, s is {{event.body.s}}",
                "n": "{{event.headers.x-n}}",
                "x": "{{event.body.n}}",
                "b": "{{event.query.b}}",
                "s": "{{event.body.s}}",
                "l": ["{{event.body.n}}", {"deep": "{{event.body.dotted.key}}"}],
            }
        },
    )
    path, token = f"/v2/triggers/{made['trigger_id']}:fire", made["webhook"]["secret"]
    body = json.dumps({"n": 7, "s": {"k": [1, None]}, "dotted.key": "d"}).encode()
    answer = on.api.call("POST", path, {"b": "true"}, body, {"x-gitlab-token": token, "x-n": "41"})
    assert answer.status == 200, answer.content
    assert on.runs()[0]["runtime_config"]["parameters"] == {
        "ref": 'n is 7, s is {"k": [1, null]}',
        "n": 41,
        "x": 7,
        "b": True,
        "s": {"k": [1, None]},
        "l": [7, {"deep": "d"}],
    }


def test_an_event_without_what_is_asked_for_fails_and_can_be_sent_again(on: Triggered) -> None:
    made = on.made(webhook={}, runtime_config={"parameters": {"ref": "{{event.body.ref}}"}})
    answer = on.fire(made, {}, x_github_delivery="d-1")
    assert (answer.status, "parameter 'ref': the event has no body.ref" in answer.message) == (400, True)
    assert on.get(made)["error"]["message"] == answer.message
    assert on.get(made)["error_at"] == "2026-03-01T00:00:00Z"
    [failed] = on.deliveries(made)
    assert (failed["state"], failed["error"]["code"]) == ("FAILED", 3)
    path = f"/v2/triggers/{made['trigger_id']}/deliveries/{failed['delivery_id']}"
    assert on.api.get(path).json["event"]["delivery_id"] == "d-1"
    assert on.api.post(f"{path}:retry").json["state"] == "FAILED"
    assert on.runs() == []
    assert on.fire(made, {"ref": "x"}, x_github_delivery="d-2").json["state"] == "STARTED"
    assert "error" not in on.get(made)


BODIES: list[tuple[bytes, str, int]] = [
    (b"not json", "application/json", 400),
    (b"[" * 100_000, "application/json", 400),
    (b'{"a":' * 300 + b"1" + b"}" * 300, "", 400),
    (b"x" * (2 * 1024 * 1024 + 1), "text/plain", 413),
    (b"just text \xff", "text/plain", 200),
    (b"", "", 200),
    (b"payload=%7B%22ref%22%3A1%7D", "application/x-www-form-urlencoded", 200),
    (b"&" * 2000, "application/x-www-form-urlencoded", 400),
    (b"payload=%7B", "application/x-www-form-urlencoded", 400),
]


def test_bodies_of_all_kinds(on: Triggered) -> None:
    made = on.made(webhook={})
    for body, content_type, status in BODIES:
        headers = {"content-type": content_type} if content_type else {}
        headers["x-gitlab-token"] = made["webhook"]["secret"]
        answer = on.api.call("POST", f"/v2/triggers/{made['trigger_id']}:fire", {}, body, headers)
        assert answer.status == status, (body[:30], answer.content)
    assert len(on.runs()) == sum(status == 200 for _, _, status in BODIES)


def test_what_proves_is_not_kept_with_the_event(on: Triggered) -> None:
    made = on.made(webhook={"secret": SECRET})
    headers = {
        "x-api-key": "k-123",
        "cookie": "c-123",
        "x-forwarded-for": "1.2.3.4",
        "authorization": f"Bearer {SECRET}",
    }
    on.api.call("POST", f"/v2/triggers/{made['trigger_id']}:fire", {}, b"{}", headers)
    [delivery] = on.deliveries(made)
    shown = on.api.get(f"/v2/triggers/{made['trigger_id']}/deliveries/{delivery['delivery_id']}")
    assert shown.json["event"]["headers"] == {"x-forwarded-for": "1.2.3.4"}
    stored = on.api.database.read_now(
        lambda c: str(c.exec_driver_sql("SELECT event FROM kfp_trigger_deliveries").all())
    )
    for text in (SECRET, "k-123", "c-123"):
        assert text not in stored


def test_a_disabled_trigger_starts_nothing_and_a_deleted_one_is_gone(on: Triggered) -> None:
    made = on.made(webhook={}, disabled=True)
    path = f"/v2/triggers/{made['trigger_id']}"
    refused = on.fire(made)
    assert (refused.status, "is disabled" in refused.message) == (400, True)
    on.api.post(f"{path}:enable")
    assert on.fire(made).json["state"] == "STARTED"
    on.api.post(f"{path}:disable")
    assert on.get(made)["status"] == "DISABLED"
    assert on.fire(made).status == 400
    assert on.api.delete(path).json == {}
    assert on.fire(made).status == 404
    assert len(on.runs()) == 1


def test_only_webhooks_can_be_fired(on: Triggered) -> None:
    made = on.made(run={})
    assert on.api.call("POST", f"/v2/triggers/{made['trigger_id']}:fire", {}, b"{}").status == 400


def test_more_than_may_run_wait_in_the_order_they_came(on: Triggered) -> None:
    made = on.made(webhook={}, max_concurrency=1, runtime_config={"parameters": {"ref": "{{event.body.n}}"}})
    other = on.made(webhook={})
    answers = []
    for n in range(4):
        on.clock.move(1)
        answers.append(on.fire(made, {"n": n}).json)
    assert [each["state"] for each in answers] == ["STARTED", "PENDING", "PENDING", "PENDING"]
    assert on.turn() <= 1.0
    assert on.fire(other).json["state"] == "STARTED"
    for n in range(1, 4):
        on.end(answers[n - 1]["run_id"])
        on.clock.move(2)
        on.turn()
    assert on.parameters() == ["0", "x", "1", "2", "3"]
    assert {run["run_id"] for run in on.runs()} >= {each["run_id"] for each in answers}


def test_a_queue_that_is_full_refuses(on: Triggered, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "MOST_WAITING", 2)
    made = on.made(webhook={}, max_concurrency=1)
    states = [on.fire(made).status for _ in range(5)]
    assert states == [200, 200, 200, 429, 429]


def test_old_deliveries_go_but_not_those_of_unfinished_runs(
    on: Triggered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "KEPT", 3)
    made = on.made(webhook={}, max_concurrency=100)
    first = on.fire(made, x_github_delivery="first").json
    for index in range(6):
        on.clock.move(1)
        on.end(on.fire(made, x_github_delivery=f"d-{index}").json["run_id"])
    kept = on.deliveries(made)
    assert len(kept) == 4
    assert kept[-1]["run_id"] == first["run_id"]
    # One that is not remembered any more: its run is.
    count = len(on.runs())
    assert on.fire(made, x_github_delivery="d-0").json["state"] == "STARTED"
    assert len(on.runs()) == count


# Crashes


@pytest.mark.parametrize("point", ["event stored", "run stored", "marked", "committed"])
def test_a_crash_between_event_and_run_neither_loses_nor_doubles(
    on: Triggered, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = on.made(webhook={})
    original = deliveries.settle

    def crash(*_: Any) -> None:
        raise CrashError

    def settle(*given: Any) -> None:
        if point == "marked":
            original(*given)
        crash()

    with monkeypatch.context() as patch:
        match point:
            case "event stored":
                patch.setattr(on, "fire_now", crash)
                on.restart()
            case "committed":
                patch.setattr(on.api.engine, "submit", crash)
            case _:
                patch.setattr(deliveries, "settle", settle)
        with pytest.raises(CrashError):
            on.fire(made, x_github_delivery="d-1")
    assert len(on.runs()) == (1 if point == "committed" else 0)
    on.restart()
    on.turn()
    assert len(on.runs()) == 1
    assert on.fire(made, x_github_delivery="d-1").json["run_id"] == on.runs()[0]["run_id"]
    on.turn()
    assert len(on.runs()) == 1


def test_a_trigger_whose_pipeline_was_deleted_says_so(on: Triggered) -> None:
    content = json.dumps(on.spec(ref="STRING")).encode()
    pipeline = on.api.upload("/v2/pipelines/upload", "p.json", content, name="daily").json
    made = on.made(
        pipeline_spec=None, pipeline_version_reference={"pipeline_id": pipeline["pipeline_id"]}, webhook={}
    )
    assert on.get(made)["pipeline_version_reference"] == {"pipeline_id": pipeline["pipeline_id"]}
    assert on.fire(made).json["state"] == "STARTED"
    on.api.delete(f"/v2/pipelines/{pipeline['pipeline_id']}", cascade="true")
    answer = on.fire(made)
    assert (answer.status, pipeline["pipeline_id"] in answer.message) == (404, True)
    assert on.get(made)["error"] == {"code": 5, "message": answer.message}


def test_archiving_an_experiment_disables_its_triggers(on: Triggered) -> None:
    experiment = on.api.post("/v2/experiments", {"display_name": "other"}).json["experiment_id"]
    made = on.made(webhook={}, experiment_id=experiment)
    on.api.post(f"/v2/experiments/{experiment}:archive")
    assert on.get(made)["status"] == "DISABLED"
    assert on.api.post(f"/v2/triggers/{made['trigger_id']}:enable").status == 400


# Files


def test_new_and_changed_files_start_one_run_each(on: Triggered, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    (folder / "old.csv").write_text("was there before")
    made = on.made(
        file={"folder": str(folder), "glob": "**/*.csv", "settle_seconds": 3},
        runtime_config={"parameters": {"ref": "{{event.relative_path}} {{event.size}}"}},
    )
    on.look()
    (folder / "a.csv").write_text("12345")
    (folder / "a.txt").write_text("other")
    (folder / "sub" / "b.csv").write_text("1")
    on.look(2)
    assert on.runs() == []
    (folder / "a.csv").write_text("1234567")  # still being written
    on.look(2)
    on.look(2)
    assert on.parameters() == ["sub/b.csv 1"]
    on.look(2)
    assert sorted(on.parameters()) == ["a.csv 7", "sub/b.csv 1"]
    on.restart()
    on.look(20)
    on.look(20)
    assert len(on.runs()) == 2
    (folder / "sub" / "b.csv").write_text("22")
    on.look(20)
    on.look(20)
    assert sorted(on.parameters()) == ["a.csv 7", "sub/b.csv 1", "sub/b.csv 2"]
    # Gone, and there again as another one.
    (folder / "a.csv").unlink()
    on.look(20)
    (folder / "a.csv").write_text("again")
    on.restart()
    on.look(20)
    on.look(20)
    assert len(on.runs()) == 4
    assert set(on.states(made)) == {"STARTED"}


def test_files_that_are_there_count_where_that_is_asked_for(on: Triggered, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_text("x")
    on.made(file={"folder": str(tmp_path / "in"), "include_existing": True, "settle_seconds": 0})
    on.look()
    on.look(20)
    assert len(on.runs()) == 1


def test_a_crash_after_a_file_was_seen_leaves_one_run(
    on: Triggered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    on.made(file={"folder": str(tmp_path / "in"), "settle_seconds": 0})
    on.look()
    (tmp_path / "in" / "a").write_text("x")
    original = event_triggers.see

    def crash(*given: Any) -> None:
        original(*given)
        raise CrashError

    with monkeypatch.context() as patch:
        patch.setattr(event_triggers, "see", crash)
        with pytest.raises(CrashError):
            on.look(5)
    on.restart()
    on.look(5)
    on.look(5)
    assert len(on.runs()) == 1


def test_what_happens_while_it_is_disabled_starts_nothing(on: Triggered, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    made = on.made(file={"folder": str(tmp_path / "in"), "settle_seconds": 0})
    path = f"/v2/triggers/{made['trigger_id']}"
    on.api.post(f"{path}:disable")
    (tmp_path / "in" / "a").write_text("x")
    on.look(20)
    on.clock.move(1)
    on.api.post(f"{path}:enable")
    on.look(20)
    (tmp_path / "in" / "b").write_text("x")
    on.look(20)
    assert len(on.runs()) == 1


def test_a_folder_that_is_gone_is_told_and_looked_at_again(on: Triggered, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a").write_text("x")
    made = on.made(file={"folder": str(folder), "settle_seconds": 0})
    on.look()
    folder.rename(tmp_path / "away")
    on.look(20)
    assert "cannot be looked into" in on.get(made)["error"]["message"]
    (tmp_path / "away").rename(folder)
    on.look(20)
    assert "error" not in on.get(made)
    assert on.runs() == []


def test_links_are_not_followed_and_a_flood_of_files_is_told(
    on: Triggered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, secret = tmp_path / "in", tmp_path / "secret"
    folder.mkdir()
    secret.mkdir()
    (secret / "x.csv").write_text("x")
    made = on.made(file={"folder": str(folder), "glob": "**", "settle_seconds": 0})
    (folder / "link.csv").symlink_to(secret / "x.csv")
    (folder / "folder").symlink_to(secret)
    os.mkfifo(folder / "pipe")
    on.look(20)
    assert on.runs() == []
    monkeypatch.setattr("sampan.components.pipelines.engine.triggers.places.MOST_ENTRIES", 5)
    for index in range(10):
        (folder / f"f{index}").write_text("x")
    on.look(20)
    assert "more than 5 entries" in on.get(made)["error"]["message"]


def test_folders_outside_of_what_the_namespace_may_watch_are_refused(
    api: Any, spec: Any, tmp_path: Path
) -> None:
    own, other = tmp_path / "data" / "default", tmp_path / "data" / "other"
    for folder in (own / "in", other):
        folder.mkdir(parents=True)
    on = Triggered(api, spec, watch_roots=(f"{tmp_path}/data/{{namespace}}", "s3://bucket/{namespace}/"))
    (own / "escape").symlink_to(other)
    for folder in (other, own / ".." / "other", own / "escape", tmp_path, Path("/etc"), Path(f"{own}-2")):
        answer = on.asked(file={"folder": str(folder)})
        assert (answer.status, "outside of what may be watched" in answer.message) == (400, True), folder
    for uri in ("s3://bucket/other", "s3://bucket/default2", "s3://bucket", "s3://else/default"):
        assert "outside of what may be watched" in on.asked(object={"uri": uri}).message
    made = on.made(file={"folder": str(own / "in"), "settle_seconds": 0})
    # Swapped for a link while it is watched.
    on.look()
    (own / "in").rmdir()
    (own / "in").symlink_to(other)
    (other / "theirs").write_text("x")
    on.look(20)
    assert on.runs() == []
    assert "outside" in on.get(made)["error"]["message"]


class FolderBuckets:
    """Buckets that are folders: `LocalStore` is an artifact store as any other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def refresh(self, namespace: str) -> None:
        """Nothing to learn."""

    def open(self, namespace: str, uri: str) -> tuple[Any, str]:
        bucket, _, prefix = uri.partition("://")[2].partition("/")
        if not (self.folder / bucket).is_dir():
            raise ObjectMissingError(f"there is no bucket {bucket}")
        return LocalStore(self.folder / bucket), prefix


def test_objects_below_a_prefix_start_runs_as_files_do(on: Triggered, tmp_path: Path) -> None:
    inbox = tmp_path / "buckets" / "b" / "in"
    (inbox / "deep").mkdir(parents=True)
    (inbox / "old.csv").write_text("was there")
    on.buckets = FolderBuckets(tmp_path / "buckets")
    on.restart()
    source = {"uri": "s3://b/in", "glob": "*.csv", "settle_seconds": 0}
    made = on.made(object=source, runtime_config={"parameters": {"ref": "{{event.uri}} {{event.key}}"}})
    on.look()
    (inbox / "new.csv").write_text("x")
    (inbox / "deep" / "other.csv").write_text("x")
    on.look(20)
    assert on.parameters() == ["s3://b/in/new.csv new.csv"]
    (tmp_path / "buckets" / "b").rename(tmp_path / "buckets" / "away")
    on.look(20)
    assert "there is no bucket b" in on.get(made)["error"]["message"]
    (tmp_path / "buckets" / "away").rename(tmp_path / "buckets" / "b")
    (inbox / "new.csv").write_text("another version")
    on.restart()
    on.look(20)
    on.look(20)
    assert len(on.runs()) == 2
    assert "error" not in on.get(made)


# Artifacts and runs


def artifact(name: str = "model", kind: str = "system.Model", run_id: str = "") -> ArtifactRow:
    return ArtifactRow(
        new_uid(), "default", name, ArtifactType.Model, f"s3://b/{name}", 1, kind, metadata={"auc": 0.9},
        producer_run_id=run_id,
    )  # fmt: skip


def test_a_new_model_starts_a_run(on: Triggered) -> None:
    made = on.made(
        artifact={"type": "system.Model", "name": "fraud-*"},
        conditions={"metadata.auc": "0.*"},
        runtime_config={"parameters": {"ref": "{{event.uri}} {{event.metadata.auc}}"}},
    )
    rows = [artifact("fraud-v1"), artifact("other"), artifact("fraud-v2", "system.Dataset")]
    on.api.write(lambda connection: artifacts.insert(connection, rows))
    on.turn()
    assert on.parameters() == ["s3://b/fraud-v1 0.9"]
    assert on.states(made) == ["STARTED"]


def test_other_components_tell_of_events_by_the_sink(on: Triggered) -> None:
    on.made(artifact={"type": "system.Model"}, runtime_config={"parameters": {"ref": "{{event.name}}"}})
    event = Event(EventKind.ARTIFACT, "default", "registry/7", {"type": "system.Model", "name": "v7"})
    assert on.api.run(on.backend.triggers.publish(event)) == 1
    assert on.api.run(on.backend.triggers.publish(event)) == 1
    elsewhere = dataclasses.replace(event, namespace="other", identity="registry/8")
    assert on.api.run(on.backend.triggers.publish(elsewhere)) == 0
    on.turn()
    assert on.parameters() == ["v7"]


def test_the_end_of_a_run_starts_the_next_with_what_it_gave(on: Triggered) -> None:
    on.made(
        run={"states": ["FAILED", "SUCCEEDED"], "name": "some *"},
        runtime_config={"parameters": {"ref": "{{event.name}} {{event.state}} {{event.parameters.ref}}"}},
    )
    first = on.started()
    on.end(first, RuntimeState.RUNNING)
    on.turn()
    assert len(on.runs()) == 1
    on.end(first, RuntimeState.FAILED, "it broke")
    on.turn()
    assert on.parameters() == ["given", "some run FAILED given"]
    other = on.started(display_name="other")
    on.end(other)
    on.end(first, RuntimeState.RUNNING)  # tried again: another end, another run
    on.end(first)
    on.turn()
    assert on.parameters()[-1] == "some run SUCCEEDED given"
    assert len(on.runs()) == 4


def test_an_end_is_of_the_pipeline_and_experiment_that_are_meant(on: Triggered) -> None:
    ids = []
    for name in ("one", "two"):
        content = json.dumps(on.spec(name, ref="STRING")).encode()
        ids.append(on.api.upload("/v2/pipelines/upload", "p.json", content, name=name).json["pipeline_id"])
    made = on.made(run={"pipeline_id": ids[0]})
    for pipeline_id in ids:
        reference = {"pipeline_id": pipeline_id}
        on.end(on.started(pipeline_spec=None, pipeline_version_reference=reference))
    on.turn()
    assert on.states(made) == ["STARTED"]


def test_runs_that_start_each_other_without_end_are_stopped(on: Triggered) -> None:
    made = on.made(run={}, max_concurrency=100)
    on.end(on.started())
    for _ in range(15):
        on.turn()
        for run in on.runs():
            if run["state"] == "PENDING":
                on.end(run["run_id"])
    assert len(on.runs()) == deliveries.MOST_DEPTH + 1
    [failed] = [each for each in on.deliveries(made) if each["state"] == "FAILED"]
    assert "taken for a circle" in failed["error"]["message"]


def test_a_run_that_ends_in_a_crashed_transaction_tells_nobody(
    on: Triggered, monkeypatch: pytest.MonkeyPatch
) -> None:
    on.made(run={})
    first = on.started()
    original = deliveries.take_in

    def crash(*given: Any) -> None:
        original(*given)
        raise CrashError

    with monkeypatch.context() as patch:
        patch.setattr(deliveries, "take_in", crash)
        with pytest.raises(CrashError):
            on.end(first)
    assert on.api.get(f"/v2/runs/{first}").json["state"] == "PENDING"
    on.end(first)
    on.restart()
    on.turn()
    assert len(on.runs()) == 2


def test_a_trigger_of_one_namespace_hears_nothing_of_another(on: Triggered) -> None:
    on.made(run={})
    first = on.started()
    on.api.write(lambda c: c.exec_driver_sql("UPDATE kfp_runs SET namespace = 'other'"))
    on.end(first)
    on.turn()
    assert (
        on.api.database.read_now(
            lambda c: c.exec_driver_sql("SELECT count(*) FROM kfp_trigger_deliveries").scalar()
        )
        == 0
    )


def test_a_pipeline_of_another_namespace_cannot_be_named(on: Triggered) -> None:
    row = pipelines.PipelineRow("p-other", "other", "theirs", "theirs", created_at=1)
    on.api.write(lambda connection: pipelines.insert(connection, row))
    for fields in (
        {"webhook": {}, "pipeline_spec": None, "pipeline_version_reference": {"pipeline_id": "p-other"}},
        {"run": {"pipeline_id": "p-other"}},
        {"artifact": {"pipeline_id": "p-other"}},
    ):
        assert on.asked(**fields).status == 404


def test_a_thousand_triggers_that_nothing_happens_to_ask_for_nothing(on: Triggered, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    first = on.made(file={"folder": str(tmp_path / "in")})
    row = on.api.database.read_now(lambda c: event_triggers.get(c, first["trigger_id"]))
    assert row is not None

    def more(connection: Any) -> None:
        for index in range(1000):
            kind = ("file", "webhook", "run", "artifact")[index % 4]
            source = row.source if kind == "file" else '{"type": "system.Model", "states": ["FAILED"]}'
            event_triggers.insert(
                connection, dataclasses.replace(row, trigger_id=f"t{index}", kind=kind, source=source)
            )

    on.api.write(more)
    on.watcher.wake()
    on.look(20)
    looks: list[Any] = []
    places = on.watcher._places
    original = places._look
    places._look = lambda place: looks.append(place) or original(place)  # type: ignore[method-assign]
    reads: list[Any] = []
    read = on.api.database.read
    on.api.database.read = lambda fn: reads.append(fn) or read(fn)
    on.look(20)
    # One look at the one folder, and the queue's two questions.
    assert (len(looks), len(reads)) == (1, 2)
    assert on.api.run(on.firing.turn()) == 15.0


def test_deliveries_that_come_together_start_a_run_each(on: Triggered) -> None:
    """From the webhook, from the loop, and a second time: all at once."""
    made = on.made(webhook={}, max_concurrency=100)
    row = on.api.database.read_now(lambda c: event_triggers.get(c, made["trigger_id"]))
    assert row is not None
    events = [Event(EventKind.WEBHOOK, "default", f"d-{n}", {"n": n}) for n in range(5)]

    async def at_once() -> None:
        triggers = on.backend.triggers
        await asyncio.gather(
            *(triggers.fire(made["trigger_id"], event) for event in events * 3),
            *(on.firing.turn() for _ in range(3)),
        )

    on.api.run(at_once())
    on.turn()
    assert on.states(made) == ["STARTED"] * 5
    assert len(on.runs()) == 5
    assert on.get(made)["runs_started"] == "5"
