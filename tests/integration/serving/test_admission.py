"""Serving's hooks at the API server: what is filled in and refused, whichever way objects are written."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from sampan.app.definitions import install
from sampan.client.protocol import Client, PatchType, WriteOptions
from sampan.components.serving.api.definitions import DEFINITIONS
from sampan.components.serving.api.kinds import (
    CLUSTER_SERVING_RUNTIMES,
    INFERENCE_GRAPHS,
    INFERENCE_SERVICES,
    KNATIVE_SERVICES,
    LLM_INFERENCE_SERVICE_CONFIGS,
    LLM_INFERENCE_SERVICES,
    LOCAL_MODEL_CACHES,
    LOCAL_MODEL_NAMESPACE_CACHES,
    LOCAL_MODEL_NODE_GROUPS,
    SERVING_RUNTIMES,
    TRAINED_MODELS,
)
from sampan.components.serving.api.settings import ServingSettings
from sampan.components.serving.component import ServingComponent
from sampan.components.serving.controller.shipping import ship
from sampan.kube import meta
from sampan.kube.errors import ForbiddenError, InvalidError
from sampan.kube.kinds import CONFIG_MAPS, NAMESPACES, Resource
from sampan.testing.apiserver import embedded, loopback

SETTINGS = ServingSettings()
MODE = "serving.kserve.io/deploymentMode"


def run(folder: Path, scenario: Callable[[Client], Awaitable[None]]) -> None:
    async def main() -> None:
        async with embedded(folder) as server:
            await install(server.client, DEFINITIONS)
            server.admission.add(ServingComponent(SETTINGS).admission)
            await server.client.create(NAMESPACES, {"metadata": {"name": "kserve"}})
            await ship(server.client, SETTINGS, is_embedded=True)
            await scenario(server.client)

    asyncio.run(main())


def an_object(resource: Resource, spec: Any, name: str = "iris", **metadata: Any) -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": "default"} if resource.namespaced else {}), **metadata}
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, "spec": spec}


def service(predictor: Any, **metadata: Any) -> dict[str, Any]:
    return an_object(INFERENCE_SERVICES, {"predictor": predictor}, **metadata)


def test_a_framework_is_stored_as_a_model_and_applied_again_changes_it(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        options = WriteOptions(field_manager="me", force=True)

        async def apply(predictor: Any) -> Any:
            found = await client.patch(
                INFERENCE_SERVICES,
                "iris",
                service(predictor),
                "default",
                patch_type=PatchType.APPLY,
                options=options,
            )
            return found["spec"]["predictor"]

        first = await apply({"sklearn": {"storageUri": "s3://one", "args": ["--a"]}})
        assert first == {
            "model": {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://one", "args": ["--a"]}
        }
        second = await apply({"sklearn": {"storageUri": "s3://two"}})
        assert second == {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://two"}}
        third = await apply({"xgboost": {"storageUri": "s3://two"}, "minReplicas": 0})
        assert third["model"]["modelFormat"] == {"name": "xgboost"}
        # As kubectl applies on its own side: what it finds there it has never written.
        patch = {"spec": {"predictor": {"onnx": {"storageUri": "s3://three"}, "minReplicas": None}}}
        merged = await client.patch(INFERENCE_SERVICES, "iris", patch, "default")
        assert merged["spec"]["predictor"] == {
            "model": {"modelFormat": {"name": "onnx"}, "storageUri": "s3://three", "protocolVersion": "v2"}
        }
        assert meta.annotations(merged)["modelFormat"] == "onnx"
        for uri in ("s3://four", "s3://four", "s3://five"):
            assert (await apply({"onnx": {"storageUri": uri}}))["model"]["storageUri"] == uri

    run(tmp_path, scenario)


def test_fractions_of_amounts_pass_the_definition(tmp_path: Path) -> None:
    """As upstream's samples of Alibi have them."""

    async def scenario(client: Client) -> None:
        said = {"sklearn": {"storageUri": "s3://one", "resources": {"requests": {"cpu": 0.1}}}}
        made = await client.create(INFERENCE_SERVICES, service(said))
        assert made["spec"]["predictor"]["model"]["resources"] == {"requests": {"cpu": "100m"}}
        options = WriteOptions(field_manager="me", force=True)
        for amount, stored in ((0.2, "200m"), (0.2, "200m"), (1, 1)):
            said["sklearn"]["resources"] = {"requests": {"cpu": amount}}
            found = await client.patch(
                INFERENCE_SERVICES,
                "iris",
                service(said),
                "default",
                patch_type=PatchType.APPLY,
                options=options,
            )
            assert found["spec"]["predictor"]["model"]["resources"] == {"requests": {"cpu": stored}}

    run(tmp_path, scenario)


def test_the_config_map_says_what_is_filled_in(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        made = await client.create(INFERENCE_SERVICES, service({"containers": [{"name": "a", "image": "b"}]}))
        (container,) = made["spec"]["predictor"]["containers"]
        assert container["name"] == "kserve-container"
        assert container["resources"]["requests"] == {"cpu": "100m", "memory": "256Mi"}
        assert MODE not in meta.annotations(made)
        said = {"deploy": json.dumps({"defaultDeploymentMode": "RawDeployment"}), "security": "{"}
        await client.patch(CONFIG_MAPS, "inferenceservice-config", {"data": said}, "kserve")
        other = await client.create(
            INFERENCE_SERVICES, service({"sklearn": {"storageUri": "s3://a"}}, name="b")
        )
        assert meta.annotations(other)[MODE] == "Standard"

    run(tmp_path, scenario)


def test_a_refusal_names_field_and_what_to_do_and_leaves_labels_and_deletion_alone(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        with pytest.raises(InvalidError) as refused:
            await client.create(INFERENCE_SERVICES, service({"sklearn": {"storageUri": "/models/iris"}}))
        assert [each.field for each in refused.value.causes] == ["spec.predictor.model.storageUri"]
        assert "write file:///models/iris" in refused.value.message
        with pytest.raises(InvalidError, match="exactly one of"):
            await client.create(INFERENCE_SERVICES, service({"sklearn": {}, "xgboost": {}}))
        wrong = service({"sklearn": {"storageUri": "s3://a"}, "minReplicas": 1}, finalizers=["x.io/y"])
        await client.create(INFERENCE_SERVICES, wrong)
        patch: dict[str, Any] = {"spec": {"predictor": {"minReplicas": -1}}}
        with pytest.raises(InvalidError, match="cannot be less than 0"):
            await client.patch(INFERENCE_SERVICES, "iris", patch, "default")
        await client.patch(INFERENCE_SERVICES, "iris", {"metadata": {"labels": {"a": "b"}}}, "default")
        status = {"status": {"deploymentMode": "Standard"}}
        await client.patch(INFERENCE_SERVICES, "iris", status, "default", subresource="status")
        patch = {"metadata": {"annotations": {MODE: "Knative"}}}
        with pytest.raises(InvalidError, match="cannot be changed from 'Standard' to 'Knative'"):
            await client.patch(INFERENCE_SERVICES, "iris", patch, "default")
        await client.delete(INFERENCE_SERVICES, "iris", "default")
        await client.patch(INFERENCE_SERVICES, "iris", {"metadata": {"finalizers": None}}, "default")

    run(tmp_path, scenario)


def test_other_kinds_are_checked_against_what_there_is(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        container = {"name": "kserve-container", "image": "a"}
        formats = [{"name": "sklearn", "version": "1", "autoSelect": True, "priority": 1}]
        spec = {"containers": [container], "protocolVersions": ["v1"], "supportedModelFormats": formats}
        taken = "same priority assigned for the model format sklearn"
        with pytest.raises(InvalidError, match=f"{taken} in the clusterservingruntimes kserve-sklearnserver"):
            await client.create(CLUSTER_SERVING_RUNTIMES, an_object(CLUSTER_SERVING_RUNTIMES, spec))
        await client.create(SERVING_RUNTIMES, an_object(SERVING_RUNTIMES, spec))
        with pytest.raises(InvalidError, match=f"{taken} in the servingruntimes iris and other"):
            await client.create(SERVING_RUNTIMES, an_object(SERVING_RUNTIMES, spec, "other"))
        await client.patch(SERVING_RUNTIMES, "iris", {"spec": {"hostIPC": True}}, "default")
        with pytest.raises(InvalidError, match="root node not found"):
            await client.create(INFERENCE_GRAPHS, an_object(INFERENCE_GRAPHS, {"nodes": {}}))
        model = {"storageUri": "a", "framework": "sklearn", "memory": "1Gi"}
        wrong = an_object(TRAINED_MODELS, {"inferenceService": "iris", "model": model})
        with pytest.raises(InvalidError, match="must start with one of the prefixes"):
            await client.create(TRAINED_MODELS, wrong)

    run(tmp_path, scenario)


def test_a_service_of_knative_of_which_no_pod_can_be_made_is_refused(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        for template in ({}, {"spec": {"containers": [{"name": "x"}]}}):
            with pytest.raises(InvalidError, match="Required value"):
                await client.create(KNATIVE_SERVICES, an_object(KNATIVE_SERVICES, {"template": template}))
        pod = {"containers": [{"image": "events"}]}
        await client.create(KNATIVE_SERVICES, an_object(KNATIVE_SERVICES, {"template": {"spec": pod}}))
        patch = {"spec": {"template": {"spec": {"containers": None}}}}
        with pytest.raises(InvalidError, match="Required value"):
            await client.patch(KNATIVE_SERVICES, "iris", patch, "default")

    run(tmp_path, scenario)


def test_whoever_switches_the_controllers_off_has_no_hooks() -> None:
    assert ServingComponent(ServingSettings(controllers="off")).admission == ()


LOCAL = "internal.serving.kserve.io/localmodel"


def test_a_service_takes_its_model_from_a_cache_which_stays_while_it_does(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        limits = {"storageLimit": "1Gi", "persistentVolumeSpec": {}, "persistentVolumeClaimSpec": {}}
        told = {"sourceModelUri": "s3://models/iris", "modelSize": "1Gi", "nodeGroups": ["workers"]}
        with pytest.raises(InvalidError, match="NodeGroup workers not found"):
            await client.create(
                LOCAL_MODEL_NAMESPACE_CACHES, an_object(LOCAL_MODEL_NAMESPACE_CACHES, told, "own")
            )
        await client.create(LOCAL_MODEL_NODE_GROUPS, an_object(LOCAL_MODEL_NODE_GROUPS, limits, "workers"))
        await client.create(LOCAL_MODEL_CACHES, an_object(LOCAL_MODEL_CACHES, told))
        with pytest.raises(InvalidError, match="LocalModelCache iris has the same StorageURI"):
            await client.create(LOCAL_MODEL_CACHES, an_object(LOCAL_MODEL_CACHES, told, "again"))
        sklearn = {"sklearn": {"storageUri": "s3://models/iris/1"}}
        made = await client.create(INFERENCE_SERVICES, service(sklearn))
        assert meta.labels(made)[LOCAL] == "iris"
        assert meta.annotations(made)[f"{LOCAL}-pvc-name"] == "iris-workers"
        assert meta.annotations(made)[f"{LOCAL}-sourceuri"] == "s3://models/iris"
        said = "LocalModelCache iris is being used by InferenceService iris"
        with pytest.raises(ForbiddenError, match=said):
            await client.delete(LOCAL_MODEL_CACHES, "iris")
        words = an_object(LLM_INFERENCE_SERVICES, {"model": {"uri": "s3://models/iris"}}, "words")
        made = await client.create(LLM_INFERENCE_SERVICES, words)
        assert meta.labels(made)[LOCAL] == "iris"
        assert meta.annotations(made)[f"{LOCAL}-pvc-name"] == "iris-workers"
        # One of the namespace comes first from the next write on.
        await client.create(
            LOCAL_MODEL_NAMESPACE_CACHES, an_object(LOCAL_MODEL_NAMESPACE_CACHES, told, "own")
        )
        touched = {"metadata": {"labels": {"touched": "1"}}}
        made = await client.patch(INFERENCE_SERVICES, "iris", touched, "default")
        assert meta.labels(made) == {LOCAL: "own", f"{LOCAL}-namespace": "default", "touched": "1"}
        with pytest.raises(ForbiddenError, match="iris is being used by LLMInferenceService words"):
            await client.delete(LOCAL_MODEL_CACHES, "iris")
        await client.delete(LLM_INFERENCE_SERVICES, "words", "default")
        await client.delete(LOCAL_MODEL_CACHES, "iris")
        said = "LocalModelNamespaceCache default/own is being used by InferenceService default/iris"
        with pytest.raises(ForbiddenError, match=said):
            await client.delete(LOCAL_MODEL_NAMESPACE_CACHES, "own", "default")
        # Who wants none has none, whatever labels he brings.
        forged = {"serving.kserve.io/disable-localmodel": "true", f"{LOCAL}-pvc-name": "others"}
        made = await client.create(
            INFERENCE_SERVICES, service(sklearn, name="free", annotations=forged, labels={LOCAL: "own"})
        )
        assert LOCAL not in meta.labels(made)
        assert f"{LOCAL}-pvc-name" not in meta.annotations(made)
        await client.delete(INFERENCE_SERVICES, "iris", "default")
        await client.delete(LOCAL_MODEL_NAMESPACE_CACHES, "own", "default")

    run(tmp_path, scenario)


def test_what_language_models_begin_with_is_not_deleted(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        known = "kserve-config-llm-template"
        ours = an_object(LLM_INFERENCE_SERVICE_CONFIGS, {"replicas": 1}, known, namespace="kserve")
        await client.create(LLM_INFERENCE_SERVICE_CONFIGS, ours)
        with pytest.raises(ForbiddenError, match=f"well-known config kserve/{known} cannot be deleted"):
            await client.delete(LLM_INFERENCE_SERVICE_CONFIGS, known, "kserve")
        for name, namespace in ((known, "default"), ("own", "kserve")):
            own = an_object(LLM_INFERENCE_SERVICE_CONFIGS, {"replicas": 1}, name, namespace=namespace)
            await client.create(LLM_INFERENCE_SERVICE_CONFIGS, own)
            await client.delete(LLM_INFERENCE_SERVICE_CONFIGS, name, namespace)

    run(tmp_path, scenario)


def test_whoever_writes_what_has_no_effect_is_told(tmp_path: Path) -> None:
    model = {"uri": "pvc://claim/words", "confidential": {"enabled": True}}
    words = an_object(LLM_INFERENCE_SERVICES, {"model": model}, "words")
    path = "/apis/serving.kserve.io/v1alpha2/namespaces/default/llminferenceservices"

    async def main() -> None:
        async with embedded(tmp_path) as server:
            await install(server.client, DEFINITIONS)
            server.admission.add(ServingComponent(SETTINGS).admission)
            async with loopback(server.asgi) as url, httpx.AsyncClient(base_url=url) as http:
                made = await http.post(path, json=words)
                (told,) = made.headers.get_list("warning")
                assert (made.status_code, told.startswith('299 - "confidential has no effect')) == (201, True)
                words["metadata"]["name"] = "plain"
                del model["confidential"]
                assert (await http.post(path, json=words)).headers.get_list("warning") == []

    asyncio.run(main())
