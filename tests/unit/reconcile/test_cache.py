"""The cache against a scripted API: what it holds after lists, watches and their failures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sampan.client.protocol import ListOptions, Object, ObjectList, WatchEvent
from sampan.kube.errors import ExpiredError, ServiceUnavailableError
from sampan.kube.kinds import CONFIG_MAPS
from sampan.reconcile.cache import Cache


def obj(name: str, version: int, **fields: Any) -> Object:
    return {
        "metadata": {"name": name, "namespace": "ns", "resourceVersion": str(version), "uid": name},
        **fields,
    }


class Script:
    """Answers lists and watches in turn; a watch is a list of events and at most one error at its end."""

    def __init__(
        self, lists: list[ObjectList | Exception], watches: list[list[WatchEvent | Exception]]
    ) -> None:
        self._lists, self._watches = iter(lists), iter(watches)
        self.watched_from: list[str] = []
        self.open = 0

    async def get(self, *_: Any) -> Object:
        raise AssertionError("a cache does not get")

    async def list(self, _resource: Any, _namespace: Any, _options: ListOptions) -> ObjectList:
        answer = next(self._lists)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def watch(self, _resource: Any, _namespace: Any, options: ListOptions) -> AsyncIterator[WatchEvent]:
        self.watched_from.append(options.resource_version)
        self.open += 1
        try:
            for event in next(self._watches, ()):
                if isinstance(event, Exception):
                    raise event
                yield event
            if len(self.watched_from) >= 2:
                await asyncio.Event().wait()
        finally:
            self.open -= 1


def page(*items: Object, version: int, token: str = "") -> ObjectList:
    return ObjectList(list(items), str(version), token)


async def until(condition) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)


def follow(script: Script, scenario, **options: Any) -> None:
    async def main() -> None:
        cache = Cache(script, CONFIG_MAPS, **options)
        cache.start()
        try:
            await scenario(cache)
        finally:
            await cache.stop()
        assert script.open == 0, "the watch is closed with the cache"

    asyncio.run(main())


def test_pages_and_changes_make_the_state():
    script = Script(
        [page(obj("a", 1), version=3, token="more"), page(obj("b", 2), version=3)],
        [[WatchEvent("MODIFIED", obj("a", 4, data={"k": "v"})), WatchEvent("DELETED", obj("b", 5))]],
    )
    seen: list[tuple[str | None, str | None]] = []

    async def scenario(cache):
        cache.add_handler(
            lambda old, new: seen.append((old and old["metadata"]["name"], new and new["metadata"]["name"]))
        )
        await cache.synced()
        await until(lambda: cache.get("ns", "b") is None)
        assert cache.get("ns", "a")["data"] == {"k": "v"}
        assert (cache.get("ns", "a")["kind"], cache.get("ns", "a")["apiVersion"]) == ("ConfigMap", "v1")
        assert len(cache) == 1

    follow(script, scenario)
    assert seen == [(None, "a"), (None, "b"), ("a", "a"), ("b", None)]
    assert script.watched_from[0] == "3"


def test_a_broken_watch_goes_on_where_it_ended():
    script = Script(
        [page(version=1)],
        [
            [WatchEvent("ADDED", obj("a", 5)), ServiceUnavailableError("gone")],
            [WatchEvent("ADDED", obj("b", 6))],
        ],
    )

    async def scenario(cache):
        await until(lambda: len(cache) == 2)

    follow(script, scenario)
    assert script.watched_from == ["1", "5"]


def test_an_expired_watch_lists_again_and_tells_the_difference():
    script = Script(
        [page(obj("a", 1), obj("b", 1), version=1), page(obj("b", 7), obj("c", 8), version=9)],
        [[ExpiredError("too old")], []],
    )
    seen: list[str] = []

    async def scenario(cache):
        await cache.synced()
        cache.add_handler(
            lambda old, new: seen.append(
                f"{'-' if new is None else '+' if old is None else '~'}{(new or old)['metadata']['name']}"
            )
        )
        await until(lambda: cache.get("ns", "c") is not None)

    follow(script, scenario)
    assert sorted(seen) == ["+a", "+b", "+c", "-a", "~b"]
    assert script.watched_from == ["1", "9"]


def test_a_list_that_fails_is_tried_again():
    script = Script([ServiceUnavailableError("not yet"), page(obj("a", 1), version=1)], [[], []])

    async def scenario(cache):
        await asyncio.wait_for(cache.synced(), 60)
        assert cache.get("ns", "a")

    follow(script, scenario)


def test_indexes_follow_changes():
    script = Script(
        [page(obj("a", 1, data={"of": "x"}), obj("b", 2, data={"of": "x"}), version=2)],
        [[WatchEvent("MODIFIED", obj("a", 3, data={"of": "y"})), WatchEvent("DELETED", obj("b", 4))]],
    )

    async def scenario(cache):
        cache.add_index("of", lambda each: [each["data"]["of"]])
        await cache.synced()
        await until(lambda: cache.get("ns", "b") is None)
        assert [each["metadata"]["name"] for each in cache.by_index("of", "y")] == ["a"]
        assert cache.by_index("of", "x") == []
        with pytest.raises(KeyError):
            cache.by_index("unknown", "x")

    follow(script, scenario)


@pytest.mark.parametrize(
    "poison",
    [{}, {"metadata": None}, {"metadata": []}, {"metadata": {"name": "p"}}, {"metadata": "text"}],
)
def test_nonsense_from_the_api_is_skipped(poison):
    script = Script(
        [page(poison, obj("a", 1), version=1)],
        [[WatchEvent("ADDED", poison), WatchEvent("ADDED", obj("b", 2))], []],
    )

    async def scenario(cache):
        await until(lambda: cache.get("ns", "b") is not None)
        assert cache.get("ns", "a")

    follow(script, scenario)


def test_an_index_or_handler_that_fails_harms_only_its_own_object():
    script = Script([page(obj("a", 1), obj("b", 2, data={"of": "x"}), version=2)], [[], []])
    seen: list[str] = []

    async def scenario(cache):
        def handler(_old: Object | None, new: Object | None) -> None:
            assert new is not None
            if "data" not in new:
                raise RuntimeError("no data")
            seen.append(new["metadata"]["name"])

        cache.add_index("of", lambda each: [each["data"]["of"]])
        cache.add_handler(handler)
        await cache.synced()
        assert len(cache) == 2
        assert len(cache.by_index("of", "x")) == 1

    follow(script, scenario)
    assert seen == ["b"]


def test_reached_waits_for_the_version_and_not_for_ever():
    script = Script([page(version=1)], [[WatchEvent("ADDED", obj("a", 5))], []])

    async def scenario(cache):
        await asyncio.wait_for(cache.reached("5"), 60)
        assert cache.get("ns", "a")
        await cache.reached("not a number")
        with pytest.raises(TimeoutError):
            await cache.reached("6", timeout_seconds=0.02)

    follow(script, scenario)


def test_keep_reduces_what_is_stored():
    script = Script([page(obj("a", 1, data={"big": "x" * 1000}), version=1)], [[], []])

    async def scenario(cache):
        await cache.synced()
        assert "data" not in cache.get("ns", "a")

    follow(script, scenario, keep=lambda each: {"metadata": each["metadata"]})
