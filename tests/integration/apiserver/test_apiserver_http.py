"""The HTTP face as kubectl and other clients see it: negotiation, tables, streams, limits, errors."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from sampan.client.protocol import LogOptions
from sampan.cluster.apiserver import ApiServer
from sampan.kube.errors import BadRequestError
from sampan.kube.kinds import CONFIG_MAPS, PODS
from sampan.testing.apiserver import embedded, loopback

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
CONFIG = "/api/v1/namespaces/default/configmaps"
JSON = {"content-type": "application/json"}


class Lines:
    """Logs of containers, for the log sub-resource."""

    async def read(self, pod: dict[str, Any], options: LogOptions) -> AsyncIterator[bytes]:
        if options.previous:
            raise BadRequestError("previous terminated container not found")
        yield f"{pod['metadata']['name']}/{options.container} tail={options.tail_lines}\n".encode()
        if options.follow:
            await asyncio.sleep(3600)


@asynccontextmanager
async def http(folder: Path, token: str = "") -> AsyncIterator[tuple[httpx.AsyncClient, ApiServer]]:
    async with (
        embedded(folder, pod_logs=Lines(), token=token) as server,
        loopback(server.asgi) as address,
        httpx.AsyncClient(base_url=address, trust_env=False) as client,
    ):
        yield client, server
        server.close_streams()


def with_http(
    folder: Path, test: Callable[[httpx.AsyncClient, ApiServer], Awaitable[None]], token: str = ""
) -> None:
    async def main() -> None:
        async with http(folder, token) as (client, server):
            await test(client, server)

    asyncio.run(main())


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def pod(name: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"containers": [{"name": "main", "image": "a"}]},
    }


@pytest.mark.parametrize(
    ("method", "path", "code", "reason"),
    [
        ("GET", "/nowhere", 404, "NotFound"),
        ("GET", "/api/v2", 404, "NotFound"),
        ("GET", "/api/v1/nothings", 404, "NotFound"),
        ("GET", "/apis/no.such.group/v1/things", 404, "NotFound"),
        ("GET", "/api/v1/namespaces/default/configmaps/none", 404, "NotFound"),
        ("GET", "/api/v1/namespaces/default/pods/none/nonsense", 404, "NotFound"),
        ("GET", "/api/v1/namespaces/default/nodes", 404, "NotFound"),
        ("PUT", "/api/v1/namespaces/default/configmaps", 405, "MethodNotAllowed"),
        ("POST", "/api/v1/namespaces/default/configmaps/one", 405, "MethodNotAllowed"),
        ("GET", f"{CONFIG}?limit=many", 400, "BadRequest"),
        ("GET", f"{CONFIG}?watch=perhaps", 400, "BadRequest"),
        ("GET", f"{CONFIG}?continue=%00%ff", 400, "BadRequest"),
        ("GET", f"{CONFIG}?labelSelector=a%20in%20(", 400, "BadRequest"),
        ("GET", f"{CONFIG}?resourceVersion=abc", 400, "BadRequest"),
        ("GET", f"{CONFIG}?sendInitialEvents=true&watch=1", 422, "Invalid"),
        ("GET", f"{CONFIG}?resourceVersionMatch=Exact", 422, "Invalid"),
        ("DELETE", f"{CONFIG}/one?propagationPolicy=Sideways", 422, "Invalid"),
    ],
)
def test_refusals_are_statuses(tmp_path: Path, method: str, path: str, code: int, reason: str) -> None:
    async def test(client: httpx.AsyncClient, _: ApiServer) -> None:
        answer = await client.request(method, path)
        assert answer.headers["content-type"] == "application/json"
        status = answer.json()
        assert (status["kind"], status["status"]) == ("Status", "Failure")
        assert (answer.status_code, status["code"], status["reason"]) == (code, code, reason)

    with_http(tmp_path, test)


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        (b"{", JSON, 400),
        (b"[]", JSON, 400),
        (b"null", JSON, 400),
        (b"\xff\xfe", JSON, 400),
        (b'{"metadata": []}', JSON, 400),
        (b'{"metadata": {"name": 5}}', JSON, 400),
        (b'{"metadata": {"name": "a", "labels": {"x": {}}}}', JSON, 400),
        (b'{"metadata": {"name": "a", "finalizers": "x"}}', JSON, 400),
        (b'{"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "a"}}', JSON, 400),
        (b'{"metadata": {"name": "a", "namespace": "other"}}', JSON, 400),
        (b'{"metadata": {"name": "a"}, "data": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", JSON, 400),
        (b'{"metadata": {"name": "a"}, "x": ' + b'{"x":' * 300 + b"1" + b"}" * 300 + b"}", JSON, 400),
        (b'{"metadata": {"name": "a"}, "data": {"a": "' + b"x" * 3_200_000 + b'"}}', JSON, 413),
        (b"{}", {"content-type": "application/vnd.kubernetes.protobuf"}, 400),
        (b"<html>", {"content-type": "text/html"}, 415),
        (b"a: &a [x]\nb: [*a, *a]\n", {"content-type": "application/yaml"}, 400),
        (b"a: [\n", {"content-type": "application/yaml"}, 400),
        (b'{"metadata": {"name": "a"}}', {**JSON, "accept": "text/html"}, 406),
        (b'{"metadata": {"name": "a", "annotations": {"x": "' + b"y" * 300_000 + b'"}}}', JSON, 422),
        (b'{"metadata": {"name": "a"}, "data": {"../x": "1"}}', JSON, 422),
    ],
)
def test_bad_bodies(tmp_path: Path, body: bytes, headers: dict[str, str], code: int) -> None:
    async def test(client: httpx.AsyncClient, _: ApiServer) -> None:
        answer = await client.post(CONFIG, content=body, headers=headers)
        assert answer.status_code == code, answer.text
        assert answer.json()["kind"] == "Status"
        assert "Traceback" not in answer.text
        assert (await client.get(CONFIG)).json()["items"] == []

    with_http(tmp_path, test)


@pytest.mark.parametrize(
    ("body", "kind"), [(b'"a"', "string"), (b"[]", "array"), (b"1", "number"), (b"true", "bool")]
)
def test_a_merge_patch_that_is_no_object(tmp_path: Path, body: bytes, kind: str) -> None:
    async def test(client: httpx.AsyncClient, _: ApiServer) -> None:
        await client.post(CONFIG, json=config_map("one"))
        headers = {"content-type": "application/merge-patch+json"}
        answer = await client.patch(f"{CONFIG}/one", content=body, headers=headers)
        assert answer.status_code == 400
        assert answer.json()["message"] == (
            f"error decoding patch: json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"
        )

    with_http(tmp_path, test)


def test_yaml_is_read_and_written(tmp_path: Path) -> None:
    text = b"metadata:\n  name: one\n  annotations: {when: '2026-01-01'}\ndata:\n  day: 2026-01-01\n"

    async def test(client: httpx.AsyncClient, _: ApiServer) -> None:
        answer = await client.post(CONFIG, content=text, headers={"content-type": "application/yaml"})
        assert answer.status_code == 201
        assert answer.json()["data"] == {"day": "2026-01-01"}
        shown = await client.get(f"{CONFIG}/one", headers={"accept": "application/yaml"})
        assert "day: '2026-01-01'" in shown.text

    with_http(tmp_path, test)


def test_tables(tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient, server: ApiServer) -> None:
        await server.client.create(PODS, pod("one"))
        answer = await client.get("/api/v1/pods", headers={"accept": TABLE})
        table = answer.json()
        assert table["kind"] == "Table"
        assert [each["name"] for each in table["columnDefinitions"]][:5] == [
            "Name",
            "Ready",
            "Status",
            "Restarts",
            "Age",
        ]
        assert table["rows"][0]["cells"][:4] == ["one", "0/1", "Pending", "0"]
        assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
        partial = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
        metadata = (await client.get("/api/v1/pods", headers={"accept": partial})).json()
        assert "spec" not in metadata["items"][0]

    with_http(tmp_path, test)


def test_discovery(tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient, server: ApiServer) -> None:
        groups = [each["name"] for each in (await client.get("/apis")).json()["groups"]]
        assert "batch" in groups
        listed = (await client.get("/api/v1")).json()["resources"]
        assert {"pods", "pods/status", "pods/log", "pods/binding"} <= {each["name"] for each in listed}
        accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
        answer = await client.get("/apis", headers={"accept": accept})
        assert answer.json()["kind"] == "APIGroupDiscoveryList"
        assert "as=APIGroupDiscoveryList" in answer.headers["content-type"]
        index = (await client.get("/openapi/v3")).json()["paths"]
        document = (await client.get(index["apis/batch/v1"]["serverRelativeURL"])).json()
        schema = document["components"]["schemas"]["io.k8s.api.batch.v1.Job"]
        assert schema["x-kubernetes-group-version-kind"][0]["kind"] == "Job"
        for path in ("healthz", "livez", "readyz"):
            assert (await client.get(f"/{path}")).text == (await client.get(f"/{path}/ping")).text == "ok"
            assert (await client.get(f"/{path}?verbose")).text == f"[+]ping ok\n{path} check passed\n"
            assert (await client.get(f"/{path}/nonsense")).status_code == 404
        # Every kind that is discovered is served.
        for resource in server.registry:
            code = 200 if "list" in resource.verbs else 405
            assert (await client.get(resource.path())).status_code == code, resource

    with_http(tmp_path, test)


def test_watch_lists(tmp_path: Path) -> None:
    """WatchList: what exists, then a bookmark that says so, then changes."""

    async def test(client: httpx.AsyncClient, server: ApiServer) -> None:
        await client.post(CONFIG, json=config_map("one"))
        query = "watch=True&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
        async with asyncio.timeout(60), client.stream("GET", f"{CONFIG}?{query}", timeout=None) as answer:
            assert answer.headers["content-type"] == "application/json;stream=watch"
            lines = answer.aiter_lines()
            added, bookmark = json.loads(await anext(lines)), json.loads(await anext(lines))
            await server.client.create(CONFIG_MAPS, {"metadata": {"name": "two", "namespace": "default"}})
            later = json.loads(await anext(lines))
        assert (added["type"], added["object"]["metadata"]["name"]) == ("ADDED", "one")
        assert bookmark["type"] == "BOOKMARK"
        assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        assert (later["type"], later["object"]["metadata"]["name"]) == ("ADDED", "two")

    with_http(tmp_path, test)


def test_watches_end_in_time_with_a_bookmark(tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient, server: ApiServer) -> None:
        version = (await client.get(CONFIG)).json()["metadata"]["resourceVersion"]
        await server.client.create(PODS, pod("other"))
        query = f"watch=1&resourceVersion={version}&timeoutSeconds=1&allowWatchBookmarks=true"
        answer = await client.get(f"{CONFIG}?{query}", timeout=60)
        lines = [json.loads(line) for line in answer.text.splitlines()]
        assert [each["type"] for each in lines] == ["BOOKMARK"]
        assert int(lines[0]["object"]["metadata"]["resourceVersion"]) > int(version)

    with_http(tmp_path, test)


def test_a_watch_of_tables(tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient, server: ApiServer) -> None:
        await server.client.create(PODS, pod("one"))
        async with client.stream(
            "GET", "/api/v1/pods?watch=1&timeoutSeconds=1", headers={"accept": TABLE}
        ) as answer:
            lines = [json.loads(line) async for line in answer.aiter_lines()]
        assert lines[0]["object"]["kind"] == "Table"
        assert lines[0]["object"]["rows"][0]["cells"][0] == "one"

    with_http(tmp_path, test)


def test_closing_ends_streams(tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient, server: ApiServer) -> None:
        async with (
            asyncio.timeout(60),
            client.stream("GET", f"{CONFIG}?watch=1", timeout=None) as answer,
        ):
            server.close_streams()
            assert [line async for line in answer.aiter_lines()] == []

    with_http(tmp_path, test)


def test_logs(tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient, server: ApiServer) -> None:
        await server.client.create(PODS, pod("one"))
        path = "/api/v1/namespaces/default/pods/one/log"
        assert (await client.get(f"{path}?tailLines=3")).text == "one/main tail=3\n"
        assert (await client.get(f"{path}?container=none")).status_code == 400
        assert (await client.get(f"{path}?previous=true")).json()["message"].startswith("previous terminated")
        assert (await client.get(f"{path}?tailLines=-1")).status_code == 422
        async with asyncio.timeout(60), client.stream("GET", f"{path}?follow=True", timeout=None) as answer:
            assert await anext(answer.aiter_lines()) == "one/main tail=None"

    with_http(tmp_path, test)


def test_warnings_and_strictness(tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient, _: ApiServer) -> None:
        body = {**config_map("one"), "dada": {}}
        warned = await client.post(CONFIG, json=body)
        assert warned.status_code == 201
        assert warned.headers["warning"] == '299 - "unknown field \\"dada\\""'
        assert (await client.put(f"{CONFIG}/one?fieldValidation=Strict", json=body)).status_code == 400
        silent = await client.put(f"{CONFIG}/one?fieldValidation=Ignore", json=body)
        assert "warning" not in silent.headers

    with_http(tmp_path, test)


def test_evictions_and_bindings(tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient, server: ApiServer) -> None:
        await server.client.create(PODS, pod("one"))
        base = "/api/v1/namespaces/default/pods/one"
        assert (await client.post(f"{base}/binding", json={"target": {}})).status_code == 422
        bound = await client.post(f"{base}/binding", json={"target": {"kind": "Node", "name": "here"}})
        assert bound.status_code == 201
        assert (await client.get(base)).json()["spec"]["nodeName"] == "here"
        body = {"deleteOptions": {"gracePeriodSeconds": 0}}
        assert (await client.post(f"{base}/eviction", json=body)).status_code == 201
        assert (await client.get(base)).status_code == 404

    with_http(tmp_path, test)


def test_a_wrong_token_is_told(tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient, _: ApiServer) -> None:
        tokens: tuple[dict[str, str], ...] = (
            {},
            {"authorization": "Bearer right"},
            {"authorization": "Bearer wrong"},
        )
        codes = [(await client.get("/api/v1/pods", headers=headers)).status_code for headers in tokens]
        assert codes == [200, 200, 401]

    with_http(tmp_path, test, token="right")


def test_a_thousand_watchers_see_everything(tmp_path: Path) -> None:
    """In one process; what counts is that none costs another anything but time."""

    async def main() -> None:
        async with embedded(tmp_path) as server:
            start = (await server.client.list(CONFIG_MAPS)).resource_version
            storage = server.storage
            watchers = [storage.subscribe(CONFIG_MAPS.key, since=int(start)) for _ in range(1_000)]
            waiting = [asyncio.create_task(each.next(5)) for each in watchers]
            await asyncio.sleep(0)
            await server.client.create(CONFIG_MAPS, {"metadata": {"name": "one", "namespace": "default"}})
            assert all(len(changes) == 1 for changes in await asyncio.gather(*waiting))

    asyncio.run(main())
