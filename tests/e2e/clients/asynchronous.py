"""What programs do with `kubernetes_asyncio`: `python asynchronous.py KUBECONFIG`. Run by `test_official`."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from checks import Journey, refused_later
from kubernetes_asyncio import client, config, watch
from kubernetes_asyncio import dynamic as dynamic_client
from kubernetes_asyncio.stream import WsApiClient

NS = "asynchronous"
journey = Journey(f"kubernetes_asyncio {client.__version__}")


def pod(name: str, script: str) -> dict[str, Any]:
    container = {"name": "main", "image": "busybox", "command": ["sh", "-c", script]}
    spec = {"containers": [container], "restartPolicy": "Never", "terminationGracePeriodSeconds": 0}
    return {"metadata": {"name": name, "labels": {"app": name}}, "spec": spec}


@journey
async def typed_calls() -> None:
    async with client.ApiClient() as api:
        core = client.CoreV1Api(api)
        body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="a"), data={"k": "1"})
        made = await core.create_namespaced_config_map(NS, body)
        patched = await core.patch_namespaced_config_map("a", NS, {"data": {"l": "2"}})
        assert patched.data == {"k": "1", "l": "2"}
        await refused_later(core.replace_namespaced_config_map("a", NS, made), 409)
        listed = await core.list_namespaced_config_map(NS, limit=1)
        assert len(listed.items) == 1
        assert listed.metadata._continue
        await refused_later(core.read_namespaced_config_map("absent", NS), 404)
        await core.delete_namespaced_config_map("a", NS)


@journey
async def watches() -> None:
    async with client.ApiClient() as api:
        core = client.CoreV1Api(api)
        start = (await core.list_namespaced_secret(NS)).metadata.resource_version

        async def change() -> None:
            for number in range(3):
                await core.create_namespaced_secret(NS, {"metadata": {"name": f"s{number}"}})

        work = asyncio.create_task(change())
        seen = []
        async with watch.Watch() as events:
            async for event in events.stream(
                core.list_namespaced_secret, NS, resource_version=start, timeout_seconds=20
            ):
                seen.append((event["type"], event["object"].metadata.name))
                if len(seen) == 3:
                    break
        await work
        assert seen == [("ADDED", f"s{number}") for number in range(3)]


@journey
async def a_pod_its_log_and_its_shell() -> None:
    async with client.ApiClient() as api:
        core = client.CoreV1Api(api)
        await core.create_namespaced_pod(NS, pod("p", "echo hello; exec sleep 300"))
        async with watch.Watch() as events:
            async for event in events.stream(
                core.list_namespaced_pod, NS, field_selector="metadata.name=p", timeout_seconds=60
            ):
                if event["object"].status.phase == "Running":
                    break
            else:
                raise AssertionError("never ran")
        lines = []
        async with watch.Watch() as events:
            async for line in events.stream(core.read_namespaced_pod_log, "p", NS, follow=True):
                lines.append(line.strip())
                break
        assert lines == ["hello"]
    async with WsApiClient() as sockets:
        told = await client.CoreV1Api(sockets).connect_get_namespaced_pod_exec(
            "p", NS, command=["echo", "there"], stderr=True, stdin=False, stdout=True, tty=False
        )
    assert told == "there\n"


@journey
async def the_dynamic_client() -> None:
    async with client.ApiClient() as api:
        dynamic = await dynamic_client.DynamicClient(api)
        maps = await dynamic.resources.get(api_version="v1", kind="ConfigMap")
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "d"}, "data": {"a": "1"}}
        applied = await maps.server_side_apply(body=body, name="d", namespace=NS, field_manager="first")
        assert applied.data.a == "1"
        body["data"] = {"a": "2"}
        # This client hands errors out as answers.
        again = await maps.server_side_apply(body=body, name="d", namespace=NS, field_manager="second")
        assert again.code == 409
        assert "first" in again.message
        assert (await maps.get(name="d", namespace=NS)).data.a == "1"
        async for event in dynamic.watch(maps, namespace=NS, name="d", timeout=5):
            assert event["object"].metadata.name == "d"
            break
        await maps.delete(name="d", namespace=NS)


@journey
async def many_at_once() -> None:
    async with client.ApiClient() as api:
        core = client.CoreV1Api(api)
        names = [f"many-{number}" for number in range(50)]
        await asyncio.gather(
            *(core.create_namespaced_config_map(NS, {"metadata": {"name": each}}) for each in names)
        )
        found = await core.list_namespaced_config_map(NS)
        assert set(names) <= {each.metadata.name for each in found.items}
        await core.delete_collection_namespaced_config_map(NS)
        assert not [
            each for each in (await core.list_namespaced_config_map(NS)).items if each.metadata.name in names
        ]


async def main() -> int:
    await config.load_kube_config(sys.argv[1])
    async with client.ApiClient() as api:
        await client.CoreV1Api(api).create_namespace({"metadata": {"name": NS}})
    try:
        return await journey.run_in_loop()
    finally:
        async with client.ApiClient() as api:
            await client.CoreV1Api(api).delete_namespace(NS)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
