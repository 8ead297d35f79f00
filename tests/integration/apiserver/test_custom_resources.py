"""Custom resources over HTTP: definitions come and go, objects are shaped, judged and shown as they declare."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import httpx

from sampan.cluster.apiserver import ApiServer
from sampan.kube.kinds import Resource
from sampan.testing.apiserver import embedded, loopback

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
GROUP = "boats.example.com"
BOATS = f"/apis/{GROUP}/v1/namespaces/default/boats"
APPLY = {"content-type": "application/apply-patch+yaml"}
MERGE = {"content-type": "application/merge-patch+json"}
TABLE = {"accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["spec"],
    "properties": {
        "spec": {
            "type": "object",
            "required": ["length"],
            "x-kubernetes-validations": [
                {"rule": "self.crew <= self.length", "message": "a crew must fit", "fieldPath": ".crew"},
                {"rule": "self.name == oldSelf.name", "message": "a boat keeps its name"},
            ],
            "properties": {
                "length": {"type": "integer", "minimum": 1, "maximum": 100},
                "crew": {"type": "integer", "default": 1},
                "name": {"type": "string", "pattern": "^[A-Z][a-z]*$", "default": "Nameless"},
                "kind": {"type": "string", "enum": ["sail", "row"]},
                "replicas": {"type": "integer", "default": 1},
                "port": {"x-kubernetes-int-or-string": True},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                "launched": {"type": "string", "format": "date-time"},
                "stations": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["deck", "side"],
                    "items": {
                        "type": "object",
                        "required": ["deck"],
                        "properties": {
                            "deck": {"type": "integer"},
                            "side": {"type": "string", "default": "port"},
                            "who": {"type": "string"},
                        },
                    },
                },
            },
        },
        "status": {
            "type": "object",
            "properties": {
                "replicas": {"type": "integer"},
                "selector": {"type": "string"},
                "phase": {"type": "string", "enum": ["Afloat", "Sunk"]},
            },
        },
    },
}


def definition(**version: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"boats.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"plural": "boats", "kind": "Boat", "shortNames": ["bt"], "categories": ["all"]},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": deepcopy(SCHEMA)},
                    "subresources": {
                        "status": {},
                        "scale": {
                            "specReplicasPath": ".spec.replicas",
                            "statusReplicasPath": ".status.replicas",
                            "labelSelectorPath": ".status.selector",
                        },
                    },
                    "additionalPrinterColumns": [
                        {"name": "Length", "type": "integer", "jsonPath": ".spec.length"},
                        {
                            "name": "Sides",
                            "type": "string",
                            "jsonPath": ".spec.stations[*].side",
                            "priority": 1,
                        },
                        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
                    ],
                    "selectableFields": [{"jsonPath": ".spec.kind"}],
                    **version,
                }
            ],
        },
    }


def boat(name: str, /, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "Boat",
        "metadata": {"name": name},
        "spec": {"length": 7, **spec},
    }


@asynccontextmanager
async def http(folder: Path) -> AsyncIterator[tuple[httpx.AsyncClient, ApiServer]]:
    async with (
        embedded(folder) as server,
        loopback(server.asgi) as address,
        httpx.AsyncClient(base_url=address, trust_env=False) as client,
    ):
        yield client, server
        server.close_streams()


Test = Callable[[httpx.AsyncClient], Awaitable[None]]


def run(folder: Path, test: Test, crd: dict[str, Any] | None = None) -> None:
    async def main() -> None:
        async with http(folder) as (client, _):
            made = await client.post(CRDS, json=crd or definition())
            assert made.status_code == 201, made.text
            await test(client)

    asyncio.run(main())


async def refused(answer: Awaitable[httpx.Response], code: int) -> dict[str, Any]:
    found = await answer
    assert found.status_code == code, found.text
    status: dict[str, Any] = found.json()
    return status


def causes(status: dict[str, Any]) -> dict[str, str]:
    return {each["field"]: each["message"] for each in status["details"]["causes"]}


def test_a_definition_is_served_at_once(tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        stored = (await client.get(f"{CRDS}/boats.{GROUP}")).json()
        names = stored["spec"]["names"]
        assert (names["singular"], names["listKind"]) == ("boat", "BoatList")
        assert stored["spec"]["conversion"] == {"strategy": "None"}
        assert stored["status"]["storedVersions"] == ["v1"]
        assert stored["status"]["acceptedNames"] == names
        held = {each["type"]: each["status"] for each in stored["status"]["conditions"]}
        assert held == {"NamesAccepted": "True", "Established": "True"}
        listed = (await client.get(f"/apis/{GROUP}/v1")).json()
        assert [each["name"] for each in listed["resources"]] == ["boats", "boats/status", "boats/scale"]
        assert listed["resources"][0]["shortNames"] == ["bt"]
        groups = (await client.get("/apis")).json()["groups"]
        assert GROUP in {each["name"] for each in groups}

    run(tmp_path, test)


def test_objects_are_shaped(tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        obj = boat("one", extra=1, crew=None, free={"any": {"thing": None}}, tags=["a"])
        obj["status"] = {"phase": "Sunk"}
        answer = await client.post(BOATS, json=obj)
        assert answer.status_code == 201, answer.text
        assert 'unknown field "spec.extra"' in answer.headers["warning"].replace("\\", "")
        made = answer.json()
        assert made["spec"] == {
            "length": 7,
            "crew": 1,
            "name": "Nameless",
            "replicas": 1,
            "free": {"any": {"thing": None}},
            "tags": ["a"],
        }
        assert "status" not in made
        assert made["metadata"]["generation"] == 1
        strict = await refused(
            client.post(
                BOATS, params={"fieldValidation": "Strict"}, json=boat("two", stations=[{"deck": 1, "x": 1}])
            ),
            400,
        )
        assert strict["message"] == (
            'Boat in version "v1" cannot be handled as a Boat: strict decoding error: '
            'unknown field "spec.stations[0].x"'
        )

    run(tmp_path, test)


JUDGED: list[tuple[dict[str, Any], str, str]] = [
    ({"length": None}, "spec.length", "Required value"),
    (
        {"length": "7"},
        "spec.length",
        'Invalid value: "string": spec.length in body must be of type integer: "string"',
    ),
    (
        {"length": 101},
        "spec.length",
        "Invalid value: 101: spec.length in body should be less than or equal to 100",
    ),
    ({"kind": "motor"}, "spec.kind", 'Unsupported value: "motor": supported values: "sail", "row"'),
    (
        {"name": "small"},
        "spec.name",
        "Invalid value: \"small\": spec.name in body should match '^[A-Z][a-z]*$'",
    ),
    ({"tags": ["a", "a"]}, "spec.tags[1]", 'Duplicate value: "a"'),
    (
        {"stations": [{"deck": 1}, {"deck": 1, "side": "port"}]},
        "spec.stations[1]",
        'Duplicate value: {"deck":1,"side":"port"}',
    ),
    (
        {"launched": "yesterday"},
        "spec.launched",
        'Invalid value: "yesterday": spec.launched in body must be of type date-time: "yesterday"',
    ),
    (
        {"port": True},
        "spec.port",
        'Invalid value: "boolean": spec.port in body must be of type integer,string: "boolean"',
    ),
    ({"crew": 8}, "spec.crew", 'Invalid value: "object": a crew must fit'),
]


def test_objects_are_judged(tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        for spec, field, message in JUDGED:
            status = await refused(client.post(BOATS, json=boat("one", **spec)), 422)
            assert causes(status) == {field: message}
            assert status["message"] == f'Boat.{GROUP} "one" is invalid: {field}: {message}'

    run(tmp_path, test)


def test_updates_and_their_rules(tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        await client.post(BOATS, json=boat("one"))
        renamed = {"spec": {"name": "Argo"}}
        status = await refused(client.patch(f"{BOATS}/one", json=renamed, headers=MERGE), 422)
        assert causes(status) == {"spec": 'Invalid value: "object": a boat keeps its name'}
        longer = (await client.patch(f"{BOATS}/one", json={"spec": {"length": 9}}, headers=MERGE)).json()
        assert longer["metadata"]["generation"] == 2
        afloat = {"status": {"phase": "Afloat", "zzz": 1}, "spec": {"length": 3}}
        patched = (await client.patch(f"{BOATS}/one/status", json=afloat, headers=MERGE)).json()
        assert patched["status"] == {"phase": "Afloat"}
        assert (patched["spec"]["length"], patched["metadata"]["generation"]) == (9, 2)
        sunk = await refused(
            client.patch(f"{BOATS}/one/status", json={"status": {"phase": "Up"}}, headers=MERGE), 422
        )
        assert "status.phase" in causes(sunk)
        strategic = {"content-type": "application/strategic-merge-patch+json"}
        await refused(client.patch(f"{BOATS}/one", json={}, headers=strategic), 415)
        replaced = boat("one", length=4)
        await refused(client.put(f"{BOATS}/one", json=replaced), 422)

    run(tmp_path, test)


def test_what_was_let_in_may_stay(tmp_path: Path) -> None:
    """A schema that became stricter does not hold up a change of something else."""

    async def test(client: httpx.AsyncClient) -> None:
        await client.post(BOATS, json=boat("one", length=50))
        path = f"{CRDS}/boats.{GROUP}"
        crd = (await client.get(path)).json()
        crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["length"][
            "maximum"
        ] = 10
        assert (await client.put(path, json=crd)).status_code == 200
        labelled = await client.patch(
            f"{BOATS}/one", json={"metadata": {"labels": {"a": "b"}}, "spec": {"crew": 2}}, headers=MERGE
        )
        assert labelled.status_code == 200, labelled.text
        await refused(client.patch(f"{BOATS}/one", json={"spec": {"length": 51}}, headers=MERGE), 422)

    run(tmp_path, test)


def test_defaults_of_a_newer_schema_are_read(tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        await client.post(BOATS, json=boat("one", free={"a": 1}))
        path = f"{CRDS}/boats.{GROUP}"
        crd = (await client.get(path)).json()
        properties = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"][
            "properties"
        ]
        properties["flag"] = {"type": "string", "default": "none"}
        del properties["free"]
        assert (await client.put(path, json=crd)).status_code == 200
        for spec in (
            (await client.get(f"{BOATS}/one")).json()["spec"],
            (await client.get(BOATS)).json()["items"][0]["spec"],
        ):
            assert spec["flag"] == "none"
            assert "free" not in spec

    run(tmp_path, test)


def test_scale(tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        await client.post(BOATS, json=boat("one", replicas=2))
        status = {"status": {"replicas": 1, "selector": "a=b"}}
        await client.patch(f"{BOATS}/one/status", json=status, headers=MERGE)
        scale = (await client.get(f"{BOATS}/one/scale")).json()
        assert (scale["kind"], scale["apiVersion"]) == ("Scale", "autoscaling/v1")
        assert (scale["spec"], scale["status"]) == ({"replicas": 2}, {"replicas": 1, "selector": "a=b"})
        scale["spec"]["replicas"] = 5
        assert (await client.put(f"{BOATS}/one/scale", json=scale)).json()["spec"] == {"replicas": 5}
        found = (await client.get(f"{BOATS}/one")).json()
        assert (found["spec"]["replicas"], found["metadata"]["generation"]) == (5, 2)
        patched = await client.patch(f"{BOATS}/one/scale", json={"spec": {"replicas": 0}}, headers=MERGE)
        assert patched.json()["spec"] == {"replicas": 0}

    run(tmp_path, test)


def test_columns_and_selectors(tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        await client.post(
            BOATS, json=boat("one", kind="sail", stations=[{"deck": 1}, {"deck": 2, "side": "star"}])
        )
        await client.post(BOATS, json=boat("two", kind="row"))
        table = (await client.get(BOATS, headers=TABLE)).json()
        assert [(each["name"], each["type"], each["priority"]) for each in table["columnDefinitions"]] == [
            ("Name", "string", 0),
            ("Length", "integer", 0),
            ("Sides", "string", 1),
            ("Age", "date", 0),
        ]
        cells = table["rows"][0]["cells"]
        assert cells[:3] == ["one", 7, "port"]
        assert cells[3].endswith("s")
        assert table["rows"][1]["cells"][2] is None
        rowed = (await client.get(BOATS, params={"fieldSelector": "spec.kind=row"})).json()
        assert [each["metadata"]["name"] for each in rowed["items"]] == ["two"]
        await refused(client.get(BOATS, params={"fieldSelector": "spec.length=7"}), 400)

    run(tmp_path, test)


def test_server_side_apply_follows_the_schema(tmp_path: Path) -> None:
    async def apply(client: httpx.AsyncClient, manager: str, **spec: Any) -> httpx.Response:
        obj = boat("one", **spec)
        return await client.patch(f"{BOATS}/one", params={"fieldManager": manager}, json=obj, headers=APPLY)

    async def test(client: httpx.AsyncClient) -> None:
        first = await apply(client, "a", tags=["x"], stations=[{"deck": 1, "who": "Ann"}], free={"l": [1]})
        assert first.status_code == 201, first.text
        second = await apply(client, "b", tags=["y"], stations=[{"deck": 1, "side": "star", "who": "Bo"}])
        spec = second.json()["spec"]
        assert spec["tags"] == ["x", "y"]
        assert [(each["side"], each["who"]) for each in spec["stations"]] == [("port", "Ann"), ("star", "Bo")]
        conflict = await apply(client, "b", stations=[{"deck": 1, "side": "port", "who": "Bo"}])
        assert conflict.status_code == 409
        assert conflict.json()["details"]["causes"][0]["field"] == '.spec.stations[deck=1,side="port"].who'
        atomic = await apply(client, "b", free={"l": [2]})
        assert atomic.status_code == 409
        gone = (await apply(client, "a")).json()["spec"]
        assert gone["tags"] == ["y"]
        assert [each["side"] for each in gone["stations"]] == ["star"]

    run(tmp_path, test)


def test_deletion_takes_the_objects_first_and_ends_watches(tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        await client.post(BOATS, json=boat("free"))
        held = boat("held")
        held["metadata"]["finalizers"] = ["example.com/hold"]
        await client.post(BOATS, json=held)
        async with client.stream("GET", BOATS, params={"watch": "true"}) as watch:
            lines = watch.aiter_lines()
            for _ in range(2):
                assert json.loads(await anext(lines))["type"] == "ADDED"
            going = (await client.delete(f"{CRDS}/boats.{GROUP}")).json()
            assert going["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
            refused_status = await refused(client.post(BOATS, json=boat("late")), 405)
            assert "terminating" in refused_status["message"]
            seen = [json.loads(await anext(lines)) for _ in range(2)]
            assert {(each["type"], each["object"]["metadata"]["name"]) for each in seen} == {
                ("DELETED", "free"),
                ("MODIFIED", "held"),
            }
            await client.patch(f"{BOATS}/held", json={"metadata": {"finalizers": None}}, headers=MERGE)
            rest = [json.loads(line) async for line in lines if line]
            assert [each["type"] for each in rest] == ["DELETED"]
        async with asyncio.timeout(60):
            while (await client.get(f"{CRDS}/boats.{GROUP}")).status_code != 404:
                await asyncio.sleep(0.05)
        await refused(client.get(BOATS), 404)
        await refused(client.get(f"/apis/{GROUP}/v1"), 404)
        assert (await client.post(CRDS, json=definition())).status_code == 201
        assert (await client.get(BOATS)).json()["items"] == []

    run(tmp_path, test)


def test_a_restart_serves_what_was_defined(tmp_path: Path) -> None:
    async def before(client: httpx.AsyncClient) -> None:
        await client.post(BOATS, json=boat("one"))

    run(tmp_path, before)

    async def after() -> None:
        async with http(tmp_path) as (client, _):
            assert (await client.get(f"{BOATS}/one")).json()["spec"]["crew"] == 1
            await refused(client.post(BOATS, json=boat("two", length=0)), 422)

    asyncio.run(after())


def test_names_that_others_have(tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        other = definition()
        other["metadata"]["name"] = f"ships.{GROUP}"
        other["spec"]["names"] = {"plural": "ships", "singular": "ship", "kind": "Boat"}
        made = (await client.post(CRDS, json=other)).json()
        held = {each["type"]: (each["status"], each["reason"]) for each in made["status"]["conditions"]}
        assert held == {"NamesAccepted": ("False", "KindConflict"), "Established": ("False", "NotAccepted")}
        await refused(client.get(f"/apis/{GROUP}/v1/ships"), 404)
        await client.delete(f"{CRDS}/boats.{GROUP}")
        async with asyncio.timeout(60):
            while (await client.get(f"/apis/{GROUP}/v1/ships")).status_code != 200:
                await asyncio.sleep(0.05)

    run(tmp_path, test)


def test_built_in_kinds_cannot_be_defined(tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        crd = definition()
        crd["metadata"] = {
            "name": "leases.coordination.k8s.io",
            "annotations": {"api-approved.kubernetes.io": "unapproved, a test"},
        }
        crd["spec"]["group"] = "coordination.k8s.io"
        crd["spec"]["names"] = {"plural": "leases", "kind": "Lease"}
        made = (await client.post(CRDS, json=crd)).json()
        held = {each["type"]: each["status"] for each in made["status"]["conditions"]}
        assert (held["NamesAccepted"], held["Established"]) == ("False", "False")
        lease = {"metadata": {"name": "one"}, "spec": {"holderIdentity": "me"}}
        path = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
        assert (await client.post(path, json=lease)).status_code == 201

    run(tmp_path, test)


def test_the_definition_of_a_kind_that_a_component_serves_changes_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async with http(tmp_path) as (client, server):
            ours = Resource(GROUP, "v1", "Boat", "boats")
            server.registry.add(ours)
            made = (await client.post(CRDS, json=definition())).json()
            held = {each["type"]: each["status"] for each in made["status"]["conditions"]}
            assert held == {"NamesAccepted": "True", "Established": "True"}
            loose = await client.post(BOATS, json=boat("one", length="any"))
            assert loose.status_code == 201, loose.text
            await client.delete(f"{CRDS}/boats.{GROUP}")
            async with asyncio.timeout(60):
                while (await client.get(f"{CRDS}/boats.{GROUP}")).status_code != 404:
                    await asyncio.sleep(0.05)
            assert (await client.get(f"{BOATS}/one")).status_code == 200

    asyncio.run(main())


def test_several_versions(tmp_path: Path) -> None:
    crd = definition()
    beta = deepcopy(crd["spec"]["versions"][0])
    beta |= {"name": "v1beta1", "storage": False, "deprecated": True}
    crd["spec"]["versions"].insert(0, beta)

    async def test(client: httpx.AsyncClient) -> None:
        old = BOATS.replace("/v1/", "/v1beta1/")
        obj = {**boat("one"), "apiVersion": f"{GROUP}/v1beta1"}
        made = await client.post(old, json=obj)
        assert made.status_code == 201, made.text
        assert f"{GROUP}/v1beta1 Boat is deprecated" in made.headers["warning"]
        assert made.json()["apiVersion"] == f"{GROUP}/v1beta1"
        assert (await client.get(f"{BOATS}/one")).json()["apiVersion"] == f"{GROUP}/v1"
        assert (await client.get(old)).json()["items"][0]["apiVersion"] == f"{GROUP}/v1beta1"
        async with client.stream("GET", old, params={"watch": "true"}) as watch:
            lines = watch.aiter_lines()
            assert json.loads(await anext(lines))["object"]["apiVersion"] == f"{GROUP}/v1beta1"
            await client.patch(f"{BOATS}/one", json={"spec": {"length": 8}}, headers=MERGE)
            changed = json.loads(await anext(lines))["object"]
            assert (changed["apiVersion"], changed["spec"]["length"]) == (f"{GROUP}/v1beta1", 8)
        group = (await client.get(f"/apis/{GROUP}")).json()
        assert group["preferredVersion"]["version"] == "v1"

    run(tmp_path, test, crd)


def test_openapi(tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        index = (await client.get("/openapi/v3")).json()["paths"]
        document = (await client.get(index[f"apis/{GROUP}/v1"]["serverRelativeURL"])).json()
        schemas = document["components"]["schemas"]
        found = next(
            each
            for each in schemas.values()
            if each.get("x-kubernetes-group-version-kind", [{}])[0].get("kind") == "Boat"
        )
        assert found["properties"]["spec"]["properties"]["length"]["maximum"] == 100
        assert "ObjectMeta" in json.dumps(found["properties"]["metadata"])
        path = f"{CRDS}/boats.{GROUP}"
        crd = (await client.get(path)).json()
        crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["length"][
            "maximum"
        ] = 99
        await client.put(path, json=crd)
        again = (await client.get("/openapi/v3")).json()["paths"]
        assert again[f"apis/{GROUP}/v1"] != index[f"apis/{GROUP}/v1"]
        assert again["api/v1"] == index["api/v1"]

    run(tmp_path, test)
