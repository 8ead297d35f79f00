"""API v1beta1: the same objects as v2beta1, under their older names and shapes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.store import runs

V1 = "/apis/v1beta1"


def reference(kind: str, key: str, relationship: str = "OWNER") -> dict[str, Any]:
    return {"key": {"type": kind, "id": key}, "relationship": relationship}


@pytest.fixture
def uploaded(api: Any, spec: Any) -> Any:
    package = json.dumps(spec("hello", word="STRING", times="NUMBER_INTEGER")).encode()
    answer = api.upload(f"{V1}/pipelines/upload", "hello.json", package, name="hello", description="of v1")
    assert answer.status == 200, answer.content
    return answer.json


class TestPipelines:
    def test_an_upload_shows_its_version_and_its_parameters(self, uploaded: Any) -> None:
        assert uploaded["name"] == "hello"
        assert uploaded["description"] == "of v1"
        version = uploaded["default_version"]
        assert version["name"] == "hello"
        assert uploaded["parameters"] == version["parameters"] == [{"name": "word"}, {"name": "times"}]
        assert version["resource_references"] == [reference("PIPELINE", uploaded["id"])]
        assert uploaded["created_at"].endswith("Z")

    def test_both_apis_see_the_same_pipelines(self, api: Any, uploaded: Any) -> None:
        later = api.get(f"/v2/pipelines/{uploaded['id']}").json
        assert later["display_name"] == "hello"
        versions = api.get(f"/v2/pipelines/{uploaded['id']}/versions").json["pipeline_versions"]
        assert [each["pipeline_version_id"] for each in versions] == [uploaded["default_version"]["id"]]
        assert api.get(f"{V1}/pipelines/{uploaded['id']}").json == uploaded
        assert api.get(f"/pipeline{V1}/pipelines").json == {"pipelines": [uploaded], "total_size": 1}
        for namespace in ("-", "default"):
            assert api.get(f"{V1}/namespaces/{namespace}/pipelines/hello").json == uploaded

    def test_versions_are_listed_chosen_and_deleted(self, api: Any, spec: Any, uploaded: Any) -> None:
        key, first = uploaded["id"], uploaded["default_version"]["id"]
        second = api.upload(
            f"{V1}/pipelines/upload_version",
            "b.json",
            json.dumps(spec("other")).encode(),
            name="2",
            pipelineid=key,
        ).json
        assert second["name"] == "2"
        listed = api.get(
            f"{V1}/pipeline_versions", **{"resource_key.type": "PIPELINE", "resource_key.id": key}
        )
        assert [each["id"] for each in listed.json["versions"]] == [first, second["id"]]
        assert listed.json["total_size"] == 2
        assert api.get(f"{V1}/pipelines/{key}").json["default_version"]["id"] == second["id"]
        assert api.post(f"{V1}/pipelines/{key}/default_version/{first}").json == {}
        assert api.get(f"{V1}/pipelines/{key}").json["default_version"]["id"] == first
        template = json.loads(api.get(f"{V1}/pipelines/{key}/templates").json["template"])
        assert template["pipelineInfo"]["name"] == "hello"
        run = api.post(
            f"{V1}/runs", {"name": "r", "pipeline_spec": {"pipeline_id": key, "parameters": texts()}}
        )
        assert reference("PIPELINE_VERSION", first, "CREATOR") in run.json["run"]["resource_references"]
        assert api.delete(f"{V1}/pipeline_versions/{first}").json == {}
        assert api.get(f"{V1}/pipelines/{key}").json["default_version"]["id"] == second["id"]
        other = json.loads(api.get(f"{V1}/pipeline_versions/{second['id']}/templates").json["template"])
        assert other["pipelineInfo"]["name"] == "other"
        assert api.get(f"{V1}/pipeline_versions/{first}").status == 404

    def test_a_version_of_another_pipeline_is_not_chosen(self, api: Any, spec: Any, uploaded: Any) -> None:
        other = api.upload(f"{V1}/pipelines/upload", "b.json", json.dumps(spec("b")).encode(), name="b").json
        answer = api.post(f"{V1}/pipelines/{uploaded['id']}/default_version/{other['default_version']['id']}")
        assert answer.status == 404

    def test_deleting_a_pipeline_takes_its_versions_along(self, api: Any, uploaded: Any) -> None:
        assert api.delete(f"{V1}/pipelines/{uploaded['id']}").json == {}
        assert api.get(f"{V1}/pipeline_versions/{uploaded['default_version']['id']}").status == 404

    def test_upload_errors_have_their_own_shape(self, api: Any) -> None:
        answer = api.upload(f"{V1}/pipelines/upload", "bad.yaml", b"{", name="bad")
        assert answer.status == 400
        assert set(answer.json) == {"error_message", "error_details"}

    @pytest.mark.parametrize(
        ("query", "word"),
        [
            ({}, "resource_key.type"),
            ({"resource_key.type": "EXPERIMENT", "resource_key.id": "x"}, "PIPELINE"),
            ({"resource_key.type": "SOMETHING", "resource_key.id": "x"}, "SOMETHING"),
        ],
    )
    def test_versions_are_listed_of_a_pipeline(self, api: Any, query: dict[str, str], word: str) -> None:
        answer = api.get(f"{V1}/pipeline_versions", **query)
        assert answer.status == 400
        assert word in answer.message


class TestExperiments:
    def test_they_are_made_listed_archived_and_deleted(self, api: Any) -> None:
        made = api.post(
            f"{V1}/experiments",
            {"name": "trials", "description": "d", "resource_references": [reference("NAMESPACE", "team")]},
        ).json
        assert made["name"] == "trials"
        assert made["storage_state"] == "STORAGESTATE_AVAILABLE"
        assert made["resource_references"] == [{"key": {"type": "NAMESPACE"}, "relationship": "OWNER"}]
        assert api.get(f"{V1}/experiments").json == {"experiments": [made], "total_size": 1}
        assert api.post(f"{V1}/experiments/{made['id']}:archive").json == {}
        assert api.get(f"{V1}/experiments/{made['id']}").json["storage_state"] == "STORAGESTATE_ARCHIVED"
        archived = {"predicates": [{"op": 1, "key": "storage_state", "stringValue": "STORAGESTATE_ARCHIVED"}]}
        assert api.get(f"{V1}/experiments", filter=json.dumps(archived)).json["total_size"] == 1
        assert api.post(f"{V1}/experiments/{made['id']}:unarchive").json == {}
        by_name = {"predicates": [{"op": "EQUALS", "key": "name", "string_value": "trials"}]}
        assert api.get(f"{V1}/experiments", filter=json.dumps(by_name)).json["experiments"] == [made]
        assert api.delete(f"{V1}/experiments/{made['id']}").json == {}
        assert api.get(f"{V1}/experiments/{made['id']}").status == 404

    @pytest.mark.parametrize(
        ("body", "word"),
        [
            ({"name": ""}, "experiment.name"),
            ({"name": "a", "resource_references": [reference("PIPELINE", "x")]}, "NAMESPACE"),
            ({"display_name": "a"}, "display_name"),
            ({"name": "a", "resource_references": [{"key": {"type": "NOWHERE"}}]}, "NOWHERE"),
        ],
    )
    def test_what_is_wrong_is_named(self, api: Any, body: Any, word: str) -> None:
        answer = api.post(f"{V1}/experiments", body)
        assert answer.status == 400
        assert word in answer.message


def texts(**values: str) -> list[dict[str, str]]:
    given = {"word": "ahoy", "times": "3"} | values
    return [{"name": name, "value": value} for name, value in given.items()]


@pytest.fixture
def manifest(spec: Any) -> str:
    return json.dumps(spec("hello", word="STRING", times="NUMBER_INTEGER"))


class TestRuns:
    @pytest.mark.parametrize("field", ["pipeline_manifest", "workflow_manifest"])
    def test_a_run_of_a_manifest(self, api: Any, manifest: str, field: str) -> None:
        experiment = api.post(f"{V1}/experiments", {"name": "e"}).json
        body = {
            "name": "first",
            "pipeline_spec": {field: manifest, "parameters": texts()},
            "resource_references": [reference("EXPERIMENT", experiment["id"])],
            "service_account": "robot",
        }
        made = api.post(f"{V1}/runs", body).json
        run = made["run"]
        assert run["status"] == "Pending"
        assert run["service_account"] == "robot"
        assert run["resource_references"] == [reference("EXPERIMENT", experiment["id"])]
        assert run["finished_at"] == "1970-01-01T00:00:00Z"
        spec = run["pipeline_spec"]
        assert json.loads(spec["pipeline_manifest"]) == json.loads(manifest)
        assert spec["pipeline_name"] == "hello"
        assert spec["runtime_config"] == {"parameters": {"word": "ahoy", "times": 3}}
        assert "workflow_manifest" not in spec
        workflow = json.loads(made["pipeline_runtime"]["workflow_manifest"])
        assert workflow["kind"] == "Workflow"
        assert workflow["status"]["phase"] == "Pending"
        assert api.get(f"{V1}/runs/{run['id']}").json == made
        assert api.get(f"/v2/runs/{run['id']}").json["runtime_config"]["parameters"] == {
            "word": "ahoy",
            "times": 3,
        }
        assert api.engine.submitted == [run["id"]]

    def test_what_the_sdk_calls_the_root_becomes_the_root(self, api: Any, manifest: str) -> None:
        given = [*texts(), {"name": "pipeline-root", "value": "minio://b/x"}]
        spec = {"workflow_manifest": manifest, "parameters": given}
        made = api.post(f"{V1}/runs", {"name": "r", "pipeline_spec": spec}).json
        config = made["run"]["pipeline_spec"]["runtime_config"]
        assert config == {"parameters": {"word": "ahoy", "times": 3}, "pipeline_root": "minio://b/x"}

    def test_values_may_come_wrapped_and_come_back_as_text(self, api: Any, manifest: str) -> None:
        config = {"parameters": {"word": {"string_value": "ahoy"}, "times": {"int_value": "3"}}}
        spec = {"pipeline_manifest": manifest, "runtime_config": config}
        shown = api.post(f"{V1}/runs", {"name": "r", "pipeline_spec": spec}).json["run"]["pipeline_spec"]
        assert shown["runtime_config"] == {"parameters": {"word": "ahoy", "times": 3}}
        assert shown["parameters"] == [{"name": "word", "value": "ahoy"}, {"name": "times", "value": "3"}]

    @pytest.mark.parametrize(
        ("source", "words"),
        [
            ({}, ["pipeline_spec", "pipeline_id"]),
            ({"pipeline_manifest": "{", "parameters": texts()}, []),
            ({"pipeline_manifest": "MANIFEST", "workflow_manifest": "MANIFEST"}, ["only one"]),
            ({"pipeline_manifest": "MANIFEST", "pipeline_id": "x"}, ["not both"]),
            ({"pipeline_manifest": "MANIFEST", "parameters": texts(times="many")}, ["times"]),
            ({"pipeline_manifest": "MANIFEST", "parameters": texts(other="x")}, ["other"]),
            ({"pipeline_manifest": "MANIFEST", "parameters": [{"value": "x"}]}, ["parameters[0].name"]),
            ({"pipeline_spec": {}}, ["unknown field"]),
        ],
    )
    def test_what_is_wrong_is_named(self, api: Any, manifest: str, source: Any, words: list[str]) -> None:
        source = {key: manifest if value == "MANIFEST" else value for key, value in source.items()}
        answer = api.post(f"{V1}/runs", {"name": "r", "pipeline_spec": source})
        assert answer.status == 400
        assert all(word in answer.message for word in words), answer.message
        assert api.get(f"{V1}/runs").json == {}

    def test_lists_are_filtered_by_experiment_state_and_name(self, api: Any, manifest: str) -> None:
        experiment = api.post(f"{V1}/experiments", {"name": "e"}).json["id"]
        ids = []
        for name in ("a", "b", "c"):
            body = {"name": name, "pipeline_spec": {"pipeline_manifest": manifest, "parameters": texts()}}
            if name != "c":
                body["resource_references"] = [reference("EXPERIMENT", experiment)]
            ids.append(api.post(f"{V1}/runs", body).json["run"]["id"])
        for key, state in zip(ids, ("CANCELED", "FAILED", "SUCCEEDED"), strict=True):
            api.write(
                lambda c, key=key, state=state: runs.set_state(
                    c, key, RuntimeState(state), 1_700_000_000_000_000
                )
            )

        def found(**query: Any) -> list[str]:
            return [run["name"] for run in api.get(f"{V1}/runs", **query).json.get("runs", [])]

        of = {"resource_reference_key.type": "EXPERIMENT", "resource_reference_key.id": experiment}
        assert found(**of) == ["a", "b"]
        assert found(**{**of, "resource_reference_key.type": 1}, sort_by="name desc") == ["b", "a"]

        def where(operation: Any, key: str, value: str) -> str:
            return json.dumps({"predicates": [{"op": operation, "key": key, "stringValue": value}]})

        assert found(filter=where(1, "status", "Failed")) == ["a", "b"]
        assert found(filter=where("NOT_EQUALS", "status", "failed")) == ["c"]
        assert found(filter=where(1, "status", "Succeeded")) == ["c"]
        assert found(filter=where(9, "name", "b")) == ["b"]
        first = api.get(f"{V1}/runs", page_size=2, sort_by="name")
        assert first.json["total_size"] == 3
        assert found(page_size=2, page_token=first.json["next_page_token"]) == ["c"]
        answer = api.get(f"{V1}/runs", filter=json.dumps({"predicates": [{"operation": 1, "key": "name"}]}))
        assert answer.status == 400
        assert "op" in answer.message
        assert api.get(f"{V1}/runs", filter=where(0, "name", "x")).status == 400

    def test_lists_are_of_a_version_or_a_job(self, api: Any, uploaded: Any, manifest: str) -> None:
        version = uploaded["default_version"]["id"]
        for name, spec in (("a", {"pipeline_id": uploaded["id"]}), ("b", {"pipeline_manifest": manifest})):
            api.post(f"{V1}/runs", {"name": name, "pipeline_spec": spec | {"parameters": texts()}})

        def found(kind: str, key: str, **query: Any) -> list[str]:
            of = {"resource_reference_key.type": kind, "resource_reference_key.id": key}
            return [run["name"] for run in api.get(f"{V1}/runs", **of, **query).json.get("runs", [])]

        assert found("PIPELINE_VERSION", version) == ["a"]
        assert found("PIPELINE", uploaded["id"]) == ["a"]
        by_name = {"predicates": [{"op": 1, "key": "name", "string_value": "b"}]}
        assert found("PIPELINE", uploaded["id"], filter=json.dumps(by_name)) == []
        assert found("JOB", "some") == []

    def test_actions(self, api: Any, manifest: str) -> None:
        spec = {"pipeline_manifest": manifest, "parameters": texts()}
        key = api.post(f"{V1}/runs", {"name": "r", "pipeline_spec": spec}).json["run"]["id"]

        def run() -> Any:
            return api.get(f"{V1}/runs/{key}").json["run"]

        assert api.post(f"{V1}/runs/{key}/terminate").json == {}
        assert run()["status"] == "Failed"
        assert api.post(f"{V1}/runs/{key}/retry").json == {}
        assert run()["status"] == "Running"
        assert "storage_state" not in run()
        assert api.post(f"{V1}/runs/{key}:archive").json == {}
        assert run()["storage_state"] == "STORAGESTATE_ARCHIVED"
        assert api.post(f"{V1}/runs/{key}:unarchive").json == {}
        assert api.delete(f"{V1}/runs/{key}").json == {}
        answer = api.get(f"{V1}/runs/{key}")
        assert answer.status == 404
        assert answer.json["code"] == 5


class TestMetrics:
    @pytest.fixture
    def run_ids(self, api: Any, manifest: str) -> list[str]:
        spec = {"pipeline_manifest": manifest, "parameters": texts()}
        return [
            api.post(f"{V1}/runs", {"name": name, "pipeline_spec": spec}).json["run"]["id"] for name in "abc"
        ]

    def test_each_is_answered_for_itself(self, api: Any, run_ids: list[str]) -> None:
        good = {"name": "accuracy", "node_id": "n", "number_value": 0.5, "format": "PERCENTAGE"}
        reported = [
            good,
            good | {"number_value": 0.9},
            good | {"name": "not a name"},
            good | {"node_id": ""},
            good | {"node_id": "n" * 129},
            good | {"number_value": "NaN"},
            {"name": "zero", "node_id": "n", "numberValue": 0, "format": 1},
        ]
        answer = api.post(f"{V1}/runs/{run_ids[0]}:reportMetrics", {"metrics": reported}).json
        assert [each["status"] for each in answer["results"]] == [
            "OK",
            "DUPLICATE_REPORTING",
            *["INVALID_ARGUMENT"] * 4,
            "OK",
        ]
        assert answer["results"][0] == {"metric_name": "accuracy", "metric_node_id": "n", "status": "OK"}
        assert "not a name" in answer["results"][2]["message"]
        shown = api.get(f"{V1}/runs/{run_ids[0]}").json["run"]["metrics"]
        assert shown == [good, {"name": "zero", "node_id": "n", "format": "RAW", "number_value": 0.0}]

    def test_runs_are_sorted_by_them_in_both_versions(self, api: Any, run_ids: list[str]) -> None:
        for key, value in zip(run_ids, (2, 3, 1), strict=True):
            body = {"metrics": [{"name": "loss", "node_id": "n", "number_value": value}]}
            assert api.post(f"{V1}/runs/{key}:reportMetrics", body).status == 200
        listed = api.get(f"{V1}/runs", sort_by="metric:loss").json["runs"]
        assert [run["name"] for run in listed] == ["c", "a", "b"]
        later = api.get("/v2/runs", sort_by="metric:loss desc", page_size=2).json
        assert [run["display_name"] for run in later["runs"]] == ["b", "a"]
        rest = api.get("/v2/runs", page_token=later["next_page_token"]).json
        assert [run["display_name"] for run in rest["runs"]] == ["c"]

    def test_they_go_with_their_run(self, api: Any, run_ids: list[str]) -> None:
        body = {"metrics": [{"name": "loss", "node_id": "n", "number_value": 1}]}
        assert api.post(f"{V1}/runs/{run_ids[0]}:reportMetrics", body).status == 200
        assert api.delete(f"{V1}/runs/{run_ids[0]}").status == 200
        answer = api.post(f"{V1}/runs/{run_ids[0]}:reportMetrics", body)
        assert answer.status == 404


class TestJobs:
    @pytest.fixture
    def body(self, api: Any, uploaded: Any) -> dict[str, Any]:
        experiment = api.post(f"{V1}/experiments", {"name": "e"}).json["id"]
        return {
            "name": "nightly",
            "description": "d",
            "pipeline_spec": {"pipeline_id": uploaded["id"], "parameters": texts()},
            "resource_references": [reference("EXPERIMENT", experiment)],
            "max_concurrency": "2",
            "trigger": {"cron_schedule": {"cron": "0 0 3 * * *", "start_time": "2026-01-01T00:00:00Z"}},
            "enabled": True,
            "no_catchup": True,
        }

    def test_a_job_is_a_recurring_run(self, api: Any, uploaded: Any, body: Any) -> None:
        job = api.post(f"{V1}/jobs", body).json
        version = uploaded["default_version"]["id"]
        assert job["name"] == "nightly"
        assert job["enabled"] is True
        assert job["mode"] == "ENABLED"
        assert job["max_concurrency"] == "2"
        assert job["no_catchup"] is True
        assert job["trigger"] == body["trigger"]
        assert job["pipeline_spec"]["runtime_config"] == {"parameters": {"word": "ahoy", "times": 3}}
        creator = reference("PIPELINE_VERSION", version, "CREATOR")
        assert job["resource_references"] == [*body["resource_references"], creator]
        later = api.get(f"/v2/recurringruns/{job['id']}").json
        assert later["display_name"] == "nightly"
        assert later["pipeline_version_reference"]["pipeline_version_id"] == version
        assert api.get(f"{V1}/jobs/{job['id']}").json == job

    def test_it_is_switched_listed_and_deleted(self, api: Any, body: Any) -> None:
        key = api.post(f"{V1}/jobs", body).json["id"]
        assert api.post(f"{V1}/jobs/{key}/disable").json == {}
        shown = api.get(f"{V1}/jobs/{key}").json
        assert "enabled" not in shown
        assert shown["mode"] == "DISABLED"
        assert api.post(f"{V1}/jobs/{key}/enable").json == {}
        of = {
            "resource_reference_key.type": "EXPERIMENT",
            "resource_reference_key.id": body["resource_references"][0]["key"]["id"],
        }
        assert [job["id"] for job in api.get(f"{V1}/jobs", **of).json["jobs"]] == [key]
        assert api.get(f"{V1}/jobs", **{**of, "resource_reference_key.id": "other"}).json == {}
        assert api.delete(f"{V1}/jobs/{key}").json == {}
        assert api.get(f"{V1}/jobs/{key}").status == 404

    @pytest.mark.parametrize(
        ("change", "word"),
        [
            ({"name": ""}, "job.name"),
            ({"trigger": {"cron_schedule": {"cron": "often"}}}, "job.trigger"),
            ({"max_concurrency": 0}, "max_concurrency"),
            ({"pipeline_spec": {}}, "job.pipeline_spec"),
            ({"interval": 3}, "interval"),
        ],
    )
    def test_what_is_wrong_is_named(self, api: Any, body: Any, change: Any, word: str) -> None:
        answer = api.post(f"{V1}/jobs", body | change)
        assert answer.status == 400
        assert word in answer.message


def test_health(api: Any) -> None:
    answer = api.get(f"{V1}/healthz").json
    assert answer["multi_user"] is False
