"""What comes while a model is loaded, a process is started, or something fails that nobody foresaw."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson
import pytest

from sampan.components.serving.engine.programs.modelserver import workers
from sampan.components.serving.engine.programs.modelserver.arguments import Arguments
from sampan.components.serving.engine.programs.modelserver.batching import Lane, Outcome
from sampan.components.serving.engine.programs.modelserver.contract import Metadata, Tensor
from sampan.components.serving.engine.programs.modelserver.control import Control
from sampan.components.serving.engine.programs.modelserver.errors import RequestError
from sampan.components.serving.engine.programs.modelserver.repository import Repository
from sampan.components.serving.engine.programs.modelserver.statistics import Statistics


class Panic(BaseException):
    """As libraries in Rust raise it."""


class Model:
    def __init__(self) -> None:
        self.metadata = Metadata("m", "test")
        self.max_batch = 8
        self.is_closed = False
        self.refuses_to_close = False

    def from_instances(self, instances: Any) -> Sequence[Tensor]:
        raise NotImplementedError

    def to_predictions(self, outputs: Sequence[Tensor]) -> Any:
        raise NotImplementedError

    def run(self, inputs: Sequence[Tensor], parameters: Mapping[str, Any]) -> Sequence[Tensor]:
        if (inputs[0].data < 0).any():
            raise Panic("below zero")
        return inputs

    def close(self) -> None:
        if self.refuses_to_close:
            raise RuntimeError("not now")
        self.is_closed = True


def test_a_model_that_panics_answers_everybody() -> None:
    async def main() -> list[Outcome]:
        lane, loop, futures = Lane(Model(), Statistics()), asyncio.get_running_loop(), []
        # The second time they are not in a thread any more.
        for _ in range(2):
            for value in (1.0, -1.0):
                future: asyncio.Future[Outcome] = loop.create_future()
                lane.submit([Tensor("x", np.array([value]), "FP64")], {}, future.set_result)
                futures.append(future)
            async with asyncio.timeout(60):
                await asyncio.wait(futures)
        lane.close()
        return [future.result() for future in futures]

    for at, outcome in enumerate(asyncio.run(main())):
        assert isinstance(outcome, Panic) == bool(at % 2)


def test_a_model_that_is_unloaded_while_it_is_loaded_is_not_there(tmp_path: Any) -> None:
    model, begun, goes_on = Model(), threading.Event(), threading.Event()

    def loader(source: Any) -> Model:
        begun.set()
        assert goes_on.wait(60)
        return model

    async def main() -> None:
        (tmp_path / "m").mkdir()
        repository = Repository(loader, str(tmp_path))
        loading = asyncio.create_task(repository.load("m"))
        await asyncio.to_thread(begun.wait, 60)
        await repository.unload("m")
        goes_on.set()
        with pytest.raises(RequestError, match="unloaded"):
            await loading
        assert (repository.names(), model.is_closed) == ([], True)
        assert (await repository.load("m")).model is model

    asyncio.run(main())


def test_a_process_whose_model_cannot_be_closed_answers_all_the_same() -> None:
    """Who unloads it everywhere waits for every process."""

    async def main() -> None:
        repository, model = Repository(None), Model()
        repository.add("m", model)
        model.refuses_to_close = True
        ours, theirs = socket.socketpair()
        control = Control(repository)
        await control.connect(theirs.detach())
        reader, writer = await asyncio.open_connection(sock=ours)
        writer.write(orjson.dumps({"do": "unload", "name": "m", "number": 7}) + b"\n")
        async with asyncio.timeout(60):
            answer = orjson.loads(await reader.readline())
        assert (answer["number"], answer["answer"]["status"]) == (7, 500)
        writer.close()
        await control._listening  # type: ignore[misc]
        control._writer.close()  # type: ignore[union-attr]

    asyncio.run(main())


def test_a_process_that_is_being_started_hears_what_is_loaded_meanwhile() -> None:
    """It has been told what there was when it began."""
    supervisor = workers._Supervisor(Arguments(), [], lambda: Repository(None))
    with contextlib.ExitStack() as opened:
        opened.callback(supervisor._selector.close)
        for descriptor in (supervisor._wake_read, supervisor._wake_write):
            opened.callback(os.close, descriptor)
        ends = {}
        for pid, is_ready in ((1, True), (2, False)):
            ours, ends[pid] = map(opened.enter_context, socket.socketpair())
            supervisor._workers[pid] = workers._Worker(pid, ours, is_ready=is_ready)
        supervisor._heard(supervisor._workers[1], {"do": "load", "name": "m", "number": 3})
        told = orjson.loads(ends[2].recv(1024))
        assert (told["do"], told["name"]) == ("load", "m")
        # Who asked does not wait for it, and its answer is nobody's.
        assert orjson.loads(ends[1].recv(1024)) == {"number": 3, "answer": []}
        supervisor._heard(supervisor._workers[2], {"answer": True, "number": told["number"]})
        supervisor._heard(supervisor._workers[1], {"do": "snapshot", "number": 4})
        ends[2].setblocking(False)
        with pytest.raises(BlockingIOError):
            ends[2].recv(1024)
