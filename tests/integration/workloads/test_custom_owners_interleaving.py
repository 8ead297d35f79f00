"""Custom kinds that go while the garbage collector looks at what their objects own."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sampan.cluster.apiserver.custom.definitions import DEFINITIONS
from sampan.cluster.workloads.garbage import collector
from sampan.kube import meta, owners
from sampan.kube.kinds import CONFIG_MAPS, Resource
from sampan.store.database import StorageError

BOATS = Resource("boats.example.com", "v1", "Boat", "boats", subresources=())
CARTS = Resource("carts.example.com", "v1", "Cart", "carts", subresources=())


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(collector, "_NEW_KINDS_SECONDS", 0.05)
    monkeypatch.setattr(collector, "_SYNC_SECONDS", 0.5)


def definition(kind: Resource) -> dict[str, Any]:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "metadata": {"name": kind.key},
        "spec": {
            "group": kind.group,
            "scope": "Namespaced",
            "names": {"plural": kind.plural, "kind": kind.kind},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
            ],
        },
    }


def child_of(parent: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"ownerReferences": [owners.owner_reference(parent, controller=False)]}}


async def followed(cluster: Any, kind: Resource) -> None:
    """Returns once the collector watches the kind: it takes what is owned there."""
    chart = await cluster.create(CONFIG_MAPS, "chart")
    await cluster.create(kind, "tender", **child_of({"apiVersion": "v1", "kind": "ConfigMap", **chart}))
    await cluster.client.delete(CONFIG_MAPS, "chart", "team")
    await cluster.gone(kind, "tender")


async def undefined(cluster: Any, kind: Resource) -> None:
    async def is_gone() -> bool:
        return kind.key not in {each.key for each in cluster.api.registry}

    await cluster.until(is_gone)


def test_children_go_that_are_looked_at_when_the_kind_of_their_owner_is_gone(run, monkeypatch):
    async def scenario(cluster):
        await cluster.client.create(DEFINITIONS, definition(BOATS))
        boat = await cluster.create(BOATS, "boat")
        await cluster.create(CONFIG_MAPS, "plan", **child_of(boat))
        await followed(cluster, BOATS)
        get, opened = cluster.client.get, asyncio.Event()

        async def slow_get(kind, name, *given):
            if name == "plan":
                await opened.wait()
            return await get(kind, name, *given)

        monkeypatch.setattr(cluster.client, "get", slow_get)
        await cluster.client.delete(DEFINITIONS, BOATS.key)
        await undefined(cluster, BOATS)
        opened.set()
        await cluster.gone(CONFIG_MAPS, "plan")

    run(scenario)


def test_children_go_with_owners_whose_end_was_not_heard(run, monkeypatch):
    async def scenario(cluster):
        watch = cluster.client.watch

        async def deaf_watch(kind, *given):
            async for event in watch(kind, *given):
                if kind.key == BOATS.key and event.type == "DELETED" and meta.name(event.object) == "boat":
                    await asyncio.Event().wait()
                yield event

        monkeypatch.setattr(cluster.client, "watch", deaf_watch)
        await cluster.client.create(DEFINITIONS, definition(BOATS))
        boat = await cluster.create(BOATS, "boat")
        await cluster.create(CONFIG_MAPS, "plan", **child_of(boat))
        await followed(cluster, BOATS)
        await cluster.client.delete(DEFINITIONS, BOATS.key)
        await cluster.gone(CONFIG_MAPS, "plan")

    run(scenario)


def test_a_kind_that_goes_as_it_is_seen_keeps_no_other_waiting(run, monkeypatch):
    async def scenario(cluster):
        listed, gone = cluster.client.list, asyncio.Event()

        async def list_and_forget(kind, *given):
            found = await listed(kind, *given)
            if kind.key == BOATS.key and not gone.is_set():
                await cluster.client.delete(DEFINITIONS, BOATS.key)
                await undefined(cluster, BOATS)
                gone.set()
            return found

        monkeypatch.setattr(cluster.client, "list", list_and_forget)
        await cluster.client.create(DEFINITIONS, definition(BOATS))
        await gone.wait()
        await cluster.client.create(DEFINITIONS, definition(CARTS))
        await followed(cluster, CARTS)

    run(scenario)


def test_kinds_are_followed_after_a_moment_without_a_database(run, monkeypatch):
    """Both who deletes a kind's objects, and who looks after what they own."""

    async def scenario(cluster):
        page, failures = cluster.api.storage.page, []

        async def page_or_fail(query):
            if query.resource == BOATS.key and len(failures) < 2:
                failures.append(query)
                raise StorageError("away")
            return await page(query)

        monkeypatch.setattr(cluster.api.storage, "page", page_or_fail)
        await cluster.client.create(DEFINITIONS, definition(BOATS))
        await cluster.client.create(DEFINITIONS, definition(CARTS))

        async def failed() -> bool:
            return len(failures) == 2

        await cluster.until(failed)
        await followed(cluster, CARTS)
        failures.clear()
        await cluster.client.delete(DEFINITIONS, BOATS.key)
        await cluster.until(failed)
        await undefined(cluster, BOATS)

    run(scenario)
