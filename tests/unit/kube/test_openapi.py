"""OpenAPI v2 and v3: whole, referring to nothing that is not there, kept while the kinds stay the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from sampan.cluster.apiserver.kinds import BUILT_IN, built_in_schema
from sampan.cluster.apiserver.openapi import gnostic
from sampan.cluster.apiserver.openapi.documents import Answer, Kind, OpenApi, Request
from sampan.kube.errors import NotAcceptableError, NotFoundError
from sampan.kube.kinds import Resource
from sampan.kube.wire import fields

KINDS = [Kind(strategy.resource) for strategy in BUILT_IN]
OPENAPI = OpenApi(built_in_schema())


def asked(path: str, **more: Any) -> Answer:
    return OPENAPI.answer(Request(path, **more), 1, KINDS)


def document(path: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(asked(path).body)
    return found


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


def paths() -> list[str]:
    return [f"v3/{path}" for path in document("v3")["paths"]]


def test_every_reference_leads_somewhere() -> None:
    for path in paths():
        found = document(path)
        there = {f"#/components/schemas/{name}" for name in found["components"]["schemas"]}
        assert set(references(found)) <= there, path
    found = document("v2")
    assert set(references(found)) <= {f"#/definitions/{name}" for name in found["definitions"]}


def test_no_definition_is_empty() -> None:
    """kubectl's templates take an empty definition for none, and fail."""
    for path in paths():
        schemas = document(path)["components"]["schemas"]
        for name, schema in schemas.items():
            assert schema, name
            assert all(schema.get("properties", {"": 1}).values()), name
            assert all(each.get("items", 1) for each in schema.get("properties", {}).values()), name


def test_every_kind_is_found_by_its_group_version_and_kind() -> None:
    schemas = {
        (gvk["group"], gvk["version"], gvk["kind"])
        for path in paths()
        for schema in document(path)["components"]["schemas"].values()
        for gvk in schema.get("x-kubernetes-group-version-kind", ())
    }
    for kind in KINDS:
        resource = kind.resource
        assert (resource.group, resource.version, resource.kind) in schemas
        assert (resource.group, resource.version, resource.collection_kind) in schemas


@pytest.mark.parametrize("version", ["v2", "v3"])
def test_patches_say_what_they_accept(version: str) -> None:
    found = document("v3/apis/apps/v1" if version == "v3" else "v2")
    patch = found["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert patch["x-kubernetes-group-version-kind"] == {
        "group": "apps",
        "version": "v1",
        "kind": "Deployment",
    }
    names = {parameter["name"] for parameter in patch["parameters"]}
    assert {"fieldValidation", "dryRun", "fieldManager", "force"} <= names
    accepted = patch["consumes"] if version == "v2" else patch["requestBody"]["content"]
    assert "application/strategic-merge-patch+json" in accepted
    scale = found["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale"]
    assert scale["put"]["x-kubernetes-group-version-kind"]["kind"] == "Scale"


def test_lists_say_how_they_are_merged() -> None:
    schemas = document("v3/api/v1")["components"]["schemas"]
    ports = schemas["io.k8s.api.core.v1.Container"]["properties"]["ports"]
    assert ports["x-kubernetes-list-type"] == "map"
    assert ports["x-kubernetes-list-map-keys"] == ["containerPort", "protocol"]
    assert ports["x-kubernetes-patch-merge-key"] == "containerPort"
    assert schemas["io.k8s.api.core.v1.ContainerPort"]["properties"]["protocol"]["default"] == "TCP"
    volumes = schemas["io.k8s.api.core.v1.PodSpec"]["properties"]["volumes"]
    assert volumes["x-kubernetes-patch-strategy"] == "merge,retainKeys"
    assert schemas["io.k8s.api.core.v1.LocalObjectReference"]["x-kubernetes-map-type"] == "atomic"


def test_custom_kinds_have_their_own_schema() -> None:
    things = Resource("example.com", "v1", "Thing", "things")
    spec = {"type": "object", "properties": {"size": {"type": "integer"}}}
    kind = Kind(things, lambda: {"type": "object", "properties": {"spec": spec}})
    openapi = OpenApi(built_in_schema())
    found = json.loads(openapi.answer(Request("v3/apis/example.com/v1"), 1, [kind]).body)
    schema = found["components"]["schemas"]["com.example.v1.Thing"]
    assert schema["properties"]["spec"] == spec
    for path in ("", "/status"):
        patch = found["paths"][f"/apis/example.com/v1/namespaces/{{namespace}}/things/{{name}}{path}"][
            "patch"
        ]
        # Not a strategic one: the server refuses it, and kubectl sends it wherever it is named.
        assert list(patch["requestBody"]["content"]) == [
            "application/json-patch+json",
            "application/merge-patch+json",
            "application/apply-patch+yaml",
        ]
    assert schema["properties"]["metadata"]["allOf"][0]["$ref"].endswith(".ObjectMeta")
    # Another generation of kinds: another document, and another hash.
    changed = Kind(things, lambda: {"type": "object"})
    first = openapi.answer(Request("v3"), 1, [kind]).body
    assert openapi.answer(Request("v3"), 1, [changed]).body == first
    assert openapi.answer(Request("v3"), 2, [changed]).body != first


def test_answers_can_be_kept() -> None:
    location = document("v3")["paths"]["apis/batch/v1"]["serverRelativeURL"]
    path, _, digest = location.removeprefix("/openapi/").partition("?hash=")
    answer = asked(path, query={"hash": digest})
    headers = dict(answer.headers)
    assert headers["cache-control"] == "public, immutable"
    assert asked(path, if_none_match=headers["etag"]).status == 304
    moved = asked(path, query={"hash": "0"})
    assert (moved.status, dict(moved.headers)["location"]) == (301, location)
    with pytest.raises(NotFoundError):
        asked("v3/apis/no.such/v1")
    with pytest.raises(NotAcceptableError):
        asked("v3", accept="application/com.github.proto-openapi.spec.v3@v1.0+protobuf")


@pytest.mark.parametrize("version", ["@v1.0", ".v1.0"])
def test_v2_in_protobuf(version: str) -> None:
    accept = f"application/com.github.proto-openapi.spec.v2{version}+protobuf"
    answer = asked("v2", accept=f"{accept}, application/json")
    assert answer.content_type == gnostic.MEDIA_TYPE
    found = document("v2")
    top = dict(fields(answer.body))
    assert top[1] == b"2.0"
    definitions = named(top[9], 1)
    assert definitions.keys() == found["definitions"].keys()
    pod = definitions["io.k8s.api.core.v1.PodSpec"]
    properties = named(dict(fields(pod))[25], 1)
    assert properties.keys() == found["definitions"]["io.k8s.api.core.v1.PodSpec"]["properties"].keys()
    marks = [dict(fields(value)) for number, value in fields(properties["volumes"]) if number == 31]
    told = {mark[1].decode(): json.loads(dict(fields(mark[2]))[2]) for mark in marks}
    assert told["x-kubernetes-patch-merge-key"] == "name"
    assert named(top[8], 2).keys() == found["paths"].keys()


def named(data: Any, number: int) -> dict[str, Any]:
    entries = [dict(fields(value)) for at, value in fields(data) if at == number]
    return {entry[1].decode(): entry[2] for entry in entries}
