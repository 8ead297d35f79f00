"""Runs through the REST API: made, listed, moved, removed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.store import runs

EPOCH = "1970-01-01T00:00:00Z"


def made(api: Any, spec: Any, **fields: Any) -> dict[str, Any]:
    body = {"display_name": "first", "pipeline_spec": spec()} | fields
    answer = api.post("/v2/runs", body)
    assert answer.status == 200, answer.content
    return answer.json


def moved(api: Any, run_id: str, state: RuntimeState, at: int = 1_700_000_000_000_000) -> None:
    api.write(lambda connection: runs.set_state(connection, run_id, state, at))


def test_a_run_of_an_inline_spec_is_stored_and_handed_to_the_engine(api: Any, spec: Any) -> None:
    given = spec(count="NUMBER_INTEGER")
    run = made(api, spec, pipeline_spec=given, runtime_config={"parameters": {"count": 3}})

    assert api.engine.submitted == [run["run_id"]]
    read = api.get(f"/v2/runs/{run['run_id']}").json
    assert read == run
    assert read["state"] == "PENDING"
    assert read["storage_state"] == "AVAILABLE"
    assert read["finished_at"] == EPOCH
    assert read["runtime_config"] == {"parameters": {"count": 3}}
    assert [entry["state"] for entry in read["state_history"]] == ["PENDING"]
    assert json.dumps(read["pipeline_spec"]) == json.dumps(given), "order of keys and numbers are kept"
    assert "namespace" not in read
    assert "error" not in read


def test_a_run_without_an_experiment_goes_to_the_default_one(api: Any, spec: Any) -> None:
    first, second = made(api, spec), made(api, spec)

    assert first["experiment_id"] == second["experiment_id"]
    experiment = api.get(f"/v2/experiments/{first['experiment_id']}").json
    assert experiment["display_name"] == "Default"
    assert experiment["last_run_created_at"] == second["created_at"]


def test_camel_case_is_read_and_snake_case_is_written(api: Any, spec: Any) -> None:
    answer = api.post("/v2/runs", {"displayName": "camel", "pipelineSpec": spec(), "serviceAccount": "sa"})

    assert answer.json["display_name"] == "camel"
    assert answer.json["service_account"] == "sa"


def test_a_platform_spec_stays_beside_the_pipeline_spec(api: Any, spec: Any) -> None:
    both = {"pipeline_spec": spec(), "platform_spec": {"platforms": {"kubernetes": {}}}}
    run = made(api, spec, pipeline_spec=both)

    assert api.get(f"/v2/runs/{run['run_id']}").json["pipeline_spec"] == both


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"display_name": ""}, "run.display_name"),
        ({"nonsense": 1}, "nonsense"),
        ({"description": 7}, "description"),
        ({"pipeline_spec": "text"}, "pipeline_spec"),
        ({"pipeline_spec": {}}, "pipeline"),
        ({"runtime_config": {"parameters": {"who": 1}}}, "who"),
        ({"runtime_config": {"parameters": []}}, "Run.runtime_config.parameters"),
        ({"pipeline_version_id": "x"}, "only one of"),
        ({"experiment_id": "missing"}, "missing"),
    ],
)
def test_what_is_wrong_with_a_run_is_named_and_nothing_is_kept(
    api: Any, spec: Any, change: dict[str, Any], named: str
) -> None:
    answer = api.post("/v2/runs", {"display_name": "bad", "pipeline_spec": spec()} | change)

    assert answer.status in (400, 404)
    assert named in answer.message
    assert api.engine.submitted == []
    assert "runs" not in api.get("/v2/runs").json


def test_a_missing_or_mistyped_parameter_is_named(api: Any, spec: Any) -> None:
    body = {"display_name": "p", "pipeline_spec": spec(count="NUMBER_INTEGER")}

    missing = api.post("/v2/runs", body)
    mistyped = api.post("/v2/runs", body | {"runtime_config": {"parameters": {"count": "three"}}})

    assert (missing.status, mistyped.status) == (400, 400)
    assert "count" in missing.message
    assert "count" in mistyped.message


def test_a_run_of_a_version_refers_to_it_and_outlives_it(api: Any, spec: Any) -> None:
    pipeline = api.upload("/v2/pipelines/upload", "p.json", json.dumps(spec()).encode(), name="p").json
    pipeline_id = pipeline["pipeline_id"]
    [version] = api.get(f"/v2/pipelines/{pipeline_id}/versions").json["pipeline_versions"]
    reference = {"pipeline_id": pipeline_id, "pipeline_version_id": version["pipeline_version_id"]}

    for source in (
        {"pipeline_version_reference": reference},
        {"pipeline_version_reference": {"pipeline_id": pipeline_id}},
        {"pipeline_version_id": version["pipeline_version_id"]},
    ):
        answer = api.post("/v2/runs", {"display_name": "v"} | source)
        assert answer.json["pipeline_version_reference"] == reference
        assert "pipeline_spec" not in answer.json

    api.delete(f"/v2/pipelines/{pipeline_id}", cascade="true")
    run = api.get(f"/v2/runs/{answer.json['run_id']}").json
    assert run["pipeline_version_reference"] == reference


def test_unknown_versions_are_not_found(api: Any) -> None:
    reference = {"pipeline_version_reference": {"pipeline_id": "nope"}}

    assert api.post("/v2/runs", {"display_name": "v"} | reference).status == 404
    assert api.post("/v2/runs", {"display_name": "v"}).status == 400


def test_state_changes_are_seen_with_their_history(api: Any, spec: Any) -> None:
    run_id = made(api, spec)["run_id"]
    moved(api, run_id, RuntimeState.RUNNING)
    moved(api, run_id, RuntimeState.FAILED)

    run = api.get(f"/v2/runs/{run_id}").json
    assert run["state"] == "FAILED"
    assert run["finished_at"] == "2023-11-14T22:13:20Z"
    assert [entry["state"] for entry in run["state_history"]] == ["PENDING", "RUNNING", "FAILED"]


def test_terminate_and_retry_ask_the_engine_and_refuse_what_makes_no_sense(api: Any, spec: Any) -> None:
    run_id = made(api, spec)["run_id"]

    assert api.post(f"/v2/runs/{run_id}:retry").status == 400
    assert api.post(f"/v2/runs/{run_id}:terminate").json == {}
    assert api.get(f"/v2/runs/{run_id}").json["state"] == "CANCELED"
    assert "CANCELED" in api.post(f"/v2/runs/{run_id}:terminate").message
    assert api.post(f"/v2/runs/{run_id}:retry", {}).status == 200
    assert api.get(f"/v2/runs/{run_id}").json["state"] == "RUNNING"
    assert api.get(f"/v2/runs/{run_id}").json["finished_at"] == EPOCH


def test_archiving_an_experiment_archives_its_runs_which_come_back_after_it(api: Any, spec: Any) -> None:
    experiment_id = api.post("/v2/experiments", {"display_name": "e"}).json["experiment_id"]
    run_id = made(api, spec, experiment_id=experiment_id)["run_id"]

    assert api.post(f"/v2/experiments/{experiment_id}:archive").status == 200
    assert api.get(f"/v2/runs/{run_id}").json["storage_state"] == "ARCHIVED"
    refused = api.post(f"/v2/runs/{run_id}:unarchive")
    assert refused.status == 400
    assert refused.json["code"] == 9
    assert (
        "archived"
        in api.post(
            "/v2/runs", {"display_name": "x", "experiment_id": experiment_id, "pipeline_spec": spec()}
        ).message
    )

    api.post(f"/v2/experiments/{experiment_id}:unarchive")
    assert api.get(f"/v2/runs/{run_id}").json["storage_state"] == "ARCHIVED"
    assert api.post(f"/v2/runs/{run_id}:unarchive").status == 200
    assert api.get(f"/v2/runs/{run_id}").json["storage_state"] == "AVAILABLE"


def test_a_run_is_deleted_in_any_state_and_the_engine_forgets_it(api: Any, spec: Any) -> None:
    run_id = made(api, spec)["run_id"]

    assert api.delete(f"/v2/runs/{run_id}").json == {}
    assert api.engine.forgotten == [(run_id, "default")]
    missing = api.get(f"/v2/runs/{run_id}")
    assert (missing.status, missing.json["code"]) == (404, 5)
    assert run_id in missing.message


def test_runs_are_listed_by_experiment_state_and_name(api: Any, spec: Any) -> None:
    experiment_id = api.post("/v2/experiments", {"display_name": "e"}).json["experiment_id"]
    ids = [made(api, spec, display_name=f"run_{n}%", experiment_id=experiment_id)["run_id"] for n in range(5)]
    made(api, spec, display_name="other")
    moved(api, ids[1], RuntimeState.SUCCEEDED)

    def names(**query: Any) -> list[str]:
        return [run["display_name"] for run in api.get("/v2/runs", **query).json.get("runs", [])]

    def filtered(*predicates: dict[str, Any]) -> list[str]:
        return names(filter=json.dumps({"predicates": predicates}))

    assert names(experiment_id=experiment_id, sort_by="display_name desc")[0] == "run_4%"
    assert filtered({"operation": 1, "key": "state", "stringValue": "SUCCEEDED"}) == ["run_1%"]
    assert len(filtered({"operation": "IS_SUBSTRING", "key": "name", "string_value": "_"})) == 5
    assert len(filtered({"operation": "IS_SUBSTRING", "key": "name", "string_value": "%"})) == 5
    assert filtered({"operation": 8, "key": "display_name", "stringValues": {"values": ["other", "x"]}}) == [
        "other"
    ]
    year = {"operation": "GREATER_THAN", "key": "created_at", "timestamp_value": "2020-01-01T00:00:00Z"}
    assert len(filtered(year)) == 6
    assert filtered(year | {"operation": "LESS_THAN"}) == []


def test_pages_cover_every_row_once_while_rows_are_added(api: Any, spec: Any) -> None:
    for number in range(7):
        made(api, spec, display_name=f"same {number % 2}")
    seen: list[str] = []
    token = ""
    while True:
        page = api.get("/v2/runs", page_size=2, page_token=token, sort_by="display_name desc").json
        seen += [run["run_id"] for run in page["runs"]]
        assert page["total_size"] >= 7
        token = page.get("next_page_token", "")
        if not token:
            break
        made(api, spec, display_name="same 2")  # before the first page in this order

    assert len(seen) == 7
    assert len(set(seen)) == 7
