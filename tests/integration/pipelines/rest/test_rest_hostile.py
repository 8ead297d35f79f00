"""Hostile and broken input to the REST API: an error of the API's own, nothing kept, and the server goes on.

Rows 2 to 6, 8, 13 and 15 of the table of attacks.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import stat
import tarfile
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sampan.components.pipelines.rest import PREFIXES
from sampan.components.pipelines.rest.endpoints import endpoints
from sampan.components.pipelines.store import tables

TRAVERSALS = [
    "../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "..%252f..%252fetc%252fpasswd",
    "..\\..\\etc\\passwd",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "C:%5Cwindows",
    "%00",
    "file:%2f%2f%2fetc%2fpasswd",
    "a%27%20OR%20%271%27=%271",
]


def test_unknown_paths_and_methods_answer_in_the_apis_own_form(api: Any) -> None:
    for prefix in PREFIXES:
        answer = api.get(f"{prefix}/nothing/here")
        assert (answer.status, answer.json["code"]) == (404, 5)
        assert answer.headers["content-type"] == "application/json"
    for method, path in [("PUT", "/v2/runs"), ("DELETE", "/v2/runs"), ("POST", "/v2/runs/x")]:
        answer = api.call(method, path)
        assert (answer.status, answer.json["code"]) == (405, 12)
    assert api.post("/v2/runs/x:unknown").status in (404, 405)


def test_the_prefix_of_the_central_dashboard_changes_nothing(api: Any) -> None:
    assert api.get("/pipeline/apis/v2beta1/healthz").json == api.get("/v2/healthz").json
    assert api.get("/pipeline/apis/v1beta1/healthz").json["tag_name"] == "2.17.0"


def test_what_is_not_served_says_so(api: Any) -> None:
    answer = api.post("/apps/tensorboard", logdir="x")
    assert (answer.status, answer.json["code"]) == (501, 12)


@pytest.mark.parametrize("item", TRAVERSALS)
def test_ids_in_paths_reach_nothing_but_the_table(api: Any, spec: Any, item: str) -> None:
    run_id = api.post("/v2/runs", {"display_name": "r", "pipeline_spec": spec()}).json["run_id"]
    for path in (
        f"/v2/runs/{item}",
        f"/v2/runs/{item}/tasks",
        f"/v2/experiments/{item}",
        f"/v2/pipelines/{item}",
        f"/v2/pipelines/names/{item}",
        f"/v2/recurringruns/{item}",
        f"/v2/recurringruns/{item}:ticks",
        f"/v2/pipelines/{item}/versions/{item}",
        f"/v2/tasks/{item}",
        f"/v2/artifacts/{item}",
        f"/v2/runs/{run_id}/nodes/{item}/artifacts/{item}:read",
        f"/apis/v1alpha1/runs/{run_id}/nodes/{item}/log",
    ):
        answer = api.get(path)
        assert answer.status == 404, (path, answer.content)
        assert b"root:" not in answer.content


@pytest.mark.parametrize(
    "query",
    [
        {"source": "file", "key": "/etc/passwd"},
        {"source": "file", "key": "etc/passwd"},
        {"source": "minio", "bucket": "..", "key": "../../etc/passwd"},
        {"source": "minio", "bucket": "mlpipeline", "key": "../../../sampan.db"},
        {"source": "s3", "bucket": "link", "key": "secret"},
        {"source": "file", "key": "HOME/artifacts/link/secret"},
        {"source": "file", "key": "HOME/artifacts/../sampan.db"},
        {"source": "file", "key": "HOME/artifacts"},
        {"source": "file", "key": "HOME/artifacts/pipe"},
        {"source": "file", "key": "\0"},
        {"source": "http", "bucket": "169.254.169.254", "key": "latest"},
        {"source": "", "bucket": "", "key": ""},
        {"source": "file", "key": "x" * 5000},
    ],
)
def test_artifacts_are_read_from_the_artifact_folder_only(api: Any, query: dict[str, str]) -> None:
    outside = api.home / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    folder = api.home / "artifacts"
    (folder / "s3").mkdir(parents=True)
    (folder / "link").symlink_to(outside)
    (folder / "s3" / "link").symlink_to(outside)
    os.mkfifo(folder / "pipe")

    query = {name: value.replace("HOME", str(api.home)) for name, value in query.items()}
    answer = api.get("/artifacts/get", **query)
    assert answer.status in (400, 403, 404)
    assert b"secret" not in answer.content
    assert b"SQLite" not in answer.content


def test_an_artifact_is_given_out_inert(api: Any) -> None:
    file = api.home / "artifacts" / "minio" / "mlpipeline" / "a.html"
    file.parent.mkdir(parents=True)
    file.write_text("<script>alert(1)</script>")

    answer = api.get("/artifacts/get", source="minio", bucket="mlpipeline", key="a.html", peek=8)
    assert answer.content == b"<script>"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-type"] == "application/octet-stream"


def zip_of(name: str, data: bytes, mode: int = 0) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        info.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(info, data)
    return buffer.getvalue()


def tar_of(name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.size = kind, link, len(data)
        archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def many_files() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(1001):
            archive.writestr(f"{number}.yaml", b"")
    return buffer.getvalue()


LAUGHS = (
    "a: &a ["
    + "x," * 50
    + "]\n"
    + "".join(f"{name}: &{name} [{f'*{inner},' * 50}]\n" for inner, name in pairwise("abcdefg"))
)
LONG_TEXTS = "big: &big '" + "x" * 100_000 + "'\nroot: [" + "*big," * 10_000 + "]\n"

PACKAGES = {
    "empty": b"",
    "binary": b"\x00\x01\xff\xfe",
    "list": b"[1, 2]",
    "text": b"hello",
    "broken json": b'{"pipelineInfo": ',
    "broken yaml": b"a: [1,\nb: }",
    "python object": b"!!python/object/apply:os.system ['true']",
    "billion laughs": LAUGHS.encode(),
    "long texts": LONG_TEXTS.encode(),
    "self-containing": b"root: &a [*a]",
    "deep json": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "deep yaml": b"[" * 3000 + b"]" * 3000,
    "argo": b"apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {}\n",
    "truncated zip": zip_of("pipeline.yaml", b"x" * 100)[:40],
    "truncated tar": tar_of("pipeline.yaml", b"x" * 1000)[:60],
    "zip bomb": zip_of("pipeline.yaml", b"\0" * (64 * 1024 * 1024)),
    "tar bomb": tar_of("zeros.bin", b"\0" * (64 * 1024 * 1024)),
    "gzip of zeros": gzip.compress(b"\0" * (64 * 1024 * 1024)),
    "many files": many_files(),
    "zip traversal": zip_of("../pipeline.yaml", b"x: 1"),
    "zip absolute": zip_of("/etc/pipeline.yaml", b"x: 1"),
    "zip backslash": zip_of("..\\pipeline.yaml", b"x: 1"),
    "zip drive": zip_of("C:/pipeline.yaml", b"x: 1"),
    "zip link": zip_of("pipeline.yaml", b"/etc/passwd", stat.S_IFLNK | 0o777),
    "zip without yaml": zip_of("pipeline.txt", b"x: 1"),
    "tar link": tar_of("pipeline.yaml", kind=tarfile.SYMTYPE, link="/etc/passwd"),
    "tar hard link": tar_of("pipeline.yaml", kind=tarfile.LNKTYPE, link="/etc/passwd"),
    "tar device": tar_of("pipeline.yaml", kind=tarfile.CHRTYPE),
    "tar absolute": tar_of("/pipeline.yaml", b"x: 1"),
    "tar traversal": tar_of("a/../../pipeline.yaml", b"x: 1"),
}


@pytest.mark.parametrize("kind", PACKAGES)
def test_a_bad_package_is_refused_with_its_reason(api: Any, kind: str) -> None:
    answer = api.upload("/v2/pipelines/upload", "package", PACKAGES[kind], name="bad")

    assert answer.status in (400, 501), answer.content
    assert set(answer.json) == {"error_message", "error_details"}
    message = answer.json["error_message"]
    assert 10 < len(message) < 500
    assert "Traceback" not in message
    assert "pipelines" not in api.get("/v2/pipelines").json


def test_an_upload_without_its_parts_says_what_is_missing(api: Any, spec: Any) -> None:
    data = json.dumps(spec()).encode()

    assert "uploadfile" in api.upload("/v2/pipelines/upload", "x", data, field="file").json["error_message"]
    assert "multipart" in api.post("/v2/pipelines/upload", {}).json["error_message"]
    assert api.upload("/v2/pipelines/upload_version", "x", data, pipelineid="none").status == 404
    assert api.upload("/v2/pipelines/upload_version", "x", data).status == 404
    long = api.upload("/v2/pipelines/upload", "x", data, name="n" * 129)
    assert (long.status, "128" in long.json["error_message"]) == (400, True)
    bad_tags = api.upload("/v2/pipelines/upload", "x", data, name="n", tags='{"a":1}')
    assert (bad_tags.status, "tags.a" in bad_tags.json["error_message"]) == (400, True)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b'{"display_name": "x", "pipeline_spec": ' + b'{"a":' * 500 + b"1" + b"}" * 501,
        b'{"a":' * 200_000,
        b"[" * 200_000,
        b'{"display_name": NaN}',
        b'{"display_name": "\\ud800"}',
        b'{"display_name": "x", "pipeline_spec": {"a": 1e999}}',
    ],
)
def test_a_broken_body_is_an_error_that_says_where(api: Any, body: bytes) -> None:
    answer = api.call("POST", "/v2/runs", body=body)

    assert answer.status == 400
    assert answer.json["code"] == 3
    assert api.get("/v2/healthz").status == 200


def test_a_body_over_the_limit_is_refused_before_it_is_all_read(api: Any) -> None:
    answer = api.call("POST", "/v2/runs", body=b" " * (34 * 1024 * 1024))
    assert answer.status == 413
    assert answer.json["code"] == 8


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/p.yaml",
        "http://localhost/p.yaml",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::]/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0/",
        "http://10.0.0.1/",
        "http://192.168.1.1/",
        "http://100.64.0.1/",
        "http://224.0.0.1/",
        "http://user:password@127.0.0.1/",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "gopher://127.0.0.1/",
        "//127.0.0.1/",
        "http://",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1/ HTTP/1.1\r\nX: y",
        "p.yaml",
    ],
)
def test_a_package_url_cannot_reach_what_is_private(api: Any, url: str) -> None:
    body = {"pipeline": {"name": "p"}, "pipeline_version": {"package_url": {"pipeline_url": url}}}
    answer = api.post("/v2/pipelines/create", body)

    assert answer.status == 400
    assert "package_url.pipeline_url" in answer.message


BAD_FILTERS = [
    "{",
    "[]",
    '{"predicates": 1}',
    '{"predicates": [{"operation": "EQUALS", "key": "nope", "string_value": "x"}]}',
    '{"predicates": [{"operation": "EQUALS", "key": "state; DROP TABLE kfp_runs", "string_value": "x"}]}',
    '{"predicates": [{"operation": 99, "key": "state", "string_value": "x"}]}',
    '{"predicates": [{"operation": 1, "key": "state"}]}',
    '{"predicates": [{"operation": 1, "key": "state", "string_value": "x", "int_value": 1}]}',
    '{"predicates": [{"operation": 8, "key": "state", "string_value": "x"}]}',
    '{"predicates": [{"operation": 1, "key": "state", "string_values": {"values": ["x"]}}]}',
    '{"predicates": [{"operation": 9, "key": "created_at", "long_value": "1"}]}',
    '{"predicates": [{"operation": 1, "key": "created_at", "string_value": "x"}]}',
    '{"predicates": [{"operation": 1, "key": "created_at", "timestamp_value": "yesterday"}]}',
    '{"predicates": [{"operation": 1, "key": "tags.x", "string_value": "x"}]}',
    '{"unknown": []}',
    json.dumps({"predicates": [{"operation": 1, "key": "state", "string_value": "x"}] * 51}),
]


@pytest.mark.parametrize("text", BAD_FILTERS)
def test_a_bad_filter_is_named(api: Any, text: str) -> None:
    answer = api.get("/v2/runs", filter=text)
    assert answer.status == 400
    assert "filter" in answer.message


@pytest.mark.parametrize(
    "query",
    [
        {"sort_by": "nope"},
        {"sort_by": "created_at sideways"},
        {"sort_by": "created_at desc, (select 1)"},
        {"sort_by": "spec"},
        {"page_size": -1},
        {"page_size": "many"},
        {"page_size": "٣"},
        {"page_token": "x"},
        {"page_token": "bnVsbA=="},
        {"page_token": "e30="},
    ],
)
def test_bad_paging_is_refused(api: Any, query: dict[str, Any]) -> None:
    answer = api.get("/v2/runs", **query)
    assert answer.status == 400
    assert next(iter(query)) in answer.message


def test_a_page_token_of_another_list_or_order_is_refused(api: Any, spec: Any) -> None:
    for number in range(3):
        api.post("/v2/runs", {"display_name": f"r{number}", "pipeline_spec": spec()})
        api.post("/v2/experiments", {"display_name": f"e{number}"})
    token = api.get("/v2/runs", page_size=1, sort_by="display_name").json["next_page_token"]

    assert api.get("/v2/runs", page_token=token).status == 200
    assert api.get("/v2/runs", page_token=token, sort_by="display_name asc").status == 200
    assert api.get("/v2/experiments", page_token=token).status == 400
    assert api.get("/v2/runs", page_token=token, sort_by="display_name desc").status == 400
    for position in range(0, len(token), 7):
        forged = token[:position] + ("A" if token[position] != "A" else "B") + token[position + 1 :]
        assert api.get("/v2/runs", page_token=forged).status in (200, 400)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_lists_never_fail_on_any_text(api: Any, sort_by: str, token: str, text: str) -> None:
    query = {"sort_by": sort_by, "page_token": token, "filter": text}
    query = {name: value.encode("utf-8", "surrogatepass") for name, value in query.items()}
    assert api.get("/v2/runs", **query).status in (200, 400)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
RUN_FIELDS = ["display_name", "pipeline_spec", "runtime_config", "experiment_id", "description", "tags", "x"]


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.dictionaries(st.sampled_from(RUN_FIELDS), JSON_VALUES))
def test_creating_a_run_never_fails_inside(api: Any, body: dict[str, Any]) -> None:
    assert api.post("/v2/runs", body).status in (400, 404)


SCHEDULE_FIELDS = [*RUN_FIELDS, "trigger", "max_concurrency", "mode", "no_catchup", "plugins_input"]
TRIGGERS = st.dictionaries(
    st.sampled_from(["cron_schedule", "periodic_schedule"]),
    JSON_VALUES
    | st.dictionaries(
        st.sampled_from(["cron", "interval_second", "start_time", "end_time"]),
        JSON_VALUES | st.text("0123456789*/-,?@TZ= ", max_size=20),
    ),
)


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.dictionaries(st.sampled_from(SCHEDULE_FIELDS), JSON_VALUES), TRIGGERS)
def test_creating_a_recurring_run_never_fails_inside(
    api: Any, spec: Any, body: dict[str, Any], trigger: Any
) -> None:
    assert api.post("/v2/recurringruns", body).status in (400, 404)
    given = {"display_name": "s", "pipeline_spec": spec(), "max_concurrency": 1, "trigger": trigger}
    answer = api.post("/v2/recurringruns", given)
    assert answer.status in (200, 400)
    if answer.status == 200:
        schedule_id = answer.json["recurring_run_id"]
        assert api.get(f"/v2/recurringruns/{schedule_id}:ticks", count=100).status == 200


def test_every_endpoint_is_authorised_against_the_namespace_of_what_it_touches(api: Any, spec: Any) -> None:
    """What lies in a namespace that is not the user's answers 403 on every path and verb."""
    run_id = api.post("/v2/runs", {"display_name": "r", "pipeline_spec": spec()}).json["run_id"]
    data = json.dumps(spec()).encode()
    pipeline_id = api.upload("/v2/pipelines/upload", "p", data).json["pipeline_id"]
    experiment_id = api.post("/v2/experiments", {"display_name": "e"}).json["experiment_id"]
    schedule = {"display_name": "s", "pipeline_spec": spec(), "max_concurrency": 1}
    schedule_id = api.post("/v2/recurringruns", schedule).json["recurring_run_id"]
    api.write(_move_everything_away)
    ids = {
        "run_id": run_id,
        "pipeline_id": pipeline_id,
        "experiment_id": experiment_id,
        "recurring_run_id": schedule_id,
    }

    asked = 0
    for endpoint in endpoints():
        if not any(f"{{{name}}}" in endpoint.path for name in ids):
            continue
        path = re.sub(r"{(\w+)}", lambda match: ids.get(match[1], "x"), endpoint.path)
        answer = api.call(endpoint.method, path, body=b"{}" if endpoint.body else b"")
        assert answer.status == 403, (endpoint.method, path, answer.content)
        assert answer.json["code"] == 7
        asked += 1
    assert asked > 20
    version = {"pipeline_version_reference": {"pipeline_id": pipeline_id}, "display_name": "r"}
    assert api.post("/v2/runs", version).status == 404
    assert (
        api.post(
            "/v2/runs", {"display_name": "r", "pipeline_spec": spec(), "experiment_id": experiment_id}
        ).status
        == 404
    )
    assert api.post("/v2/recurringruns", schedule | {"experiment_id": experiment_id}).status == 404
    assert api.upload("/v2/pipelines/upload_version", "p", data, pipelineid=pipeline_id).status == 403
    assert "runs" not in api.get("/v2/runs").json


def _move_everything_away(connection: Any) -> None:
    for table in (tables.runs, tables.pipelines, tables.experiments, tables.schedules):
        connection.execute(table.update().values(namespace="another"))


def test_no_sql_is_made_of_text() -> None:
    """Row 15: statements are built from tables and bound parameters."""
    store = Path(__file__).parents[4] / "src/sampan/components/pipelines/store"
    for file in store.glob("*.py"):
        assert not re.search(r"\btext\(|exec_driver_sql|literal_column", file.read_text()), file
