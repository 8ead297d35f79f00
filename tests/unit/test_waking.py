"""A wait that ends by an event, by time, or by being cancelled, whatever comes together."""

from __future__ import annotations

import asyncio

import pytest

from sampan.lib.waking import woken_or_later


def test_it_ends_by_the_event_and_by_time() -> None:
    async def main() -> None:
        woken = asyncio.Event()
        await woken_or_later(woken, 0.001)
        waiting = asyncio.create_task(woken_or_later(woken, 1000))
        await asyncio.sleep(0)
        woken.set()
        await waiting

    asyncio.run(main())


@pytest.mark.parametrize("steps", range(4))
def test_a_cancellation_that_comes_with_the_event_counts(steps: int) -> None:
    async def main() -> None:
        woken = asyncio.Event()

        async def forever() -> None:
            while True:
                woken.clear()
                await woken_or_later(woken, 1000)

        loop = asyncio.create_task(forever())
        # Until it waits.
        for _ in range(5):
            await asyncio.sleep(0)
        woken.set()
        for _ in range(steps):
            await asyncio.sleep(0)
        loop.cancel()
        done, late = await asyncio.wait([loop], timeout=10)
        for each in late:
            each.cancel()
        assert done

    asyncio.run(main())
