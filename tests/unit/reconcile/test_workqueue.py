"""The work queue: order, deduplication, delays."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from sampan.reconcile.workqueue import WorkQueue


def in_loop(scenario: Callable[[WorkQueue[str]], Awaitable[None]], **options: float) -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue(**options)
        try:
            await scenario(queue)
        finally:
            queue.close()

    asyncio.run(main())


def test_first_come_first_served_and_each_once():
    async def scenario(queue):
        for item in ("a", "b", "a", "c", "b"):
            queue.add(item)
        taken = []
        while len(queue):
            taken.append(await queue.get())
            queue.done(taken[-1])
        assert taken == ["a", "b", "c"]
        assert queue.idle

    in_loop(scenario)


def test_an_item_added_while_worked_on_comes_again_after_done_only():
    async def scenario(queue):
        queue.add("a")
        assert await queue.get() == "a"
        queue.add("a")
        queue.add("a")
        assert len(queue) == 0
        queue.done("a")
        assert len(queue) == 1
        assert await queue.get() == "a"
        queue.done("a")
        assert queue.idle

    in_loop(scenario)


def test_backoff_doubles_up_to_the_maximum_and_forget_ends_it():
    async def scenario(queue):
        delays = [queue.add_rate_limited("a") for _ in range(12)]
        assert delays[:4] == [0.005, 0.01, 0.02, 0.04]
        assert delays[-1] == 5.0
        assert queue.failures("a") == 12
        queue.forget("a")
        assert queue.add_rate_limited("a") == 0.005

    in_loop(scenario, max_seconds=5.0)


def test_backoff_never_overflows():
    async def scenario(queue):
        for _ in range(5000):
            last = queue.add_rate_limited("a")
        assert last == 1000.0

    in_loop(scenario)


def test_of_several_delays_the_shortest_counts():
    async def scenario(queue):
        queue.add_after("a", 60)
        queue.add_after("a", 0.01)
        queue.add_after("a", 60)
        assert await asyncio.wait_for(queue.get(), 60) == "a"
        queue.done("a")
        assert queue.idle

    in_loop(scenario)


def test_a_delay_of_nothing_is_no_delay():
    async def scenario(queue):
        queue.add_after("a", 0)
        assert len(queue) == 1

    in_loop(scenario)


def test_nothing_comes_after_close():
    async def scenario(queue):
        queue.add("a")
        queue.add_after("b", 0.001)
        queue.close()
        queue.add("c")
        await asyncio.sleep(0.01)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(queue.get(), 0.01)

    in_loop(scenario)
