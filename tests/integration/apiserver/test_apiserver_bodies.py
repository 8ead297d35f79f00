"""Bodies in protobuf, and what fieldValidation makes of unknown and repeated fields, over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from sampan.cluster.apiserver.kinds import built_in_schema
from sampan.testing import protobuf
from sampan.testing.apiserver import embedded, loopback

CONFIG = "/api/v1/namespaces/default/configmaps"
JOBS = "/apis/batch/v1/namespaces/default/jobs"
SCHEMA = built_in_schema()
PROTOBUF = {"content-type": protobuf.MEDIA_TYPE, "accept": f"{protobuf.MEDIA_TYPE},application/json"}
JSON = {"content-type": "application/json"}


def with_http(folder: Path, test: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
    async def main() -> None:
        async with (
            embedded(folder) as server,
            loopback(server.asgi) as address,
            httpx.AsyncClient(base_url=address, trust_env=False) as client,
        ):
            await test(client)

    asyncio.run(main())


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def job(name: str) -> dict[str, Any]:
    container = {"name": "main", "image": "python", "resources": {"limits": {"cpu": "1"}}}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    spec = {"template": template, "backoffLimit": 0, "completions": 2}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec}


def test_objects_in_protobuf(tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        made = await client.post(
            CONFIG, content=protobuf.body(SCHEMA, config_map("one", a="b")), headers=PROTOBUF
        )
        assert made.status_code == 201, made.text
        assert made.headers["content-type"] == "application/json"
        assert made.json()["data"] == {"a": "b"}
        changed = protobuf.body(SCHEMA, config_map("one", a="c"))
        assert (await client.put(f"{CONFIG}/one", content=changed, headers=PROTOBUF)).json()["data"] == {
            "a": "c"
        }
        run = (await client.post(JOBS, content=protobuf.body(SCHEMA, job("run")), headers=PROTOBUF)).json()
        assert run["spec"]["backoffLimit"] == 0
        assert run["spec"]["template"]["spec"]["containers"][0]["resources"] == {"limits": {"cpu": "1"}}
        asked = {"apiVersion": "batch/v1", "kind": "DeleteOptions", "propagationPolicy": "Orphan"}
        body = protobuf.body(SCHEMA, asked, "DeleteOptions")
        await client.request("DELETE", f"{JOBS}/run", content=body, headers=PROTOBUF)
        assert (await client.get(f"{JOBS}/run")).json()["metadata"]["finalizers"] == ["orphan"]

    with_http(tmp_path, test)


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        (b"k8s\x00", {}, 400),
        (b"k8s\x00\x0a\xff", {}, 400),
        (b"k8s\x00" + b"\x0b" * 50, {}, 400),
        (protobuf.body(SCHEMA, config_map("one", a="b"))[:-20], {}, 400),
        (protobuf.body(SCHEMA, job("one")), {}, 400),
        (protobuf.body(SCHEMA, {"apiVersion": "x.y/v1", "kind": "Z"}, "ConfigMap"), {}, 415),
        (protobuf.body(SCHEMA, {"apiVersion": "jobset.x-k8s.io/v1alpha2", "kind": "JobSet"}), {}, 415),
        (protobuf.body(SCHEMA, config_map("one")), {"accept": protobuf.MEDIA_TYPE}, 406),
    ],
)
def test_bad_protobuf(tmp_path: Path, body: bytes, headers: dict[str, str], code: int) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.post(CONFIG, content=body, headers={**PROTOBUF, **headers})
        assert (answer.status_code, answer.json()["kind"]) == (code, "Status"), answer.text
        assert (await client.get(CONFIG)).json()["items"] == []

    with_http(tmp_path, test)


_UNKNOWN = b'{"metadata": {"name": "a", "labls": {}}, "data": {"x": "1"}, "dada": 1}'
_TWICE = b'{"metadata": {"name": "a"}, "data": {"x": "1", "x": "2"}}'
_YAML = b"metadata:\n  name: a\ndata:\n  x: '1'\n  x: '2'\n"


@pytest.mark.parametrize(
    ("body", "media_type", "told"),
    [
        (_UNKNOWN, "application/json", ['unknown field "metadata.labls"', 'unknown field "dada"']),
        (_TWICE, "application/json", ['duplicate field "data.x"']),
        (_YAML, "application/yaml", ['yaml: unmarshal errors:\n  line 5: key "x" already set in map']),
        (b'{"metadata": {"name": "a"}, "data": {"x": "\\"y\\": 1, \\"y\\": 2"}}', "application/json", []),
    ],
)
def test_field_validation(tmp_path: Path, body: bytes, media_type: str, told: list[str]) -> None:
    headers = {"content-type": media_type}

    async def test(client: httpx.AsyncClient) -> None:
        strict = await client.post(
            f"{CONFIG}?fieldValidation=Strict&dryRun=All", content=body, headers=headers
        )
        assert strict.status_code == (400 if told else 201)
        if told:
            assert strict.json()["message"] == (
                'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: '
                + ", ".join(told)
            )
        ignored = await client.post(
            f"{CONFIG}?fieldValidation=Ignore&dryRun=All", content=body, headers=headers
        )
        assert (ignored.status_code, ignored.headers.get_list("warning")) == (201, [])
        made = await client.post(CONFIG, content=body, headers=headers)
        assert len(made.headers.get_list("warning")) == len(told)
        assert made.json().keys() == {"apiVersion", "kind", "metadata", "data"}
        assert "labls" not in made.json()["metadata"]

    with_http(tmp_path, test)


def test_field_validation_of_patches(tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        await client.post(JOBS, json=job("one"))
        for kind in ("merge-patch", "strategic-merge-patch"):
            headers = {"content-type": f"application/{kind}+json"}
            refused = await client.patch(
                f"{JOBS}/one?fieldValidation=Strict", content=b'{"spec": {"paralelism": 1}}', headers=headers
            )
            assert refused.status_code == 422
            assert refused.json()["message"].startswith(' "" is invalid: patch: Invalid value: "{')
            assert 'strict decoding error: unknown field "spec.paralelism"' in refused.json()["message"]
            warned = await client.patch(
                f"{JOBS}/one", content=b'{"spec": {"paralelism": 1}}', headers=headers
            )
            assert warned.status_code == 200
            assert 'unknown field \\"spec.paralelism\\"' in warned.headers["warning"]
            assert "paralelism" not in warned.json()["spec"]
        headers = {"content-type": "application/apply-patch+yaml"}
        config = {**job("one"), "metadata": {"name": "one", "namespace": "default"}}
        config["spec"] = {"paralelism": 1}
        refused = await client.patch(f"{JOBS}/one?fieldManager=me", json=config, headers=headers)
        assert refused.json()["message"] == (
            "failed to create typed patch object (default/one; batch/v1, Kind=Job): "
            ".spec.paralelism: field not declared in schema"
        )

    with_http(tmp_path, test)


def test_a_value_of_a_wrong_type(tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        obj = job("one")
        obj["spec"]["template"]["spec"]["containers"][0]["image"] = 5
        answer = (await client.post(JOBS, json=obj)).json()
        assert (answer["code"], answer["message"]) == (
            400,
            'Job in version "v1" cannot be handled as a Job: json: cannot unmarshal number into Go struct field '
            "Container.spec.template.spec.containers.image of type string",
        )

    with_http(tmp_path, test)
