"""What pages ask of experiments: how their runs stand, other names, and what starts more runs."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.store import runs

NOW = 1_700_000_000_000_000


@pytest.fixture
def experiment_id(api: Any) -> str:
    found: str = api.post("/v2/experiments", {"display_name": "e", "description": "why"}).json[
        "experiment_id"
    ]
    return found


def _run(api: Any, spec: Any, experiment_id: str, name: str, state: RuntimeState | None = None) -> str:
    body = {"display_name": name, "pipeline_spec": spec(), "experiment_id": experiment_id}
    run_id: str = api.post("/v2/runs", body).json["run_id"]
    if state is not None:
        api.write(lambda connection: runs.set_state(connection, run_id, state, NOW))
    return run_id


def test_how_the_runs_of_experiments_stand(api: Any, spec: Any, experiment_id: str) -> None:
    for index in range(13):
        _run(
            api,
            spec,
            experiment_id,
            f"r{index}",
            RuntimeState.SUCCEEDED if index % 2 else RuntimeState.FAILED,
        )
    archived = _run(api, spec, experiment_id, "old", RuntimeState.SUCCEEDED)
    api.post(f"/v2/runs/{archived}:archive")
    other = api.post("/v2/experiments", {"display_name": "none"}).json["experiment_id"]

    listed = {
        each["experiment_id"]: each for each in api.get("/v2/experiments", view="FULL").json["experiments"]
    }
    found = listed[experiment_id]
    assert found == api.get(f"/v2/experiments/{experiment_id}", view="FULL").json
    assert found["run_states"] == {"SUCCEEDED": 6, "FAILED": 7}
    assert (found["run_count"], found["archived_run_count"]) == (13, 1)
    assert [run["display_name"] for run in found["last_runs"]][:3] == ["old", "r12", "r11"]
    assert len(found["last_runs"]) == 12
    assert found["last_runs"][1]["state"] == "FAILED"
    assert (listed[other]["run_count"], listed[other]["last_runs"]) == (0, [])


def test_recurring_runs_count_and_those_that_are_on(api: Any, spec: Any, experiment_id: str) -> None:
    for name, mode in (("a", "ENABLE"), ("b", "DISABLE")):
        body = {
            "display_name": name,
            "pipeline_spec": spec(),
            "experiment_id": experiment_id,
            "max_concurrency": "1",
            "mode": mode,
            "trigger": {"periodic_schedule": {"interval_second": "3600"}},
        }
        assert api.post("/v2/recurringruns", body).status == 200
    found = api.get(f"/v2/experiments/{experiment_id}", view="FULL").json
    assert (found["recurring_run_count"], found["enabled_recurring_run_count"]) == (2, 1)
    assert found["trigger_count"] == 0


def test_answers_are_upstreams_until_asked_for_more(api: Any, experiment_id: str) -> None:
    assert "run_count" not in api.get(f"/v2/experiments/{experiment_id}").json
    assert api.get("/v2/experiments", view="ALL").status == 400


def test_an_experiment_gets_another_name_and_description(api: Any, experiment_id: str) -> None:
    path = f"/v2/experiments/{experiment_id}"
    assert api.patch(path, {"display_name": "other"}).json["description"] == "why"
    assert api.patch(path, {"description": ""}).json["display_name"] == "other"
    assert "description" not in api.get(path).json
    api.post("/v2/experiments", {"display_name": "taken"})
    assert api.patch(path, {"display_name": "taken"}).status == 409
    assert api.patch(path, {"display_name": "other"}).status == 200
    assert api.patch(path, {"display_name": " "}).status == 400
    assert api.patch("/v2/experiments/none", {"display_name": "x"}).status == 404


def test_the_default_experiment_keeps_its_name(api: Any, spec: Any) -> None:
    made = api.post("/v2/runs", {"display_name": "r", "pipeline_spec": spec()}).json["experiment_id"]
    assert api.patch(f"/v2/experiments/{made}", {"display_name": "mine"}).status == 400
    assert api.patch(f"/v2/experiments/{made}", {"description": "all else"}).json["description"] == "all else"
