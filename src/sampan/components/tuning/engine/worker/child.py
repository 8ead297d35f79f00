"""An experiment's process: answers one question after the other, until its socket closes."""

from __future__ import annotations

import importlib
import socket
import warnings
from typing import Any

from sampan.components.tuning.api.suggesting import InvalidSettingsError, TrialRecord
from sampan.components.tuning.engine.algorithms.contract import Memory
from sampan.components.tuning.engine.worker import messages
from sampan.components.tuning.engine.worker.messages import LENGTH, Reply, Request


def serve(connection: socket.socket) -> None:
    # What libraries have to say about their own future is not for users, and not for the server's log.
    warnings.simplefilter("ignore")
    experiment = Experiment()
    while True:
        head = _exactly(connection, LENGTH.size)
        body = head and _exactly(connection, LENGTH.unpack(head)[0])
        if not body:
            return
        connection.sendall(_framed(experiment.reply(messages.decode_request(body))))


class Experiment:
    """What is known of it: its trials in their order, and what algorithms keep."""

    def __init__(self) -> None:
        self._trials: dict[str, TrialRecord] = {}
        self._memory = Memory()
        self._made: dict[str, Any] = {}

    def reply(self, request: Request) -> Reply:
        """Never raises."""
        if request.afresh:
            self._trials = {}
        self._trials.update({each.name: each for each in request.trials})
        try:
            return self._answered(request, self._one(request.made_by))
        except InvalidSettingsError as error:
            return Reply(refused=str(error))
        except MemoryError:
            raise
        except Exception as error:
            return Reply(failed=f"{type(error).__name__}: {error}")

    def _answered(self, request: Request, one: Any) -> Reply:
        trials = list(self._trials.values())
        if request.what == messages.SUGGEST:
            return Reply(one.suggest(self._memory, request.problem, trials, request.count, request.asked))
        return Reply(figures=one.figures(request.problem, trials))

    def _one(self, made_by: str) -> Any:
        if made_by not in self._made:
            module, _, name = made_by.partition(":")
            self._made[made_by] = getattr(importlib.import_module(module), name)()
        return self._made[made_by]


def _framed(reply: Reply) -> bytes:
    try:
        return messages.framed(reply)
    except TypeError as error:
        return messages.framed(Reply(failed=f"its answer is of no plain types: {error}"))


def _exactly(connection: socket.socket, size: int) -> bytes:
    """Empty at the end of the stream."""
    parts = []
    while size:
        part = connection.recv(min(size, 1 << 20))
        if not part:
            return b""
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
