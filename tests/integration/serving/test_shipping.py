"""What serving brings along, and that what users have made of it stays."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

from sampan.app.definitions import install
from sampan.client.protocol import Client
from sampan.components.serving.api.definitions import DEFINITIONS
from sampan.components.serving.api.kinds import (
    CLUSTER_SERVING_RUNTIMES,
    CLUSTER_STORAGE_CONTAINERS,
    LLM_INFERENCE_SERVICE_CONFIGS,
)
from sampan.components.serving.api.settings import ServingSettings
from sampan.components.serving.controller.shipping import ship, ship_presets
from sampan.kube import meta
from sampan.kube.kinds import CONFIG_MAPS, NAMESPACES
from sampan.testing.apiserver import embedded

SETTINGS = ServingSettings(domain="models.example.com")


def run(folder: Path, scenario: Callable[[Client], Awaitable[None]]) -> None:
    async def main() -> None:
        async with embedded(folder) as server:
            await install(server.client, DEFINITIONS)
            await server.client.create(NAMESPACES, {"metadata": {"name": "kserve"}})
            await scenario(server.client)

    asyncio.run(main())


def test_runtimes_storage_and_the_config_map_are_there(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        await ship(client, SETTINGS, is_embedded=True)
        runtimes = await client.list(CLUSTER_SERVING_RUNTIMES)
        names = {meta.name(each) for each in runtimes.items}
        assert {"kserve-sklearnserver", "kserve-mlserver", "kserve-tritonserver"} <= names
        assert len(names) == 13
        # Their rules are costly to check: after the server is ready.
        assert not (await client.list(LLM_INFERENCE_SERVICE_CONFIGS)).items
        await ship_presets(client, is_embedded=True)
        assert (await client.list(LLM_INFERENCE_SERVICE_CONFIGS)).items
        container = await client.get(CLUSTER_STORAGE_CONTAINERS, "default")
        assert {"prefix": "s3://"} in container["spec"]["supportedUriFormats"]
        config = (await client.get(CONFIG_MAPS, "inferenceservice-config", "kserve"))["data"]
        assert json.loads(config["ingress"])["ingressDomain"] == "models.example.com"
        assert json.loads(config["deploy"]) == {"defaultDeploymentMode": "Knative"}

    run(tmp_path, scenario)


def test_what_a_user_has_changed_stays(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        await ship(client, SETTINGS, is_embedded=True)
        patch = {"data": {"deploy": '{"defaultDeploymentMode": "Standard"}'}}
        await client.patch(CONFIG_MAPS, "inferenceservice-config", patch, "kserve")
        await client.patch(CLUSTER_SERVING_RUNTIMES, "kserve-mlserver", {"spec": {"disabled": True}})
        await ship(client, ServingSettings(domain="other.example.com"), is_embedded=True)
        config = (await client.get(CONFIG_MAPS, "inferenceservice-config", "kserve"))["data"]
        assert json.loads(config["deploy"]) == {"defaultDeploymentMode": "Standard"}
        assert json.loads(config["ingress"])["ingressDomain"] == "models.example.com"
        assert (await client.get(CLUSTER_SERVING_RUNTIMES, "kserve-mlserver"))["spec"]["disabled"] is True

    run(tmp_path, scenario)


def test_elsewhere_only_what_nobody_else_serves_is_shipped_and_asks_for_what_upstream_does(
    tmp_path: Path,
) -> None:
    async def scenario(client: Client) -> None:
        foreign = {CLUSTER_STORAGE_CONTAINERS.key}
        await ship(client, SETTINGS, is_embedded=False, foreign=foreign)
        runtime = await client.get(CLUSTER_SERVING_RUNTIMES, "kserve-sklearnserver")
        assert runtime["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "1", "memory": "2Gi"}
        assert not (await client.list(CLUSTER_STORAGE_CONTAINERS)).items
        assert not (await client.list(CONFIG_MAPS, "kserve")).items

    run(tmp_path, scenario)
