"""Threads that are seen to their end, whoever gives up waiting; and such as are bounded, and left at the end."""

from __future__ import annotations

import asyncio
import contextvars
import threading

import pytest

from sampan.lib.threads import ClosedError, Threads, check_wanted, have_ended, to_end

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


class Held:
    """What a thread does until it is let go."""

    def __init__(self) -> None:
        self.began, self._may_end = threading.Event(), threading.Event()

    def __call__(self) -> str:
        self.began.set()
        assert self._may_end.wait(60)
        return _WHO.get("")

    def let_go(self) -> None:
        self._may_end.set()


def test_own_threads_give_raise_and_know_the_context() -> None:
    async def main() -> None:
        threads = Threads("own", 2)
        _WHO.set("caller")
        assert await threads.run(lambda text: text + _WHO.get(), "of the ") == "of the caller"
        assert await threads.run(lambda: threading.current_thread().daemon)
        with pytest.raises(OSError, match="no disk"):
            await threads.run(_refuse)

    asyncio.run(main())
    assert have_ended(60)


def test_no_more_threads_than_were_said() -> None:
    threads, held = Threads("own", 2), [Held() for _ in range(3)]
    first, second, third = [threads.submit(each) for each in held]
    assert held[0].began.wait(60)
    assert held[1].began.wait(60)
    assert not third.running()
    held[1].let_go()
    assert held[2].began.wait(60)
    assert not first.done()
    for each in held:
        each.let_go()
    assert [future.result(60) for future in (first, second, third)] == ["", "", ""]


def test_what_nobody_waits_for_any_more_is_not_begun() -> None:
    async def main() -> None:
        threads, held, begun = Threads("own", 1), Held(), list[str]()
        threads.submit(held)
        waiting = asyncio.create_task(threads.run(begun.append, "given up"))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait((waiting,))
        held.let_go()
        await threads.run(begun.append, "next")
        assert begun == ["next"]

    asyncio.run(main())


def test_at_the_end_nothing_is_begun_and_what_goes_on_hears_of_it() -> None:
    threads, heard = Threads("own", 1), list[BaseException]()

    def by_another(held: Held) -> None:
        held()
        check_wanted()

    def work(held: Held) -> None:
        check_wanted()
        # Threads of a thread's: they end with it.
        inner = Threads("inner", 1).submit(by_another, held)
        heard.append(inner.exception(60) or AssertionError("nothing was heard"))
        check_wanted()

    held = Held()
    under_way, waiting = threads.submit(work, held), threads.submit(_refuse)
    assert held.began.wait(60)
    threads.close()
    assert waiting.cancelled()
    with pytest.raises(ClosedError):
        threads.submit(_refuse)
    assert not have_ended(0)
    held.let_go()
    with pytest.raises(ClosedError):
        under_way.result(60)
    assert isinstance(heard[0], ClosedError)
    assert have_ended(60)
    check_wanted()  # of nobody's threads
