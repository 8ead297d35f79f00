"""Resuming and continuing runs over REST: what is handed to the engine, what comes back, what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sampan.components.pipelines.engine.resumption import Action, Decision, StepChange
from sampan.components.pipelines.store import runs


def ended(api: Any, spec: Any) -> str:
    body = {"display_name": "first", "pipeline_spec": spec(n="NUMBER_INTEGER")}
    run_id: str = api.post("/v2/runs", {**body, "runtime_config": {"parameters": {"n": 1}}}).json["run_id"]
    api.post(f"/v2/runs/{run_id}:terminate")
    return run_id


@pytest.fixture
def plan(api: Any) -> list[Decision]:
    made = [Decision("say", "say", Action.REUSED, "reused from run x")]
    api.engine.plan = made
    return made


def test_both_runs_name_each_other_and_the_plan_comes_with_the_new_one(
    api: Any, spec: Any, plan: Any
) -> None:
    run_id = ended(api, spec)
    body = {
        "pipeline_spec": spec(n="NUMBER_INTEGER"),
        "runtime_config": {"parameters": {"n": 2}},
        "steps": {"say": {"image": "a:1", "env": {"A": "b"}}},
    }
    answer = api.post(f"/v2/runs/{run_id}:resume", body)
    assert answer.status == 200
    assert answer.json["plan"] == [
        {"task": "say", "display_name": "say", "action": "REUSED", "reason": "reused from run x"}
    ]
    new = answer.json["run"]
    assert new["display_name"] == "first (resumed)"
    assert new["resumed_from"] == run_id
    assert new["runtime_config"]["parameters"] == {"n": 2}
    wanted = api.engine.wanted[-1]
    assert (wanted.run_id, wanted.parameters) == (run_id, {"n": 2})
    assert wanted.steps == {"say": StepChange(image="a:1", env={"A": "b"})}
    assert api.get(f"/v2/runs/{run_id}").json["resumed_by"] == [new["run_id"]]
    assert api.get(f"/v2/runs/{new['run_id']}").json["resumed_from"] == run_id
    # Of a resumed run the name does not grow, and clients may send back what they were given.
    again = api.post(f"/v2/runs/{new['run_id']}:resume", {"pipeline_spec": spec(n="NUMBER_INTEGER")}).json[
        "run"
    ]
    assert again["display_name"] == "first (resumed)"
    assert (
        api.post("/v2/runs", {"display_name": "x", **_copied(again), "pipeline_spec": spec()}).status == 200
    )


def _copied(run: dict[str, Any]) -> dict[str, Any]:
    return {key: run[key] for key in ("run_id", "resumed_from", "state")}


def test_a_dry_run_stores_nothing_and_a_version_is_referred_to(api: Any, spec: Any, plan: Any) -> None:
    run_id = ended(api, spec)
    before = api.get("/v2/runs").json["total_size"]
    assert "run" not in api.post(f"/v2/runs/{run_id}:resume", {"dry_run": True}).json
    assert api.engine.wanted[-1].spec is None
    assert api.get("/v2/runs").json["total_size"] == before
    made = api.upload("/v2/pipelines/upload", "p.yaml", _json(spec(n="NUMBER_INTEGER")), name="p").json
    reference = {"pipeline_id": made["pipeline_id"]}
    answer = api.post(f"/v2/runs/{run_id}:resume", {"pipeline_version_reference": reference}).json["run"]
    assert answer["pipeline_version_reference"]["pipeline_id"] == made["pipeline_id"]


def _json(spec: dict[str, Any]) -> bytes:
    return json.dumps(spec).encode()


@pytest.mark.parametrize(
    ("verb", "body", "message"),
    [
        ("resume", {"nope": 1}, "unknown field 'nope' in ResumeRunRequest"),
        ("resume", {"steps": {"say": {"gpu": "1"}}}, "unknown field 'gpu' in StepChange"),
        ("resume", {"steps": {"say": {"image": 5}}}, "steps.say.image"),
        ("resume", {"pipeline_spec": {}, "pipeline_version_reference": {}}, "give only one of"),
        ("resume", {"dry_run": "yes"}, "dry_run"),
        ("resume", {"display_name": "x" * 300}, "display_name"),
        ("continue", {"runtime_config": {}}, "unknown field 'runtime_config' in ContinueRunRequest"),
    ],
)
def test_bad_requests_name_the_field(
    api: Any, spec: Any, plan: Any, verb: str, body: Any, message: str
) -> None:
    answer = api.post(f"/v2/runs/{ended(api, spec)}:{verb}", body)
    assert answer.status == 400
    assert message in answer.message


def test_an_unknown_run_is_not_found(api: Any, plan: Any) -> None:
    for verb in ("resume", "continue"):
        assert api.post(f"/v2/runs/nope:{verb}", {}).status == 404


def test_a_run_that_pauses_is_asked_for_in_the_query_and_continued(api: Any, spec: Any) -> None:
    body = {"display_name": "p", "pipeline_spec": spec()}
    run = api.call("POST", "/v2/runs", {"pause_on_failure": "true"}, _json(body)).json
    assert run["pause_on_failure"] is True
    stored = api.database.read_now(lambda connection: runs.get(connection, run["run_id"]))
    assert stored.pause_on_failure
    assert api.post(f"/v2/runs/{run['run_id']}:continue", {"steps": {"say": {"memory": "1Gi"}}}).json == {}
    assert api.engine.wanted[-1].steps == {"say": StepChange(memory="1Gi")}
    assert api.call("POST", "/v2/runs", {"pause_on_failure": "maybe"}, _json(body)).status == 400


def test_a_workflow_of_argos_cannot_pause(api: Any) -> None:
    template = {"name": "main", "container": {"image": "alpine", "command": ["true"]}}
    workflow = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"generateName": "w-"},
        "spec": {"entrypoint": "main", "templates": [template]},
    }
    body = _json({"display_name": "w", "pipeline_spec": workflow})
    refused = api.call("POST", "/v2/runs", {"pause_on_failure": "true"}, body)
    assert (refused.status, "Workflow of Argo's" in refused.message) == (400, True)
    assert api.call("POST", "/v2/runs", {}, body).status == 200


def test_a_run_that_takes_nothing_from_the_cache_is_asked_for_in_the_query(api: Any, spec: Any) -> None:
    cached = spec()
    for task in cached["root"]["dag"]["tasks"].values():
        task["cachingOptions"] = {"enableCache": True}
    body = {"display_name": "p", "pipeline_spec": cached}
    for flag, expected in (("true", True), ("false", False)):
        run = api.call("POST", "/v2/runs", {"enable_caching": flag}, _json(body)).json
        tasks = run["pipeline_spec"]["root"]["dag"]["tasks"].values()
        assert all(("cachingOptions" in task) is expected for task in tasks)
    assert api.call("POST", "/v2/runs", {"enable_caching": "maybe"}, _json(body)).status == 400
