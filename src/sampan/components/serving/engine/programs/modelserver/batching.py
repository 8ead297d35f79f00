"""Requests that are there anyway are predicted together: no timer, no wait while the model is idle.

A lane belongs to one model and runs in the event loop's thread. What arrived in one turn of the loop, or while the
model was at work, is joined by rows, up to the model's `max_batch`. A model that takes its time works in a thread of
its own, so that the loop goes on; one that is quick is called at once, as a thread would cost more than it does.
Which it is, is measured, for each size of input.
"""

from __future__ import annotations

import asyncio
import functools
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from sampan.components.serving.engine.programs.modelserver.contract import ModelError, Runtime, Tensor
from sampan.components.serving.engine.programs.modelserver.statistics import Statistics

QUICK_SECONDS = 0.003
"""What the event loop can be kept for."""
_MAX_WAITING = 4096
"""Beyond which requests are refused: they would wait for longer than their callers do."""

Outcome = Sequence[Tensor] | BaseException
Done = Callable[[Outcome], None]


class FullError(Exception):
    """More requests wait than a model can be expected to answer in time."""


@dataclass(slots=True)
class _Job:
    inputs: Sequence[Tensor]
    parameters: Mapping[str, Any]
    done: Done
    rows: int
    """0 where it cannot be joined with others."""
    signature: object
    since: float


class Lane:
    """For one event loop."""

    def __init__(self, runtime: Runtime, statistics: Statistics) -> None:
        self._runtime = runtime
        self._statistics = statistics
        self._waiting: list[_Job] = []
        self._is_scheduled = False
        self._thread: ThreadPoolExecutor | None = None
        self._is_at_work = False
        self._is_closed = False
        self._costs: dict[int, float] = {}
        self._wants_thread = False

    def submit(self, inputs: Sequence[Tensor], parameters: Mapping[str, Any], done: Done) -> None:
        """`done` is called later, with the outputs or what went wrong. Raises FullError."""
        if len(self._waiting) >= _MAX_WAITING:
            raise FullError
        rows, signature = 0, None
        if self._runtime.max_batch > 1 and not parameters:
            rows, signature = _joinable(inputs)
        self._waiting.append(_Job(inputs, parameters, done, rows, signature, time.perf_counter()))
        if not self._is_scheduled and not self._is_at_work:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._work)

    def close(self) -> None:
        """What waits is still answered; then the model is closed."""
        self._is_closed = True
        if not self._waiting and not self._is_at_work and not self._is_scheduled:
            self._shut()

    def _work(self) -> None:
        self._is_scheduled = False
        while self._waiting and not self._is_at_work:
            group = self._next_group()
            if self._wants_thread or self._costs.get(_size_of(group), 1.0) > QUICK_SECONDS:
                self._is_at_work = True
                asyncio.get_running_loop().run_in_executor(
                    self._executor(), self._run, group
                ).add_done_callback(functools.partial(self._finished, group))
                continue
            outcomes = self._run(group)
            if any(map(_wants_no_loop, outcomes)):
                # It runs a loop of its own, which it can in a thread alone: asked again there, and from now on.
                self._wants_thread = True
                self._waiting[:0] = group
            else:
                self._deliver(group, outcomes)
        if self._is_closed and not self._waiting and not self._is_at_work:
            self._shut()

    def _finished(self, group: list[_Job], ran: asyncio.Future[list[Outcome]]) -> None:
        self._is_at_work = False
        self._deliver(group, ran.result())
        if (self._waiting or self._is_closed) and not self._is_scheduled:
            self._work()

    def _next_group(self) -> list[_Job]:
        """The first that waits, and those that can be joined with it, in their order."""
        first = self._waiting[0]
        if not first.rows or len(self._waiting) == 1:
            return [self._waiting.pop(0)]
        most = self._runtime.max_batch
        rows, group, left = first.rows, [first], []
        for job in self._waiting[1:]:
            if job.rows and job.signature == first.signature and rows + job.rows <= most:
                group.append(job)
                rows += job.rows
            else:
                left.append(job)
        self._waiting = left
        return group

    def _deliver(self, group: list[_Job], outcomes: list[Outcome]) -> None:
        for job, outcome in zip(group, outcomes, strict=True):
            try:
                job.done(outcome)
            except Exception as error:
                # One that cannot be answered is no reason to leave the others without an answer.
                traceback.print_exception(error)

    def _executor(self) -> ThreadPoolExecutor:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"model {self._runtime.metadata.name}")
        return self._thread

    def _shut(self) -> None:
        if self._thread is not None:
            self._thread.shutdown(wait=False)
        self._runtime.close()

    # Perhaps in the thread

    def _run(self, group: list[_Job]) -> list[Outcome]:
        begin = time.perf_counter()
        outcomes = [self._one(group[0])] if len(group) == 1 else self._together(group)
        took = time.perf_counter() - begin
        size = _size_of(group)
        before = self._costs.get(size)
        # Down at once: a first call is often one that prepares. Up slowly: the machine has other work.
        self._costs[size] = took if before is None or took < before else before + 0.2 * (took - before)
        self._statistics.ran(
            sum(job.rows or 1 for job in group), len(group), took, sum(begin - job.since for job in group)
        )
        return outcomes

    def _one(self, job: _Job) -> Outcome:
        try:
            return self._runtime.run(job.inputs, job.parameters)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            # Panics of libraries in Rust are no Exceptions, and who asked waits.
            return error

    def _together(self, group: list[_Job]) -> list[Outcome]:
        try:
            outputs = self._runtime.run(_joined(group), {})
            return _parted(outputs, [job.rows for job in group])
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException:
            # One of them is at fault, or the model cannot be asked for several after all: each for itself tells.
            return [self._one(job) for job in group]


def _wants_no_loop(outcome: Outcome) -> bool:
    """Whether it failed for a loop that runs already: asyncio.run() and its like say so in these words."""
    errors = [outcome, outcome.__cause__] if isinstance(outcome, BaseException) else []
    return any(isinstance(error, RuntimeError) and "running event loop" in str(error) for error in errors)


def _size_of(group: list[_Job]) -> int:
    """By powers of two of the number of elements."""
    return sum(tensor.data.size for job in group for tensor in job.inputs).bit_length()


def _joinable(inputs: Sequence[Tensor]) -> tuple[int, object]:
    """How many rows, and what has to be alike; 0 where there are none."""
    if len(inputs) == 1:
        tensor = inputs[0]
        shape = tensor.data.shape
        return (shape[0], _kind(tensor)) if shape else (0, None)
    rows, kinds = -1, []
    for tensor in inputs:
        shape = tensor.data.shape
        if not shape or rows not in (-1, shape[0]):
            return 0, None
        rows = shape[0]
        kinds.append(_kind(tensor))
    return max(rows, 0), kinds


def _kind(tensor: Tensor) -> object:
    return tensor.name, tensor.data.dtype, tensor.data.shape[1:], tensor.parameters


def _joined(group: list[_Job]) -> list[Tensor]:
    first = group[0].inputs
    return [
        Tensor(
            tensor.name,
            np.concatenate([job.inputs[index].data for job in group]),
            tensor.datatype,
            tensor.parameters,
        )
        for index, tensor in enumerate(first)
    ]


def _parted(outputs: Sequence[Tensor], rows: Sequence[int]) -> list[Outcome]:
    """Raises ModelError where the rows are not those that went in."""
    total = sum(rows)
    for tensor in outputs:
        if not tensor.data.shape or tensor.data.shape[0] != total:
            raise ModelError("the model's outputs have not as many rows as its inputs")
    parts: list[Outcome] = []
    start = 0
    for count in rows:
        end = start + count
        parts.append(
            [
                Tensor(tensor.name, tensor.data[start:end], tensor.datatype, tensor.parameters)
                for tensor in outputs
            ]
        )
        start = end
    return parts
