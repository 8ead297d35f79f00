"""Lists, selectors, pages and watches."""

from __future__ import annotations

import asyncio

from sampan.client.protocol import (
    ListOptions,
)
from sampan.kube import meta
from sampan.kube.errors import (
    BadRequestError,
)
from sampan.kube.kinds import CONFIG_MAPS, PODS
from sampan.testing.conformance.world import Connected, World, check, refused


class ReadingChecks(Connected):
    # List.

    @check
    async def test_label_selectors(self, world: World) -> None:
        for name, labels in (
            ("one", {"tier": "front", "app": "x"}),
            ("two", {"tier": "back"}),
            ("three", {"app": "y"}),
        ):
            await world.created(name, labels=labels)
        for selector, expected in (
            ("tier=front", ["one"]),
            ("tier==back", ["two"]),
            ("tier!=front", ["three", "two"]),
            ("tier in (front, back)", ["one", "two"]),
            ("tier notin (front)", ["three", "two"]),
            ("app", ["one", "three"]),
            ("!app", ["two"]),
            ("app,tier=front", ["one"]),
        ):
            assert await world.names(ListOptions(label_selector=selector)) == expected, selector

    @check
    async def test_field_selectors(self, world: World) -> None:
        await world.created("one")
        await world.created("two")
        assert await world.names(ListOptions(field_selector="metadata.name=two")) == ["two"]
        assert await world.names(ListOptions(field_selector="metadata.name!=two")) == ["one"]
        await world.create_pod("pod")
        for selector, expected in (
            ("spec.nodeName=", 1),
            ("status.phase=Running", 0),
            ("status.phase=Pending", 1),
        ):
            found = await world.client.list(PODS, world.namespace, ListOptions(field_selector=selector))
            assert len(found.items) == expected, selector

    @check
    async def test_selectors_that_cannot_be_read(self, world: World) -> None:
        for options in (
            ListOptions(label_selector="tier in (a"),
            ListOptions(label_selector="=b"),
            ListOptions(field_selector="spec.nonsense=1"),
            ListOptions(field_selector="no-operator"),
        ):
            await refused(BadRequestError, world.client.list(CONFIG_MAPS, world.namespace, options))

    @check
    async def test_pages_show_one_moment(self, world: World) -> None:
        for name in ("a", "b", "c", "d", "e"):
            await world.created(name, labels={"mine": "yes"})
        mine = ListOptions(label_selector="mine=yes", limit=2)
        first = await world.client.list(CONFIG_MAPS, world.namespace, mine)
        assert [meta.name(each) for each in first.items] == ["a", "b"]
        await world.created("bb", labels={"mine": "yes"})
        await world.client.delete(CONFIG_MAPS, "d", world.namespace)
        await world.patch("e", {"data": {"new": "yes"}})
        seen, token, versions = [], first.continue_token, {first.resource_version}
        while token:
            page = await world.client.list(
                CONFIG_MAPS,
                world.namespace,
                ListOptions(label_selector="mine=yes", limit=2, continue_token=token),
            )
            seen += page.items
            versions.add(page.resource_version)
            token = page.continue_token
        assert [meta.name(each) for each in seen] == ["c", "d", "e"]
        assert not seen[-1].get("data")
        assert len(versions) == 1

    @check
    async def test_a_broken_continue_token_is_refused(self, world: World) -> None:
        options = ListOptions(limit=1, continue_token="nonsense")  # noqa: S106  no secret
        await refused(BadRequestError, world.client.list(CONFIG_MAPS, world.namespace, options))

    @check
    async def test_list_over_all_namespaces(self, world: World) -> None:
        made = await world.created("one", labels={"only": world.namespace})
        options = ListOptions(label_selector=f"only={world.namespace}")
        found = await world.client.list(CONFIG_MAPS, None, options)
        assert [meta.uid(each) for each in found.items] == [meta.uid(made)]

    # Watch.

    @check
    async def test_watch_goes_on_from_a_list(self, world: World) -> None:
        await world.created("before")
        listed = await world.client.list(CONFIG_MAPS, world.namespace)
        await world.created("one", {"a": "1"})
        await world.patch("one", {"data": {"a": "2"}})
        await world.client.delete(CONFIG_MAPS, "one", world.namespace)
        events = await world.events(3, ListOptions(resource_version=listed.resource_version))
        assert [(each.type, meta.name(each.object)) for each in events] == [
            ("ADDED", "one"),
            ("MODIFIED", "one"),
            ("DELETED", "one"),
        ]
        versions = [int(meta.resource_version(each.object)) for each in events]
        assert versions == sorted(set(versions))
        assert events[2].object["data"] == {"a": "2"}

    @check
    async def test_watch_from_the_start_shows_what_exists(self, world: World) -> None:
        await world.created("one")
        await world.created("two")
        events = await world.events(2, ListOptions())
        assert sorted((each.type, meta.name(each.object)) for each in events) == [
            ("ADDED", "one"),
            ("ADDED", "two"),
        ]

    @check
    async def test_watch_while_things_happen(self, world: World) -> None:
        listed = await world.client.list(CONFIG_MAPS, world.namespace)
        watching = asyncio.create_task(
            world.events(20, ListOptions(resource_version=listed.resource_version))
        )
        await asyncio.gather(*(world.created(f"n{at}") for at in range(20)))
        events = await watching
        assert {meta.name(each.object) for each in events} == {f"n{at}" for at in range(20)}
        versions = [int(meta.resource_version(each.object)) for each in events]
        assert versions == sorted(set(versions))

    @check
    async def test_watch_with_a_selector_sees_coming_and_going(self, world: World) -> None:
        listed = await world.client.list(CONFIG_MAPS, world.namespace)
        await world.created("one", labels={"on": "no"})
        await world.patch("one", {"metadata": {"labels": {"on": "yes"}}})
        await world.patch("one", {"data": {"a": "1"}})
        await world.patch("one", {"metadata": {"labels": {"on": "no"}}})
        await world.created("end", labels={"on": "yes"})
        options = ListOptions(label_selector="on=yes", resource_version=listed.resource_version)
        events = await world.events(4, options)
        assert [(each.type, meta.name(each.object)) for each in events] == [
            ("ADDED", "one"),
            ("MODIFIED", "one"),
            ("DELETED", "one"),
            ("ADDED", "end"),
        ]

    @check
    async def test_watch_of_one_object(self, world: World) -> None:
        listed = await world.client.list(CONFIG_MAPS, world.namespace)
        await world.created("other")
        await world.created("one")
        options = ListOptions(field_selector="metadata.name=one", resource_version=listed.resource_version)
        events = await world.events(1, options)
        assert [(each.type, meta.name(each.object)) for each in events] == [("ADDED", "one")]
