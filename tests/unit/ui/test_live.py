"""Answers that keep themselves current."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from sampan.lib.clock import SystemClock
from sampan.ui.api import Api, ApiFailureError
from sampan.ui.live import Hub
from sampan.web.guards import User

ANN, BEN = User("ann"), User("ben")


class World:
    """An API with one number, and how often it was asked."""

    def __init__(self) -> None:
        self.commits = 0
        self.value: Any = 1
        self.status = 200
        self.asked: list[str] = []
        self.hub = Hub(lambda: self.commits, SystemClock())
        self.failures: list[str] = []

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.append(f"{scope['state']['user'].name} {scope['path']}?{scope['query_string'].decode()}")
        body = {"value": self.value} if self.status == 200 else {"message": "not today"}
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})

    def change(self, value: Any) -> None:
        self.value = value
        self.commits += 1

    async def watch(self, user: User = ANN, path: str = "/x", **query: str) -> tuple[list[Any], Any]:
        seen: list[Any] = []

        async def take(found: Any) -> None:
            seen.append(found["value"])

        def fail(error: ApiFailureError | None) -> None:
            self.failures.append(error.message if error else "")

        return seen, await self.hub.subscribe(Api(self.app, user), path, query, take, fail)


def play(scenario: Callable[[World], Awaitable[None]]) -> None:
    async def run() -> None:
        world = World()
        try:
            await asyncio.wait_for(scenario(world), 60)
        finally:
            await world.hub.close()

    asyncio.run(run())


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.02)


def test_a_change_reaches_every_page_by_one_question() -> None:
    async def scenario(world: World) -> None:
        pages = [await world.watch() for _ in range(5)]
        assert [seen for seen, _ in pages] == [[1]] * 5
        world.change(2)
        await until(lambda: all(seen == [1, 2] for seen, _ in pages))
        assert len(world.asked) == 2

    play(scenario)


def test_what_did_not_change_is_not_handed_on() -> None:
    async def scenario(world: World) -> None:
        seen, _ = await world.watch()
        world.commits += 1
        await until(lambda: len(world.asked) == 2)
        await asyncio.sleep(0.05)
        assert seen == [1]

    play(scenario)


def test_what_comes_while_a_page_is_built_of_its_first_answer_is_not_lost() -> None:
    async def scenario(world: World) -> None:
        quick, _ = await world.watch()
        slow: list[Any] = []
        is_built = asyncio.Event()

        async def take(found: Any) -> None:
            await is_built.wait()
            slow.append(found["value"])

        building = asyncio.create_task(
            world.hub.subscribe(Api(world.app, ANN), "/x", None, take, lambda _error: None)
        )
        await asyncio.sleep(0)
        world.change(2)
        await until(lambda: quick == [1, 2])
        is_built.set()
        await building
        assert slow == [1, 2]

    play(scenario)


def test_each_user_and_each_question_has_an_answer_of_its_own() -> None:
    async def scenario(world: World) -> None:
        await world.watch(ANN)
        await world.watch(BEN)
        await world.watch(ANN, a="1 2")
        assert world.asked == ["ann /x?", "ben /x?", "ann /x?a=1+2"]

    play(scenario)


def test_nobody_asks_for_those_who_have_left() -> None:
    async def scenario(world: World) -> None:
        seen, subscription = await world.watch()
        world.hub.unsubscribe(subscription)
        world.change(2)
        await asyncio.sleep(1.0)
        assert seen == [1]
        assert len(world.asked) == 1

    play(scenario)


def test_a_first_refusal_is_raised_and_a_later_one_told_until_it_is_over() -> None:
    async def scenario(world: World) -> None:
        world.status = 403
        with pytest.raises(ApiFailureError) as refused:
            await world.watch()
        assert (refused.value.status, refused.value.message) == (403, "not today")
        world.status = 200
        seen, _ = await world.watch()
        world.status = 503
        world.commits += 1
        await until(lambda: world.failures == ["not today"])
        world.status = 200
        world.change(3)
        await until(lambda: world.failures == ["not today", ""] and seen == [1, 3])

    play(scenario)


def test_what_a_user_changed_is_seen_without_a_commit() -> None:
    async def scenario(world: World) -> None:
        seen, _ = await world.watch()
        world.value = 2
        world.hub.nudge()
        await until(lambda: seen == [1, 2])

    play(scenario)
