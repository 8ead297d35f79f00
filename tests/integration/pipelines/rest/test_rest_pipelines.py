"""Pipelines and versions through the REST API: created, uploaded, fetched, changed, removed."""

from __future__ import annotations

import http.server
import io
import json
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
import yaml


def zipped(files: dict[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def tarred(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def uploaded(api: Any, spec: Any, name: str, **query: Any) -> dict[str, Any]:
    answer = api.upload("/v2/pipelines/upload", "p.yaml", json.dumps(spec()).encode(), name=name, **query)
    assert answer.status == 200, answer.content
    return answer.json


def test_an_upload_makes_a_pipeline_and_its_first_version(api: Any, spec: Any) -> None:
    pipeline = uploaded(api, spec, "Häfen / 1", description="d", tags='{"team":"ml"}')

    assert pipeline["name"] == pipeline["display_name"] == "Häfen / 1"
    assert pipeline["tags"] == {"team": "ml"}
    assert "namespace" not in pipeline
    path = f"/v2/pipelines/{pipeline['pipeline_id']}"
    assert api.get(path).json == pipeline
    assert api.get("/v2/pipelines/names/H%C3%A4fen%20%2F%201").json == pipeline
    [version] = api.get(f"{path}/versions").json["pipeline_versions"]
    assert version["name"] == "Häfen / 1"
    assert version["pipeline_spec"] == spec()


@pytest.mark.parametrize("kind", ["yaml", "json", "zip", "tar.gz", "zip of another name"])
def test_every_kind_of_package_is_read(api: Any, spec: Any, kind: str) -> None:
    text = yaml.safe_dump(spec(), sort_keys=False).encode()
    data = {
        "yaml": text,
        "json": json.dumps(spec()).encode(),
        "zip": zipped({"component.yaml": b"x: 1", "pipeline.yaml": text}),
        "tar.gz": tarred({"component.yaml": b"x: 1", "pipeline.yaml": text}),
        "zip of another name": zipped({"my.yaml": text}),
    }[kind]
    pipeline = api.upload("/v2/pipelines/upload", "package.bin", data).json

    assert pipeline["name"] == "package.bin"
    [version] = api.get(f"/v2/pipelines/{pipeline['pipeline_id']}/versions").json["pipeline_versions"]
    assert version["pipeline_spec"] == spec()


def test_versions_are_uploaded_named_and_sorted(api: Any, spec: Any) -> None:
    pipeline_id = uploaded(api, spec, "p")["pipeline_id"]
    data = json.dumps(spec()).encode()
    for name in ("v2", "v3"):
        answer = api.upload(
            "/v2/pipelines/upload_version",
            "x.yaml",
            data,
            pipelineid=pipeline_id,
            name=name,
            tags='{"n":"1"}',
        )
        assert answer.json["pipeline_id"] == pipeline_id

    path = f"/v2/pipelines/{pipeline_id}/versions"
    listed = api.get(path, sort_by="created_at desc").json
    assert [version["name"] for version in listed["pipeline_versions"]] == ["v3", "v2", "p"]
    tagged = {"predicates": [{"operation": "EQUALS", "key": "tags.n", "string_value": "1"}]}
    assert api.get(path, filter=json.dumps(tagged)).json["total_size"] == 2
    again = api.upload("/v2/pipelines/upload_version", "x", data, pipelineid=pipeline_id, name="v2")
    assert again.status == 409
    assert set(again.json) == {"error_message", "error_details"}


def test_a_name_is_taken_once(api: Any, spec: Any) -> None:
    uploaded(api, spec, "p")

    answer = api.upload("/v2/pipelines/upload", "p.yaml", json.dumps(spec()).encode(), name="p")
    assert answer.status == 409
    assert "'p'" in answer.json["error_message"]
    assert api.post("/v2/pipelines", {"display_name": "p"}).json["code"] == 6
    assert api.get("/v2/pipelines").json["total_size"] == 1


def test_a_pipeline_with_versions_is_deleted_only_in_cascade(api: Any, spec: Any) -> None:
    pipeline_id = uploaded(api, spec, "p")["pipeline_id"]

    refused = api.delete(f"/v2/pipelines/{pipeline_id}")
    assert refused.status == 400
    assert "cascade" in refused.message
    assert api.delete(f"/v2/pipelines/{pipeline_id}", cascade="True").json == {}
    assert api.get(f"/v2/pipelines/{pipeline_id}").status == 404


def test_a_version_is_deleted_below_its_own_pipeline_only(api: Any, spec: Any) -> None:
    one, other = (uploaded(api, spec, name)["pipeline_id"] for name in ("one", "other"))
    [version] = api.get(f"/v2/pipelines/{one}/versions").json["pipeline_versions"]
    version_id = version["pipeline_version_id"]

    assert api.get(f"/v2/pipelines/{other}/versions/{version_id}").status == 404
    assert api.delete(f"/v2/pipelines/{other}/versions/{version_id}").status == 404
    assert api.delete(f"/v2/pipelines/{one}/versions/{version_id}").status == 200
    assert api.delete(f"/v2/pipelines/{one}").status == 200


def test_a_patch_changes_display_name_and_tags_and_empty_tags_clear_them(api: Any, spec: Any) -> None:
    pipeline_id = uploaded(api, spec, "p", tags='{"a":"1"}')["pipeline_id"]
    path = f"/v2/pipelines/{pipeline_id}"

    assert api.patch(path, {"display_name": "shown"}).json["tags"] == {"a": "1"}
    assert api.patch(path, {"tags": {"b": "2"}}).json["tags"] == {"b": "2"}
    cleared = api.patch(path, {"tags": {}}).json
    assert "tags" not in cleared
    assert cleared["display_name"] == "shown"
    assert cleared["name"] == "p"
    [version] = api.get(f"{path}/versions").json["pipeline_versions"]
    version_path = f"{path}/versions/{version['pipeline_version_id']}"
    assert api.patch(version_path, {"tags": {"c": "3"}}).json["tags"] == {"c": "3"}
    assert api.patch(path, {"tags": {"a.b": "1"}}).status == 400
    assert api.patch(path, {"tags": {str(n): "x" for n in range(21)}}).status == 400


def test_a_listed_pipeline_is_found_by_tag_and_by_text(api: Any, spec: Any) -> None:
    uploaded(api, spec, "one", tags='{"team":"ml","a\'b":"c"}')
    uploaded(api, spec, "two")

    def names(key: str, operation: str, value: str) -> list[str]:
        text = json.dumps({"predicates": [{"operation": operation, "key": key, "string_value": value}]})
        return [found["name"] for found in api.get("/v2/pipelines", filter=text).json.get("pipelines", [])]

    assert names("tags.team", "EQUALS", "ml") == ["one"]
    assert names("tags.team", "NOT_EQUALS", "ml") == ["two"]
    assert names("tags.a'b", "EQUALS", "c") == ["one"]
    assert names("name", "IS_SUBSTRING", "W") == ["two"]


@pytest.fixture
def web(spec: Any) -> Iterator[str]:
    """A web server on loopback with a package, and redirects to it."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/moved.yaml":
                self.send_response(302)
                self.send_header("Location", "/p.yaml")
                self.end_headers()
            elif self.path == "/loop":
                self.send_response(302)
                self.send_header("Location", "/loop")
                self.end_headers()
            elif self.path == "/p.yaml":
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(spec()).encode())
            else:
                self.send_error(404)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_version_is_fetched_from_where_its_package_is(open_api: Any, web: str, spec: Any) -> None:
    body = {"pipeline": {"name": "p"}, "pipeline_version": {"package_url": {"pipeline_url": f"{web}/p.yaml"}}}
    pipeline = open_api.post("/v2/pipelines/create", body).json
    version = open_api.post(
        f"/v2/pipelines/{pipeline['pipeline_id']}/versions",
        {"name": "v2", "packageUrl": {"pipelineUrl": f"{web}/moved.yaml"}},
    ).json

    assert version["pipeline_spec"] == spec()
    assert version["package_url"] == {"pipeline_url": f"{web}/moved.yaml"}
    assert open_api.get(f"/v2/pipelines/{pipeline['pipeline_id']}/versions").json["total_size"] == 2


@pytest.mark.parametrize("path", ["/loop", "/missing"])
def test_a_package_that_is_not_there_is_told(open_api: Any, web: str, path: str) -> None:
    body = {"pipeline": {"name": "p"}, "pipeline_version": {"package_url": {"pipeline_url": web + path}}}
    answer = open_api.post("/v2/pipelines/create", body)

    assert answer.status == 400
    assert "pipeline_version.package_url.pipeline_url" in answer.message
    assert "pipelines" not in open_api.get("/v2/pipelines").json


def test_a_full_view_counts_versions_and_names_the_latest_and_the_last_run(api: Any, spec: Any) -> None:
    pipeline_id = uploaded(api, spec, "full")["pipeline_id"]
    path = f"/v2/pipelines/{pipeline_id}"
    fresh = api.get(path, view="FULL").json
    assert fresh["version_count"] == 1
    assert "last_run" not in fresh
    data = json.dumps(spec()).encode()
    version = api.upload("/v2/pipelines/upload_version", "x", data, name="v2", pipelineid=pipeline_id).json
    reference = {"pipeline_id": pipeline_id, "pipeline_version_id": version["pipeline_version_id"]}
    answer = api.post("/v2/runs", {"display_name": "r", "pipeline_version_reference": reference})
    assert answer.status == 200, answer.content
    run = answer.json

    [full] = api.get("/v2/pipelines", view="FULL").json["pipelines"]
    assert full == api.get(path, view="FULL").json
    assert full["version_count"] == 2
    assert full["latest_version"]["display_name"] == "v2"
    assert full["last_run"]["run_id"] == run["run_id"]
    assert "version_count" not in api.get(path).json


def test_versions_are_listed_without_their_specifications_where_asked(api: Any, spec: Any) -> None:
    pipeline_id = uploaded(api, spec, "lean")["pipeline_id"]
    path = f"/v2/pipelines/{pipeline_id}/versions"
    [lean] = api.get(path, view="BASIC").json["pipeline_versions"]
    [full] = api.get(path).json["pipeline_versions"]
    assert lean == {key: value for key, value in full.items() if key != "pipeline_spec"}
    assert api.get(path, view="SHORT").status == 400


def test_versions_of_all_pipelines_are_listed_with_the_names_of_these(api: Any, spec: Any) -> None:
    first = uploaded(api, spec, "one")["pipeline_id"]
    uploaded(api, spec, "two")
    data = json.dumps(spec()).encode()
    api.upload("/v2/pipelines/upload_version", "x", data, name="v2", pipelineid=first, tags='{"team":"ml"}')
    found = api.get("/v2/pipeline_versions", sort_by="created_at desc").json
    assert [(each["pipeline_name"], each["name"]) for each in found["pipeline_versions"]] == [
        ("one", "v2"),
        ("two", "two"),
        ("one", "one"),
    ]
    assert "pipeline_spec" not in found["pipeline_versions"][0]
    wanted = [{"key": "tags.team", "operation": "EQUALS", "string_value": "ml"}]
    [tagged] = api.get("/v2/pipeline_versions", filter=json.dumps({"predicates": wanted})).json[
        "pipeline_versions"
    ]
    assert tagged["name"] == "v2"
