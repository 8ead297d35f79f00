"""Serving's kinds on our API server: what their definitions take, keep, refuse and show."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from sampan.app.definitions import DEFINITIONS as DEFINITION_KIND
from sampan.app.definitions import for_other_servers, install
from sampan.client.protocol import Client, WriteOptions
from sampan.cluster.apiserver.kinds import built_in_schema
from sampan.components.serving.api.definitions import DEFINITIONS
from sampan.components.serving.api.kinds import (
    CLUSTER_STORAGE_CONTAINERS,
    INFERENCE_GRAPHS,
    INFERENCE_SERVICES,
    LLM_INFERENCE_SERVICE_CONFIGS,
    LLM_INFERENCE_SERVICES,
    SELDON_DEPLOYMENTS,
    SERVING_RUNTIMES,
    TRAINED_MODELS,
)
from sampan.kube.errors import BadRequestError, InvalidError
from sampan.kube.kinds import Resource
from sampan.testing.apiserver import embedded, loopback

STRICT = WriteOptions(field_validation="Strict")


@asynccontextmanager
async def installed(folder: Path) -> AsyncIterator[tuple[Client, httpx.AsyncClient]]:
    async with embedded(folder) as server:
        assert await install(server.client, DEFINITIONS) == frozenset()
        async with loopback(server.asgi) as url, httpx.AsyncClient(base_url=url) as http:
            yield server.client, http


def run(folder: Path, scenario: Callable[[Client, httpx.AsyncClient], Awaitable[None]]) -> None:
    async def main() -> None:
        async with installed(folder) as (client, http):
            await scenario(client, http)

    asyncio.run(main())


def an_object(resource: Resource, spec: Any, name: str = "iris") -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": "default"} if resource.namespaced else {})}
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, "spec": spec}


FULL_PREDICTOR: dict[str, Any] = {
    "minReplicas": 0,
    "maxReplicas": 3,
    "scaleMetric": "rps",
    "canaryTrafficPercent": 10,
    "serviceAccountName": "models",
    "nodeSelector": {"kind": "big"},
    "logger": {"mode": "all", "url": "http://logs"},
    "batcher": {"maxBatchSize": 32, "maxLatency": 5000},
    "deploymentStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}},
    "model": {
        "modelFormat": {"name": "sklearn", "version": "1"},
        "protocolVersion": "v2",
        "storage": {"key": "minio", "path": "iris", "parameters": {"bucket": "models"}},
        "args": ["--workers=2"],
        "env": [{"name": "A", "value": "1"}],
        "resources": {"limits": {"cpu": 1, "memory": "1Gi"}},
        "readinessProbe": {"httpGet": {"path": "/v2/health/ready"}},
    },
}


def test_a_framework_is_a_container_with_more_and_without_a_name(tmp_path: Path) -> None:
    async def scenario(client: Client, _http: httpx.AsyncClient) -> None:
        specs = [
            {
                "predictor": {
                    "sklearn": {"storageUri": "s3://models/iris", "resources": {"limits": {"cpu": "1"}}}
                }
            },
            {"predictor": FULL_PREDICTOR},
            {"predictor": {"containers": [{"name": "kserve-container", "image": "mine"}], "volumes": []}},
            {
                "predictor": {"model": {"modelFormat": {"name": "onnx"}}, "name": "main"},
                "canary": [{"predictor": {"onnx": {"storageUri": "gs://m"}}, "trafficPercent": 5}],
                "transformer": {"containers": [{"image": "before", "name": "t"}], "timeout": 5},
                "explainer": {"art": {"type": "SquareAttack", "config": {"a": "b"}}},
            },
            {"predictor": {"storageUris": [{"uri": "hf://a/b", "mountPath": "/mnt/a"}], "triton": {}}},
        ]
        for count, spec in enumerate(specs):
            wanted = an_object(INFERENCE_SERVICES, spec, f"iris-{count}")
            kept = await client.create(INFERENCE_SERVICES, wanted, options=STRICT)
            assert kept["spec"] == spec

    run(tmp_path, scenario)


WRONG: list[tuple[Resource, Any, str, str]] = [
    (INFERENCE_SERVICES, {}, "spec.predictor", "Required value"),
    (
        INFERENCE_SERVICES,
        {"predictor": {"sklearn": {"env": [{"value": "1"}]}}},
        "spec.predictor.sklearn.env[0].name",
        "Required value",
    ),
    (
        INFERENCE_SERVICES,
        {"predictor": {"containers": [{"image": "mine"}]}},
        "spec.predictor.containers[0].name",
        "Required value",
    ),
    (
        INFERENCE_SERVICES,
        {"predictor": {"minReplicas": "one", "sklearn": {}}},
        "spec.predictor.minReplicas",
        "must be of type integer",
    ),
    (
        INFERENCE_SERVICES,
        {"predictor": {"scaleMetric": "heat", "sklearn": {}}},
        "spec.predictor.scaleMetric",
        "Unsupported value",
    ),
    (
        INFERENCE_SERVICES,
        {"predictor": {"sklearn": {}}, "canary": [{"predictor": {"sklearn": {}}, "trafficPercent": 101}]},
        "spec.canary[0].trafficPercent",
        "less than or equal to 100",
    ),
    (SERVING_RUNTIMES, {"supportedModelFormats": []}, "spec.containers", "Required value"),
    (
        SERVING_RUNTIMES,
        {"containers": [], "supportedModelFormats": [{"name": "a", "priority": 0}]},
        "spec.supportedModelFormats[0].priority",
        "greater than or equal to 1",
    ),
    (
        TRAINED_MODELS,
        {"inferenceService": "a", "model": {"storageUri": "s3://a", "framework": "sklearn"}},
        "spec.model.memory",
        "Required value",
    ),
    (
        INFERENCE_GRAPHS,
        {"nodes": {"root": {"routerType": "Chance"}}},
        "spec.nodes.root.routerType",
        "Unsupported value",
    ),
]


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    async def scenario(client: Client, _http: httpx.AsyncClient) -> None:
        for resource, spec, field, reason in WRONG:
            with pytest.raises(InvalidError) as refused:
                await client.create(resource, an_object(resource, spec))
            causes = {each.field: each.message for each in refused.value.causes}
            assert reason in causes.get(field, ""), causes

    run(tmp_path, scenario)


def test_a_typing_error_in_a_framework_is_told_of(tmp_path: Path) -> None:
    async def scenario(client: Client, _http: httpx.AsyncClient) -> None:
        wrong = an_object(INFERENCE_SERVICES, {"predictor": {"sklearn": {"storageURI": "s3://m"}}})
        with pytest.raises(BadRequestError, match=r"spec\.predictor\.sklearn\.storageURI"):
            await client.create(INFERENCE_SERVICES, wrong, options=STRICT)

    run(tmp_path, scenario)


def test_units_of_a_graph_have_children_to_any_depth(tmp_path: Path) -> None:
    async def scenario(client: Client, _http: httpx.AsyncClient) -> None:
        leaf = {"name": "leaf", "type": "MODEL", "children": []}
        spec = {
            "predictors": [
                {
                    "name": "main",
                    "graph": {"name": "top", "children": [{"name": "between", "children": [leaf]}]},
                    "componentSpecs": [{"spec": {"containers": [{"name": "leaf", "image": "mine"}]}}],
                }
            ]
        }
        for version in ("v1", "v1alpha2", "v1alpha3"):
            resource = Resource(SELDON_DEPLOYMENTS.group, version, "SeldonDeployment", "seldondeployments")
            kept = await client.create(resource, an_object(resource, spec, version), options=STRICT)
            assert kept["spec"] == spec

    run(tmp_path, scenario)


def test_what_upstream_fills_in_is_filled_in(tmp_path: Path) -> None:
    async def scenario(client: Client, _http: httpx.AsyncClient) -> None:
        spec = {"container": {"name": "storage-initializer"}, "supportedUriFormats": [{"prefix": "s3://"}]}
        made = await client.create(
            CLUSTER_STORAGE_CONTAINERS, an_object(CLUSTER_STORAGE_CONTAINERS, spec), options=STRICT
        )
        assert made["spec"]["workloadType"] == "initContainer"
        assert made["spec"]["supportsMultiModelDownload"] is False
        status = {"modelStatus": {"states": {}}, "components": {"predictor": {"traffic": [{"percent": 100}]}}}
        service = await client.create(
            INFERENCE_SERVICES, an_object(INFERENCE_SERVICES, {"predictor": {"sklearn": {}}})
        )
        kept = await client.replace(INFERENCE_SERVICES, {**service, "status": status}, subresource="status")
        assert kept["status"]["modelStatus"] == {
            "transitionStatus": "UpToDate",
            "states": {"activeModelState": "Pending", "targetModelState": ""},
        }

    run(tmp_path, scenario)


def test_kubectl_is_told_names_columns_and_fields(tmp_path: Path) -> None:
    async def scenario(client: Client, http: httpx.AsyncClient) -> None:
        listed = (await http.get("/apis/serving.kserve.io/v1beta1")).json()["resources"]
        assert listed[0]["shortNames"] == ["isvc"]
        await client.create(INFERENCE_SERVICES, an_object(INFERENCE_SERVICES, {"predictor": {"sklearn": {}}}))
        answer = await http.get(
            "/apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices",
            headers={"accept": "application/json;as=Table;v=v1;g=meta.k8s.io"},
        )
        columns = [each["name"] for each in answer.json()["columnDefinitions"]]
        assert columns == [
            "Name",
            "URL",
            "Ready",
            "Prev",
            "Latest",
            "PrevRolledoutRevision",
            "LatestReadyRevision",
            "Age",
        ]
        for path, types in (("/openapi/v2", "definitions"), ("/openapi/v3", "")):
            if not types:
                path += "/apis/serving.kserve.io/v1beta1"
            document = (await http.get(path)).json()
            found = document["definitions"] if types else document["components"]["schemas"]
            predictor = found["io.kserve.serving.v1beta1.InferenceService"]["properties"]["spec"][
                "properties"
            ]["predictor"]
            assert "storageUri" in predictor["properties"]["sklearn"]["properties"]
            assert "env" in predictor["properties"]["sklearn"]["properties"]
            assert "name" not in predictor["properties"]["sklearn"].get("required", ())

    run(tmp_path, scenario)


def test_another_server_takes_them_written_out(tmp_path: Path) -> None:
    async def main() -> None:
        form = for_other_servers(built_in_schema)
        async with embedded(tmp_path) as server:
            for each in DEFINITIONS:
                await server.client.create(DEFINITION_KIND, form(each))
            spec = {"predictor": FULL_PREDICTOR}
            wanted = an_object(INFERENCE_SERVICES, spec)
            assert (await server.client.create(INFERENCE_SERVICES, wanted, options=STRICT))["spec"] == spec

    asyncio.run(main())


def test_another_server_gets_the_types_written_out() -> None:
    form = for_other_servers(built_in_schema)
    for definition in DEFINITIONS:
        text = str(form(definition))
        assert "x-sampan" not in text
    services = form(DEFINITIONS[0])["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    predictor = services["spec"]["properties"]["predictor"]["properties"]
    assert predictor["sklearn"]["properties"]["env"]["items"]["required"] == ["name"]
    assert "required" not in predictor["sklearn"]
    assert "port" not in predictor["model"]["properties"]["readinessProbe"]["properties"]["httpGet"].get(
        "required", ()
    )


def test_language_models_take_what_upstreams_samples_say(tmp_path: Path) -> None:
    main = {
        "name": "main",
        "resources": {"limits": {"cpu": "1", "memory": "10Gi"}},
        "livenessProbe": {"initialDelaySeconds": 30, "periodSeconds": 30},
    }
    spec = {
        "model": {"uri": "hf://facebook/opt-125m", "lora": {"adapters": [{"name": "a", "uri": "hf://a/b"}]}},
        "replicas": 1,
        "router": {"scheduler": {}, "route": {}, "gateway": {}},
        "template": {"containers": [main], "initContainers": [{"name": "storage-initializer"}]},
        "prefill": {"template": {"containers": [main]}},
        "baseRefs": [{"name": "base"}],
    }

    async def scenario(client: Client, http: httpx.AsyncClient) -> None:
        await client.create(LLM_INFERENCE_SERVICES, an_object(LLM_INFERENCE_SERVICES, spec), options=STRICT)
        # A configuration says where the model is.
        named = {"model": {"name": "words"}, "baseRefs": [{"name": "base"}]}
        await client.create(LLM_INFERENCE_SERVICES, an_object(LLM_INFERENCE_SERVICES, named, "named"))
        config = {"template": {"containers": [{"name": "main", "image": "x"}]}, "router": {"scheduler": {}}}
        body = an_object(LLM_INFERENCE_SERVICE_CONFIGS, config)
        await client.create(LLM_INFERENCE_SERVICE_CONFIGS, body, options=STRICT)
        for wrong in (
            {"scaling": {"minReplicas": 1}, "model": {"uri": "hf://a/b"}},
            {"model": {"uri": "hf://a/b"}, "replicas": -1},
            {"model": {"uri": "hf://a/b"}, "parallelism": {"tensor": 0}},
        ):
            with pytest.raises(InvalidError):
                await client.create(
                    LLM_INFERENCE_SERVICES, an_object(LLM_INFERENCE_SERVICES, wrong, "wrong"), options=STRICT
                )
        path = "/apis/serving.kserve.io/v1alpha1/namespaces/default/llminferenceservices/iris"
        answer = await http.get(path)
        assert answer.json()["apiVersion"] == "serving.kserve.io/v1alpha1"
        accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
        table = (await http.get(path.rpartition("/")[0], headers={"accept": accept})).json()
        names = [each["name"] for each in table["columnDefinitions"]]
        assert names == ["Name", "URL", "Ready", "Reason", "Age", "URLs"]

    run(tmp_path, scenario)
