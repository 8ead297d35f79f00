"""A controller lives through every kind of failure of its reconciler, and nobody waits for somebody else's."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from itertools import pairwise

import pytest

from sampan.kube.errors import ConflictError, NotFoundError, ServiceUnavailableError
from sampan.reconcile.controller import Controller
from sampan.reconcile.reconciler import DONE, Request, Result, TerminalError

BAD, GOOD = Request("ns", "bad"), Request("ns", "good")


def run(reconcile, scenario, **options) -> None:
    async def main() -> None:
        controller = Controller("test", reconcile, [], **options)
        await controller.start()
        try:
            async with asyncio.timeout(60):
                await scenario(controller)
        finally:
            await controller.stop()

    asyncio.run(main())


async def until(condition) -> None:
    while not condition():
        await asyncio.sleep(0.005)


async def cancelled_inside() -> None:
    task = asyncio.create_task(asyncio.sleep(10))
    await asyncio.sleep(0)
    task.cancel()
    await task


def fail_with(error: BaseException):
    def fail() -> None:
        raise error

    return fail


def exhaust_the_stack() -> None:
    exhaust_the_stack()


@pytest.mark.parametrize(
    "fail",
    [
        fail_with(RuntimeError("x")),
        fail_with(ConflictError("x")),
        fail_with(NotFoundError("x")),
        fail_with(ServiceUnavailableError("x")),
        fail_with(KeyError("x")),
        fail_with(AssertionError()),
        fail_with(MemoryError()),
        exhaust_the_stack,
    ],
)
def test_a_failure_is_tried_again_with_growing_delay(fail):
    tries: list[float] = []
    seen: list[Request] = []

    async def reconcile(request: Request) -> Result:
        if request == BAD and len(tries) < 4:
            tries.append(asyncio.get_running_loop().time())
            fail()
        seen.append(request)
        return DONE

    async def scenario(controller):
        controller.queue.add(BAD)
        controller.queue.add(GOOD)
        await until(lambda: BAD in seen)
        assert seen[0] == GOOD
        assert controller.queue.failures(BAD) == 0
        gaps = [after - before for before, after in pairwise(tries)]
        # Lower bounds only, since a busy machine may take longer; a timer may be early by its resolution.
        assert all(gap >= least - 0.001 for gap, least in zip(gaps, (0.005, 0.01, 0.02), strict=True))

    run(reconcile, scenario, workers=1)


def test_a_terminal_error_is_not_tried_again(caplog):
    tries: list[Request] = []

    async def reconcile(request: Request) -> Result:
        tries.append(request)
        raise TerminalError("spec.size is negative")

    async def scenario(controller):
        controller.queue.add(BAD)
        await asyncio.sleep(0.05)
        assert tries == [BAD]
        assert controller.queue.idle

    with caplog.at_level(logging.WARNING):
        run(reconcile, scenario)
    assert [record.message for record in caplog.records] == ["reconcile refused"]


def test_a_cancelled_task_inside_is_a_failure_and_no_end():
    tries: list[Request] = []

    async def reconcile(request: Request) -> Result:
        tries.append(request)
        if len(tries) == 1:
            await cancelled_inside()
        return DONE

    async def scenario(controller):
        controller.queue.add(BAD)
        await until(lambda: len(tries) >= 2)

    run(reconcile, scenario, workers=1)


def test_a_reconcile_that_never_ends_is_cut_off():
    tries: list[Request] = []

    async def reconcile(request: Request) -> Result:
        tries.append(request)
        if len(tries) == 1:
            await asyncio.Event().wait()
        return DONE

    async def scenario(controller):
        controller.queue.add(BAD)
        await until(lambda: len(tries) >= 2)

    run(reconcile, scenario, workers=1, timeout_seconds=0.05)


def test_requeue_after_comes_again():
    times: list[float] = []

    async def reconcile(_request: Request) -> Result:
        times.append(asyncio.get_running_loop().time())
        return Result(requeue_after=timedelta(milliseconds=20)) if len(times) < 3 else DONE

    async def scenario(controller):
        controller.queue.add(GOOD)
        await until(lambda: len(times) >= 3)
        assert times[2] - times[0] >= 0.04

    run(reconcile, scenario)


def test_one_object_is_never_reconciled_twice_at_once_but_many_are_together():
    active: set[Request] = set()
    most = 0

    async def reconcile(request: Request) -> Result:
        nonlocal most
        assert request not in active
        active.add(request)
        most = max(most, len(active))
        await asyncio.sleep(0.01)
        active.discard(request)
        return DONE

    async def scenario(controller):
        for _ in range(5):
            for number in range(8):
                controller.queue.add(Request("ns", str(number)))
            await asyncio.sleep(0.005)
        await until(lambda: controller.queue.idle)

    run(reconcile, scenario, workers=4)
    assert most == 4


def test_stop_lets_a_reconcile_end():
    ended: list[Request] = []

    async def reconcile(request: Request) -> Result:
        await asyncio.sleep(0.05)
        ended.append(request)
        return DONE

    async def scenario(controller):
        controller.queue.add(GOOD)
        await asyncio.sleep(0.01)

    run(reconcile, scenario)
    assert ended == [GOOD]


@pytest.mark.parametrize(("times", "words"), [(3, False), (4, True)])
def test_what_is_gone_meanwhile_is_worth_a_word_only_when_it_goes_on(caplog, times, words):
    tries: list[Request] = []

    async def reconcile(request: Request) -> Result:
        tries.append(request)
        if len(tries) <= times:
            raise NotFoundError("gone")
        return DONE

    async def scenario(controller: Controller[Request]) -> None:
        controller.queue.add(BAD)
        while len(tries) <= times:
            await asyncio.sleep(0.001)

    run(reconcile, scenario)
    assert ("reconcile failed" in caplog.text) is words
