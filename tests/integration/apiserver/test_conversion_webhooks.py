"""A definition's conversion webhook is asked wherever a version is spoken that is not the stored one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import httpx
import pytest

from sampan.testing.apiserver import embedded, loopback
from sampan.testing.webhooks import Webhooks, webhooks

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
GROUP = "boats.example.com"
V1 = f"/apis/{GROUP}/v1/namespaces/default/boats"
V2 = f"/apis/{GROUP}/v2/namespaces/default/boats"
MERGE = {"content-type": "application/merge-patch+json"}
APPLY = {"content-type": "application/apply-patch+yaml"}


def definition(config: dict[str, Any]) -> dict[str, Any]:
    def version(name: str, spec: dict[str, Any], *, storage: bool) -> dict[str, Any]:
        return {
            "name": name,
            "served": True,
            "storage": storage,
            "schema": {
                "openAPIV3Schema": {
                    "type": "object",
                    "properties": {"spec": {"type": "object", "properties": spec}},
                }
            },
            "subresources": {"status": {}},
            "selectableFields": [{"jsonPath": f".spec.{next(iter(spec))}"}],
        }

    return {
        "metadata": {"name": f"boats.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"plural": "boats", "singular": "boat", "kind": "Boat", "listKind": "BoatList"},
            "versions": [
                version("v1", {"size": {"type": "string"}}, storage=True),
                version("v2", {"length": {"type": "integer"}}, storage=False),
            ],
            "conversion": {
                "strategy": "Webhook",
                "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": config},
            },
        },
    }


def convert(review: dict[str, Any], **changes: Any) -> dict[str, Any]:
    request = review["request"]
    converted = []
    for each in deepcopy(request["objects"]):
        spec = each.get("spec") or {}
        if request["desiredAPIVersion"].endswith("/v2"):
            each["spec"] = {"length": int(spec["size"].removesuffix("m"))} if "size" in spec else {}
        else:
            each["spec"] = {"size": f"{spec['length']}m"} if "length" in spec else {}
        each["apiVersion"] = request["desiredAPIVersion"]
        converted.append(each)
    response = {
        "uid": request["uid"],
        "result": {"status": "Success"},
        "convertedObjects": converted,
        **changes,
    }
    return {"apiVersion": review["apiVersion"], "kind": "ConversionReview", "response": response}


def run(
    folder: Path, journey: Callable[[httpx.AsyncClient, Webhooks], Awaitable[None]], answer: Any = convert
) -> None:
    async def main(hooks: Webhooks) -> None:
        async with (
            embedded(folder) as server,
            loopback(server.asgi) as url,
            httpx.AsyncClient(base_url=url, timeout=60) as http,
        ):
            made = await http.post(CRDS, json=definition(hooks.client_config("/c")))
            assert made.status_code == 201, made.text
            await journey(http, hooks)

    with webhooks(folder / "hooks") as hooks:
        hooks.answers["/c"] = answer
        asyncio.run(main(hooks))


def boat(version: str, name: str, labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": f"{GROUP}/{version}",
        "kind": "Boat",
        "metadata": {"name": name, "labels": labels or {}},
        "spec": spec,
    }


def test_every_verb_speaks_both_versions(tmp_path: Path) -> None:
    async def journey(http: httpx.AsyncClient, hooks: Webhooks) -> None:
        created = await http.post(V2, json=boat("v2", "a", length=5))
        assert (created.status_code, created.json()["spec"]) == (201, {"length": 5}), created.text
        assert (await http.get(f"{V1}/a")).json()["spec"] == {"size": "5m"}
        read = (await http.get(f"{V2}/a")).json()
        assert (read["apiVersion"], read["spec"]) == (f"{GROUP}/v2", {"length": 5})
        read["spec"]["length"] = 6
        assert (await http.put(f"{V2}/a", json=read)).json()["spec"] == {"length": 6}
        patched = await http.patch(f"{V2}/a", json={"spec": {"length": 7}}, headers=MERGE)
        assert (patched.status_code, patched.json()["spec"]) == (200, {"length": 7}), patched.text
        applied = await http.patch(
            f"{V2}/a?fieldManager=m&force=true", content=json.dumps(boat("v2", "a", length=8)), headers=APPLY
        )
        assert (applied.status_code, applied.json()["spec"]) == (200, {"length": 8}), applied.text
        status = await http.patch(f"{V2}/a/status", json={"status": {"x": 1}}, headers=MERGE)
        assert status.status_code == 200
        assert (await http.get(f"{V1}/a")).json()["spec"] == {"size": "8m"}
        assert (await http.delete(f"{V2}/a")).status_code == 200
        assert (await http.get(f"{V1}/a")).status_code == 404

    run(tmp_path, journey)


def test_lists_are_converted_at_once_and_selected_as_they_are_served(tmp_path: Path) -> None:
    async def journey(http: httpx.AsyncClient, hooks: Webhooks) -> None:
        for number in range(1, 6):
            labels = {"odd": str(number % 2)}
            await http.post(V1, json=boat("v1", f"b{number}", labels, size=f"{number}m"))
        assert not hooks.seen
        found = (await http.get(V2)).json()["items"]
        assert [each["spec"]["length"] for each in found] == [1, 2, 3, 4, 5]
        assert {each["apiVersion"] for each in found} == {f"{GROUP}/v2"}
        assert len(hooks.seen) == 1
        # What was converted is remembered.
        await http.get(V2)
        assert len(hooks.seen) == 1
        odd = (await http.get(V2, params={"labelSelector": "odd=1"})).json()["items"]
        assert [each["spec"]["length"] for each in odd] == [1, 3, 5]
        long = (await http.get(V2, params={"fieldSelector": "spec.length=4"})).json()["items"]
        assert [each["metadata"]["name"] for each in long] == ["b4"]

    run(tmp_path, journey)


@pytest.mark.parametrize("selector", ["", "odd=1"])
def test_watches_convert(tmp_path: Path, selector: str) -> None:
    async def journey(http: httpx.AsyncClient, hooks: Webhooks) -> None:
        await http.post(V1, json=boat("v1", "a", {"odd": "1"}, size="1m"))
        params = {"watch": "true", "labelSelector": selector}
        async with http.stream("GET", V2, params=params) as stream:
            lines = stream.aiter_lines()

            async def event() -> tuple[str, dict[str, Any]]:
                while not (line := await anext(lines)):
                    pass
                found = json.loads(line)
                return found["type"], found["object"]["spec"]

            assert await event() == ("ADDED", {"length": 1})
            await http.patch(f"{V1}/a", json={"spec": {"size": "2m"}}, headers=MERGE)
            assert await event() == ("MODIFIED", {"length": 2})
            await http.delete(f"{V1}/a")
            assert await event() == ("DELETED", {"length": 2})

    run(tmp_path, journey)


def renamed(review: dict[str, Any]) -> dict[str, Any]:
    found = convert(review)
    found["response"]["convertedObjects"][0]["metadata"]["name"] = "other"
    return found


def mislabelled(review: dict[str, Any]) -> dict[str, Any]:
    found = convert(review)
    found["response"]["convertedObjects"][0]["metadata"]["labels"] = {"a": 1}
    return found


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (
            lambda review: convert(review, result={"status": "Failure", "message": "cannot do it"}),
            f"conversion webhook for {GROUP}/v1, Kind=Boat failed: cannot do it",
        ),
        (
            lambda review: convert(review, convertedObjects=[]),
            f"conversion webhook for {GROUP}/v1, Kind=Boat returned 0 objects, expected 1",
        ),
        (lambda review: convert(review, uid="x"), "expected response.uid="),
        (renamed, "must have the same name: a != other"),
        (mislabelled, "returned invalid metadata"),
        (
            lambda _: (500, b"boom"),
            'an error on the server ("boom") has prevented the request from succeeding',
        ),
    ],
)
def test_what_cannot_be_converted_is_an_error(tmp_path: Path, answer: Any, why: str) -> None:
    async def journey(http: httpx.AsyncClient, hooks: Webhooks) -> None:
        await http.post(V1, json=boat("v1", "a", size="1m"))
        for path in (f"{V2}/a", V2):
            found = await http.get(path)
            assert found.status_code == 500
            assert why in found.json()["message"]
        assert (await http.patch(f"{V2}/a", json={"spec": {"length": 2}}, headers=MERGE)).status_code == 500
        # The stored version does not depend on it.
        assert (await http.patch(f"{V1}/a", json={"spec": {"size": "2m"}}, headers=MERGE)).status_code == 200
        assert (await http.delete(f"{CRDS}/boats.{GROUP}")).status_code == 200
        async with asyncio.timeout(60):
            while (await http.get(f"{CRDS}/boats.{GROUP}")).status_code != 404:
                await asyncio.sleep(0.02)

    run(tmp_path, journey, answer)


def test_labels_may_change_but_not_who_an_object_is(tmp_path: Path) -> None:
    def relabel(review: dict[str, Any]) -> dict[str, Any]:
        found = convert(review)
        for each in found["response"]["convertedObjects"]:
            each["metadata"]["labels"] = {"converted": "yes"}
            each["metadata"]["creationTimestamp"] = "2000-01-01T00:00:00Z"
            each["metadata"].pop("resourceVersion", None)
        return found

    async def journey(http: httpx.AsyncClient, hooks: Webhooks) -> None:
        stored = (await http.post(V1, json=boat("v1", "a", size="1m"))).json()["metadata"]
        read = (await http.get(f"{V2}/a")).json()["metadata"]
        assert read["labels"] == {"converted": "yes"}
        for key in ("creationTimestamp", "resourceVersion", "uid"):
            assert read[key] == stored[key]

    run(tmp_path, journey, relabel)
