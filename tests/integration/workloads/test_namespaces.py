"""What a namespace gets when it is made, and how it goes."""

from __future__ import annotations

import asyncio

from sampan.kube import conditions, meta
from sampan.kube.kinds import CONFIG_MAPS, JOBS, NAMESPACES, PODS, SECRETS, SERVICE_ACCOUNTS

POD = {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}]}}


async def namespace_gone(cluster) -> None:
    async def absent() -> bool:
        found = (await cluster.client.list(NAMESPACES)).items
        return all(meta.name(each) != "team" for each in found)

    await cluster.until(absent)


def test_every_namespace_has_an_account_and_a_root_certificate(run):
    async def scenario(cluster):
        async def there():
            return await cluster.get(SERVICE_ACCOUNTS, "default") and await cluster.get(
                CONFIG_MAPS, "kube-root-ca.crt"
            )

        await cluster.until(there)
        await cluster.client.delete(SERVICE_ACCOUNTS, "default", "team")
        await cluster.until(there)
        await cluster.client.patch(CONFIG_MAPS, "kube-root-ca.crt", {"data": {"ca.crt": "forged"}}, "team")

        async def restored():
            return (await cluster.get(CONFIG_MAPS, "kube-root-ca.crt"))["data"] == {"ca.crt": ""}

        await cluster.until(restored)

    run(scenario)


def test_a_deleted_namespace_takes_its_content_along(run):
    async def scenario(cluster):
        await cluster.create(SECRETS, "secret")
        await cluster.create(JOBS, "job", spec={"template": POD})
        await cluster.create(PODS, "pod", **POD)
        await cluster.client.delete(NAMESPACES, "team")
        await namespace_gone(cluster)
        await cluster.client.create(NAMESPACES, {"metadata": {"name": "team"}})
        for resource in (SECRETS, JOBS, PODS):
            assert await cluster.list(resource) == []

    run(scenario)


def test_a_namespace_that_cannot_go_says_what_holds_it(run):
    async def scenario(cluster):
        await cluster.create(SECRETS, "held", metadata={"finalizers": ["example.com/hold"]})
        await cluster.client.delete(NAMESPACES, "team")

        async def told():
            found = await cluster.client.get(NAMESPACES, "team")
            return found if conditions.is_true(found, "NamespaceFinalizersRemaining") else None

        found = await cluster.until(told)
        assert found["status"]["phase"] == "Terminating"
        held = conditions.find(found, "NamespaceFinalizersRemaining")
        assert held["message"].endswith("example.com/hold in 1 resource instances")
        remaining = conditions.find(found, "NamespaceContentRemaining")
        assert "secrets has 1 resource instances" in remaining["message"]
        await cluster.client.patch(SECRETS, "held", {"metadata": {"finalizers": None}}, "team")
        await namespace_gone(cluster)

    run(scenario)


def test_a_living_namespace_keeps_what_it_has(run):
    async def scenario(cluster):
        await cluster.create(SECRETS, "secret")
        await cluster.client.patch(NAMESPACES, "team", {"metadata": {"labels": {"a": "b"}}})
        await asyncio.sleep(0.2)
        assert await cluster.get(SECRETS, "secret")

    run(scenario)
