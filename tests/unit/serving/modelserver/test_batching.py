"""Which requests are predicted together, and that each gets what it would have got alone."""

from __future__ import annotations

import asyncio
import functools
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from sampan.components.serving.engine.programs.modelserver import batching
from sampan.components.serving.engine.programs.modelserver.batching import FullError, Lane, Outcome
from sampan.components.serving.engine.programs.modelserver.contract import Metadata, ModelError, Tensor
from sampan.components.serving.engine.programs.modelserver.statistics import Statistics


def in_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @functools.wraps(test)
    def run(*given: Any, **named: Any) -> None:
        asyncio.run(test(*given, **named))

    return run


class Doubling:
    """Notes what it is asked, and by which thread at a time."""

    def __init__(
        self, max_batch: int = 8, seconds: float = 0.0, goes_on: threading.Event | None = None
    ) -> None:
        self.metadata = Metadata("m", "test")
        self.max_batch = max_batch
        self.asked: list[list[Any]] = []
        self.is_closed = False
        self.drops_rows = False
        self._seconds = seconds
        self._goes_on = goes_on
        self._is_busy = False

    def from_instances(self, instances: Any) -> Sequence[Tensor]:
        raise NotImplementedError

    def to_predictions(self, outputs: Sequence[Tensor]) -> Any:
        raise NotImplementedError

    def run(self, inputs: Sequence[Tensor], parameters: Mapping[str, Any]) -> Sequence[Tensor]:
        assert not self._is_busy
        assert not self.is_closed
        self._is_busy = True
        time.sleep(self._seconds)
        if self._goes_on is not None:
            assert self._goes_on.wait(60)
        data = inputs[0].data
        self.asked.append(data.tolist())
        self._is_busy = False
        if (data < 0).any():
            raise ModelError("below zero")
        doubled = data * 2
        return [Tensor("y", doubled[:1] if self.drops_rows and len(data) > 1 else doubled, "FP64")]

    def close(self) -> None:
        self.is_closed = True


def x(*values: float, name: str = "x", dtype: str = "float64") -> list[Tensor]:
    return [Tensor(name, np.array(values, dtype=dtype), "FP64")]


async def ask(lane: Lane, *jobs: list[Tensor], parameters: Mapping[str, Any] | None = None) -> list[Outcome]:
    loop = asyncio.get_running_loop()
    futures = []
    for job in jobs:
        future: asyncio.Future[Outcome] = loop.create_future()
        lane.submit(job, parameters or {}, future.set_result)
        futures.append(future)
    return list(await asyncio.gather(*futures))


def values(outcome: Outcome) -> Any:
    assert not isinstance(outcome, BaseException), outcome
    return outcome[0].data.tolist()


@in_loop
async def test_what_comes_together_is_predicted_together() -> None:
    model = Doubling()
    found = await ask(Lane(model, Statistics()), x(1), x(2, 3), x(4))
    assert [values(each) for each in found] == [[2], [4, 6], [8]]
    assert model.asked == [[1, 2, 3, 4]]


@in_loop
async def test_no_batch_has_more_rows_than_the_model_takes() -> None:
    model = Doubling(max_batch=4)
    found = await ask(Lane(model, Statistics()), x(1, 2, 3), x(4, 5), x(6), x(*range(10, 20)))
    assert [values(each)[0] for each in found] == [2, 8, 12, 20]
    # In their order, but for one that still fits; one that is larger by itself is left whole.
    assert model.asked == [[1, 2, 3, 6], [4, 5], list(range(10, 20))]


@in_loop
async def test_only_what_is_alike_is_joined() -> None:
    model = Doubling()
    others = [x(2, dtype="int64"), x(3, name="z"), [Tensor("x", np.array([[4.0]]), "FP64")]]
    found = await ask(Lane(model, Statistics()), x(1), *others, x(5))
    assert [values(each) for each in found] == [[2], [4], [6], [[8]], [10]]
    assert model.asked == [[1, 5], [2], [3], [[4]]]


@pytest.mark.parametrize("max_batch", [0, 1])
@in_loop
async def test_a_model_that_joins_nothing_is_asked_one_by_one(max_batch: int) -> None:
    model = Doubling(max_batch)
    await ask(Lane(model, Statistics()), x(1), x(2))
    assert model.asked == [[1], [2]]


@in_loop
async def test_requests_with_parameters_or_without_rows_go_alone() -> None:
    model = Doubling()
    lane = Lane(model, Statistics())
    await ask(lane, x(1), x(2), parameters={"a": 1})
    scalar = [Tensor("x", np.array(3.0), "FP64")]
    found = await ask(lane, scalar, scalar, x(), x())
    assert model.asked == [[1], [2], 3, 3, [], []]
    assert values(found[2]) == []


@in_loop
async def test_one_that_fails_fails_alone() -> None:
    model = Doubling()
    found = await ask(Lane(model, Statistics()), x(1), x(-1), x(2))
    assert isinstance(found[1], ModelError)
    assert (values(found[0]), values(found[2])) == ([2], [4])


@in_loop
async def test_one_that_cannot_be_answered_leaves_no_other_without_an_answer() -> None:
    lane = Lane(Doubling(), Statistics())
    answered: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    def fail(_outcome: Outcome) -> None:
        raise ValueError("a header that holds what none may hold")

    lane.submit(x(1), {}, fail)
    lane.submit(x(2), {}, answered.set_result)
    async with asyncio.timeout(60):
        outcome = await answered
    assert not isinstance(outcome, BaseException)
    assert outcome[0].data.tolist() == [4]


@in_loop
async def test_a_model_whose_rows_are_not_its_inputs_is_asked_again_for_each() -> None:
    model = Doubling()
    model.drops_rows = True
    assert [values(each) for each in await ask(Lane(model, Statistics()), x(1), x(2))] == [[2], [4]]


@in_loop
async def test_a_slow_model_leaves_the_loop_alone_and_joins_what_waits() -> None:
    goes_on = threading.Event()
    model = Doubling(goes_on=goes_on)
    lane = Lane(model, Statistics())
    first = asyncio.create_task(ask(lane, x(1)))
    # The loop turns, or nobody would let the model go on.
    await asyncio.sleep(0.01)
    rest = asyncio.gather(*(ask(lane, x(each)) for each in (2, 3, 4)))
    await asyncio.sleep(0.01)
    goes_on.set()
    await first
    await rest
    assert model.asked == [[1], [2, 3, 4]]


@in_loop
async def test_a_quick_model_is_called_in_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    # However busy the machine is.
    monkeypatch.setattr(batching, "QUICK_SECONDS", 0.9)
    model = Doubling()
    lane = Lane(model, Statistics())
    threads = set()
    run = model.run

    def noting(inputs: Sequence[Tensor], parameters: Mapping[str, Any]) -> Sequence[Tensor]:
        threads.add(asyncio._get_running_loop() is not None)
        return run(inputs, parameters)

    model.run = noting  # type: ignore[method-assign]
    await ask(lane, x(1))
    # What it costs is not known before.
    assert threads == {False}
    # On a machine that does other things the first calls may take long, though the model is quick.
    for _ in range(200):
        await ask(lane, x(1))
        if True in threads:
            return
    raise AssertionError("it is called in a thread for ever")


@in_loop
async def test_a_model_that_runs_a_loop_of_its_own_is_called_in_a_thread() -> None:
    class Looping(Doubling):
        def run(self, inputs: Sequence[Tensor], parameters: Mapping[str, Any]) -> Sequence[Tensor]:
            # As asyncio.run() says it, which would leave a coroutine over.
            if asyncio._get_running_loop() is not None:
                raise RuntimeError("asyncio.run() cannot be called from a running event loop")
            return super().run(inputs, parameters)

    lane = Lane(Looping(), Statistics())
    for _ in range(4):
        assert [values(each) for each in await ask(lane, x(1), x(2))] == [[2], [4]]


@in_loop
async def test_more_than_can_wait_is_refused() -> None:
    lane = Lane(Doubling(seconds=0.05), Statistics())
    for _ in range(4096):
        lane.submit(x(1), {}, lambda outcome: None)
    with pytest.raises(FullError):
        lane.submit(x(1), {}, lambda outcome: None)
    await asyncio.sleep(0)


@pytest.mark.parametrize("seconds", [0.0, 0.02])
@in_loop
async def test_what_waits_is_answered_before_a_model_is_closed(seconds: float) -> None:
    model = Doubling(seconds=seconds)
    lane = Lane(model, Statistics())
    asked = asyncio.create_task(ask(lane, x(1), x(2)))
    await asyncio.sleep(0)
    lane.close()
    assert [values(each) for each in await asked] == [[2], [4]]
    await asyncio.sleep(0)
    assert model.is_closed
