"""When all that goes on in a test's own loop has come to rest: for what must be so then, and for what must never come.

Waiting for a condition is better wherever there is one to wait for.
"""

from __future__ import annotations

import asyncio

from sampan.client.protocol import Reader
from sampan.kube.kinds import EVENTS


async def until_quiet(client: Reader, seconds: float = 0.1, most_seconds: float = 30.0) -> None:
    """Until nothing was written for so long, and all Events that were recorded are. Beyond `most_seconds` it goes on:
    what is never quiet is for the test to find."""
    loop = asyncio.get_running_loop()
    end = loop.time() + most_seconds
    while loop.time() < end:
        before = await _revision(client)
        await asyncio.sleep(seconds)
        writing = [each for each in asyncio.all_tasks() if each.get_name().startswith("events ")]
        if not writing and await _revision(client) == before:
            return
        if writing:
            await asyncio.wait(writing, timeout=end - loop.time())


async def _revision(client: Reader) -> str:
    return (await client.list(EVENTS, "default")).resource_version
