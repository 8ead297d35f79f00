"""Volumes of a running pod: what is refreshed, what a pod may keep on disk, claims of its own."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest

from sampan.cluster.node import pod_sync
from sampan.cluster.node.tokens import TokenSource
from sampan.kube.kinds import CONFIG_MAPS, EVENTS, PERSISTENT_VOLUME_CLAIMS, PODS

METADATA = {"name": "data", "namespace": "default"}
LOOP = "while :; do cat $FILES; echo; sleep 0.05; done"


async def until_logged(node: Any, pod: Any, text: str) -> str:
    async with asyncio.timeout(60):
        while True:
            found: str = await node.log(pod)
            if text in found:
                return found
            await asyncio.sleep(0.05)


def test_config_maps_and_labels_are_refreshed_sub_paths_are_not(machine: Any) -> None:
    async def main() -> None:
        async with machine.up() as node:
            if not node.agent.can_mount:
                pytest.skip("this machine allows no mount namespace")
            await node.client.create(CONFIG_MAPS, {"metadata": METADATA, "data": {"colour": "red"}})
            label = {"path": "label", "fieldRef": {"fieldPath": "metadata.labels['size']"}}
            sources = [{"configMap": {"name": "data"}}, {"downwardAPI": {"items": [label]}}]
            container = {
                "env": [{"name": "FILES", "value": "/v/colour /v/label /single"}],
                "volumeMounts": [
                    {"name": "v", "mountPath": "/v", "readOnly": True},
                    {"name": "v", "mountPath": "/single", "subPath": "colour"},
                ],
            }
            wanted = node.pod(
                "a",
                ["sh", "-c", LOOP],
                container=container,
                volumes=[{"name": "v", "projected": {"sources": sources}}],
            )
            wanted["metadata"]["labels"] = {"size": "small"}
            pod = await node.client.create(PODS, wanted)
            await node.until("a", lambda pod: pod["status"].get("phase") == "Running")
            pod = await node.client.get(PODS, "a", "default")
            await until_logged(node, pod, "redsmallred")
            await node.client.patch(CONFIG_MAPS, "data", {"data": {"colour": "blue"}}, "default")
            await until_logged(node, pod, "bluesmallred")
            await node.client.patch(PODS, "a", {"metadata": {"labels": {"size": "big"}}}, "default")
            await until_logged(node, pod, "bluebigred")
            # What is deleted stays as it was.
            await node.client.delete(CONFIG_MAPS, "data", "default")
            await node.client.patch(PODS, "a", {"metadata": {"labels": {"size": "huge"}}}, "default")
            await asyncio.sleep(0.3)
            assert (await node.log(pod)).splitlines()[-1].startswith("blue")

    asyncio.run(main())


def test_a_pod_that_fills_its_empty_dir_is_evicted(machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pod_sync, "STORAGE_SECONDS", 0.1)

    async def main() -> None:
        async with machine.up() as node:
            if not node.agent.can_mount:
                pytest.skip("this machine allows no mount namespace")
            pod = await node.run(
                "full",
                ["sh", "-c", "head -c 3000000 /dev/zero > /v/file; sleep 100"],
                container={"volumeMounts": [{"name": "v", "mountPath": "/v"}]},
                volumes=[{"name": "v", "emptyDir": {"sizeLimit": "1Mi"}}],
            )
            assert (pod["status"]["phase"], pod["status"]["reason"]) == ("Failed", "Evicted")
            assert pod["status"]["message"] == 'Usage of EmptyDir volume "v" exceeds the limit "1Mi". '
            await node.reasons("full", "Evicted")

    asyncio.run(main())


def test_a_pod_beyond_its_ephemeral_storage_is_evicted(machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pod_sync, "STORAGE_SECONDS", 0.1)

    async def main() -> None:
        async with machine.up() as node:
            pod = await node.run(
                "full",
                ["sh", "-c", "head -c 3000000 /dev/zero > file; sleep 100"],
                container={"resources": {"limits": {"ephemeral-storage": "1Mi"}}},
            )
            message = "Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. "
            assert (pod["status"]["reason"], pod["status"]["message"]) == ("Evicted", message)

    asyncio.run(main())


def test_a_claim_of_another_is_not_taken_for_an_ephemeral_volume(machine: Any) -> None:
    async def main() -> None:
        async with machine.up() as node:
            spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
            volume = {"name": "v", "ephemeral": {"volumeClaimTemplate": {"spec": spec}}}
            metadata = {"name": "b-v", "namespace": "default"}
            await node.client.create(PERSISTENT_VOLUME_CLAIMS, {"metadata": metadata, "spec": spec})
            await node.create("b", ["true"], volumes=[volume])
            async with asyncio.timeout(60):
                while "FailedMount" not in await node.reasons("b"):
                    await asyncio.sleep(0.02)
            events = (await node.client.list(EVENTS, "default")).items
            messages = [each["message"] for each in events if each["involvedObject"]["name"] == "b"]
            assert any("was not created for pod default/b" in message for message in messages)

    asyncio.run(main())


def test_sub_paths_from_variables(machine: Any) -> None:
    async def main() -> None:
        async with machine.up() as node:
            if not node.agent.can_mount:
                pytest.skip("this machine allows no mount namespace")
            container = {
                "env": [{"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                "volumeMounts": [
                    {"name": "v", "mountPath": "/all"},
                    {"name": "v", "mountPath": "/own", "subPathExpr": "by/$(POD)"},
                ],
            }
            pod = await node.run(
                "a",
                ["sh", "-c", "echo x > /own/file; cat /all/by/a/file"],
                container=container,
                volumes=[{"name": "v", "emptyDir": {}}],
            )
            assert await node.log(pod) == "x\n"
            container["volumeMounts"][1]["subPathExpr"] = "$(NOBODY)"
            await node.create("b", ["true"], container=container, volumes=[{"name": "v", "emptyDir": {}}])
            pod = await node.until(
                "b",
                lambda pod: (
                    pod["status"]
                    .get("containerStatuses", [{}])[0]
                    .get("state", {})
                    .get("waiting", {})
                    .get("message")
                ),
            )
            waiting = pod["status"]["containerStatuses"][0]["state"]["waiting"]
            assert waiting["reason"] == "CreateContainerConfigError"
            assert 'missing value for "NOBODY"' in waiting["message"]

    asyncio.run(main())


def test_an_image_that_may_not_be_built(machine: Any, node_kit: Any) -> None:
    async def main() -> None:
        async with machine.up() as node:
            container = {"image": "python:3.11", "imagePullPolicy": "Never"}
            await node.create("never", ["python", "-V"], container=container)
            pod = await node.until("never", lambda pod: node_kit.waiting_reason(pod) == "ErrImageNeverPull")
            message = pod["status"]["containerStatuses"][0]["state"]["waiting"]["message"]
            assert message == 'Container image "python:3.11" is not present with pull policy of Never'
            await node.reasons("never", "ErrImageNeverPull")
            # The machine's own tools are always there.
            there = await node.run("there", ["true"], container={"imagePullPolicy": "Never"})
            assert there["status"]["phase"] == "Succeeded"
            await node.run("always", ["true"], container={"imagePullPolicy": "Always"})
            await node.reasons("always", "Pulling")

    asyncio.run(main())


def test_a_pod_has_a_token_of_its_service_account(machine: Any) -> None:
    async def main() -> None:
        async with machine.up() as node:
            if not node.agent.can_mount:
                pytest.skip("this machine allows no mount namespace")
            if not isinstance(node.client, TokenSource):
                pytest.skip("this API server gives no tokens")
            certificates = {"metadata": {"name": "kube-root-ca.crt", "namespace": "default"}}
            await node.client.create(CONFIG_MAPS, {**certificates, "data": {"ca.crt": "CA"}})
            script = "cd /var/run/secrets/kubernetes.io/serviceaccount; cat namespace ca.crt; echo; cat token"
            pod = await node.run("a", ["sh", "-c", script], automountServiceAccountToken=True)
            first, token = (await node.log(pod)).splitlines()
            assert first == "defaultCA"
            payload = token.split(".")[1]
            claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
            assert claims["sub"] == "system:serviceaccount:default:default"
            assert claims["kubernetes.io"]["pod"]["uid"] == pod["metadata"]["uid"]

    asyncio.run(main())
