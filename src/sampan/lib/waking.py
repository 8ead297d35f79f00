"""Waiting for an event, but not for ever."""

from __future__ import annotations

import asyncio


async def woken_or_later(woken: asyncio.Event, seconds: float) -> None:
    """Returns when the event is set, or after `seconds`.

    Not `asyncio.wait_for`: before Python 3.12 it loses a cancellation that comes together with the event, and a loop
    that was to end goes on.
    """
    try:
        async with asyncio.timeout(seconds):
            await woken.wait()
    except TimeoutError:
        return
