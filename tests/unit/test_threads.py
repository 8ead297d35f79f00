"""Threads that are seen to their end, whoever gives up waiting."""

from __future__ import annotations

import asyncio
import contextvars
import threading

import pytest

from sampan.lib.threads import to_end

_WHO: contextvars.ContextVar[str] = contextvars.ContextVar("who")


def test_what_the_function_gives_or_raises() -> None:
    async def main() -> None:
        _WHO.set("caller")
        assert await to_end(lambda text: text + _WHO.get(), "of the ") == "of the caller"
        with pytest.raises(OSError, match="no disk"):
            await to_end(_refuse)

    asyncio.run(main())


@pytest.mark.parametrize("times", [1, 2])
def test_a_cancellation_waits_for_the_thread(times: int) -> None:
    began, may_end, given_back = threading.Event(), threading.Event(), list[str]()

    def work() -> str:
        began.set()
        assert may_end.wait(60)
        return "file"

    async def main() -> None:
        task = asyncio.create_task(to_end(work, undo=given_back.append))
        await asyncio.to_thread(began.wait, 60)
        for _ in range(times):
            task.cancel()
            assert not (await asyncio.wait((task,), timeout=0.05))[0]
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert given_back == ["file"]


def test_a_failure_that_nobody_waits_for_is_not_told() -> None:
    began, may_end, told = threading.Event(), threading.Event(), list[object]()

    def work() -> None:
        began.set()
        assert may_end.wait(60)
        _refuse()

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        task = asyncio.create_task(to_end(work, undo=told.append))
        await asyncio.to_thread(began.wait, 60)
        task.cancel()
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert not told


def _refuse() -> None:
    raise OSError("no disk")
