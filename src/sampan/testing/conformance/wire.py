"""What the Client protocol does not name: media types, tables, discovery, bookmarks, bad requests. Over HTTP only.

Inherit beside `ClientConformance` where the client is a RemoteClient.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import Any

from sampan.client.remote import RemoteClient
from sampan.client.sending import Request
from sampan.kube import meta
from sampan.kube.errors import (
    ApiError,
    BadRequestError,
    InvalidError,
    MethodNotAllowedError,
    NotAcceptableError,
    NotFoundError,
    RequestTooLargeError,
    UnsupportedMediaTypeError,
)
from sampan.testing.conformance.world import Connected, World, check, refused, since

_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
_PARTIAL = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
_AGGREGATED = "application/json;v=v2;g=apidiscovery.k8s.io;as=APIGroupDiscoveryList"
_WATCH_SECONDS = 3
_MINE = "metadata.name!=kube-root-ca.crt"


class WireChecks(Connected):
    @check
    async def test_table(self, world: World) -> None:
        await world.created("one", {"a": "1", "b": "2"})
        table = await _json(world, _maps(world, fieldSelector=_MINE, accept=_TABLE))
        assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
        assert [each["name"] for each in table["columnDefinitions"]] == ["Name", "Data", "Age"]
        (row,) = table["rows"]
        assert row["cells"][:2] == ["one", 2]
        assert row["object"]["kind"] == "PartialObjectMetadata"
        assert "data" not in row["object"]
        whole = await _json(world, _maps(world, fieldSelector=_MINE, includeObject="Object", accept=_TABLE))
        assert whole["rows"][0]["object"]["data"] == {"a": "1", "b": "2"}
        bare = await _json(world, _maps(world, fieldSelector=_MINE, includeObject="None", accept=_TABLE))
        assert not bare["rows"][0].get("object")

    @check
    async def test_metadata_alone(self, world: World) -> None:
        await world.created("one", {"a": "1"}, labels={"x": "y"})
        found = await _json(world, _maps(world, fieldSelector=_MINE, accept=_PARTIAL))
        assert found["kind"] == "PartialObjectMetadataList"
        (item,) = found["items"]
        assert item["metadata"]["labels"] == {"x": "y"}
        assert "data" not in item

    @check
    async def test_discovery(self, world: World) -> None:
        core = await _json(world, Request("GET", "/api/v1"))
        found = {each["name"]: each for each in core["resources"]}
        assert (core["kind"], core["groupVersion"]) == ("APIResourceList", "v1")
        assert set(found["configmaps"]["verbs"]) == {
            "create",
            "delete",
            "deletecollection",
            "get",
            "list",
            "patch",
            "update",
            "watch",
        }
        assert found["pods"]["shortNames"] == ["po"]
        assert set(found["pods/status"]["verbs"]) == {"get", "patch", "update"}
        assert found["namespaces"]["namespaced"] is False
        groups = await _json(world, Request("GET", "/apis"))
        batch = next(each for each in groups["groups"] if each["name"] == "batch")
        assert batch["preferredVersion"] == {"groupVersion": "batch/v1", "version": "v1"}

    @check
    @since((1, 30), "aggregated discovery v2")
    async def test_aggregated_discovery(self, world: World) -> None:
        found = await _json(world, Request("GET", "/apis", accept=_AGGREGATED))
        assert found["kind"] == "APIGroupDiscoveryList"
        batch = next(each for each in found["items"] if each["metadata"]["name"] == "batch")
        jobs = next(each for each in batch["versions"][0]["resources"] if each["resource"] == "jobs")
        assert jobs["responseKind"]["kind"] == "Job"
        assert "status" in {each["subresource"] for each in jobs["subresources"]}

    @check
    async def test_a_watch_ends_when_asked_to(self, world: World) -> None:
        made = await world.created("one")
        request = _maps(
            world,
            watch="True",
            allowWatchBookmarks="true",
            timeoutSeconds=str(_WATCH_SECONDS),
            resourceVersion=meta.resource_version(made),
        )
        events = await _events(world, request)
        # When bookmarks come is the server's to say, and 1.20 sends none to so short a watch.
        assert {each["type"] for each in events} <= {"BOOKMARK"}
        for bookmark in (each["object"] for each in events):
            assert bookmark["kind"] == "ConfigMap"
            assert int(meta.resource_version(bookmark)) >= int(meta.resource_version(made))

    @check
    @since((1, 32), "streamed lists")
    async def test_initial_events_are_closed_by_a_bookmark(self, world: World) -> None:
        await world.created("one")
        await world.created("two")
        request = _maps(
            world,
            watch="true",
            allowWatchBookmarks="true",
            sendInitialEvents="true",
            resourceVersionMatch="NotOlderThan",
            timeoutSeconds="1",
            fieldSelector=_MINE,
        )
        events = await _events(world, request)
        assert [each["type"] for each in events[:3]] == ["ADDED", "ADDED", "BOOKMARK"]
        annotations = events[2]["object"]["metadata"]["annotations"]
        assert annotations == {"k8s.io/initial-events-end": "true"}

    @check
    async def test_media_types_that_nobody_speaks(self, world: World) -> None:
        path = _path(world)
        await refused(NotAcceptableError, _json(world, Request("GET", path, accept="application/xml")))
        for method, where in (("POST", path), ("PATCH", f"{path}/one")):
            request = Request(method, where, content=b"{}", content_type="application/xml")
            await refused(UnsupportedMediaTypeError, _json(world, request))

    @check
    async def test_paths_and_methods_that_there_are_not(self, world: World) -> None:
        for path in ("/api/v2", "/apis/no.such.group/v1"):
            await refused(NotFoundError, _json(world, Request("GET", path)))
        for path in ("/api/v1/nothings", f"{_path(world)}/one/nothing"):
            error = await refused(NotFoundError, _json(world, Request("GET", path)))
            assert "could not find the requested resource" in error.message, path
        await refused(MethodNotAllowedError, _json(world, Request("PUT", _path(world), content=b"{}")))

    @check
    async def test_bodies_that_cannot_be_read(self, world: World) -> None:
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}}
        for content in (b"", b"{", b"[]", b'"text"', json.dumps(pod).encode()):
            request = Request("POST", _path(world), content=content)
            error = await refused(ApiError, _json(world, request))
            assert isinstance(error, BadRequestError), content
        large = {**world.config_map("one"), "data": {"a": "x" * (3 * 1024 * 1024 + 1)}}
        request = Request("POST", _path(world), content=json.dumps(large).encode())
        await refused(RequestTooLargeError, _json(world, request))

    @check
    async def test_queries_that_cannot_be_read(self, world: World) -> None:
        await refused(BadRequestError, _json(world, _maps(world, limit="many")))
        await refused(BadRequestError, _json(world, _maps(world, limit=str(2**63))))
        assert (await _json(world, _maps(world, limit=str(2**63 - 1))))["kind"] == "ConfigMapList"
        await refused(BadRequestError, _json(world, _maps(world, timeoutSeconds="soon", watch="1")))
        made = json.dumps(world.config_map("one")).encode()
        request = Request("POST", _path(world), {"dryRun": "Some"}, content=made)
        error = await refused(InvalidError, _json(world, request))
        assert [cause.field for cause in error.causes] == ["dryRun"]
        await refused(NotFoundError, world.get("one"))


def _path(world: World) -> str:
    return f"/api/v1/namespaces/{world.namespace}/configmaps"


def _maps(world: World, *, accept: str = "application/json", **query: str) -> Request:
    return Request("GET", _path(world), query, accept=accept)


async def _json(world: World, request: Request) -> Any:
    assert isinstance(world.client, RemoteClient)
    return json.loads(await world.client.raw(request))


async def _events(world: World, request: Request) -> list[Any]:
    """All of them, until the server ends the watch."""
    assert isinstance(world.client, RemoteClient)
    content = b""
    async with asyncio.timeout(_WATCH_SECONDS + 60), aclosing(world.client.raw_stream(request)) as chunks:
        async for chunk in chunks:
            content += chunk
    return [json.loads(line) for line in content.splitlines() if line.strip()]
