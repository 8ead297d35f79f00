"""The server's side of one experiment's process: one question at a time, and only what is new since the last.

Knows nothing of how the process came to be (`pool`).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from itertools import compress, count
from operator import is_not

from sampan.components.tuning.api.suggesting import TrialRecord
from sampan.components.tuning.engine.worker import messages
from sampan.components.tuning.engine.worker.messages import LENGTH, Reply, Request

_FINAL = frozenset({"Succeeded", "EarlyStopped", "Failed", "Killed", "MetricsUnavailable"})


class Session:
    """A connection, and what the other side knows. For one event loop."""

    def __init__(self, key: int, connection: socket.socket) -> None:
        self.key = key
        self.lock = asyncio.Lock()
        """Held while a question is open."""
        self.waiting = 0
        """Questions that want the lock or hold it."""
        self.last_used = 0.0
        self._connection = connection
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._sent: list[TrialRecord] = []

    async def ask(self, request: Request, trials: Sequence[TrialRecord]) -> Reply:
        """Fills in `request.trials` and `afresh`.

        Raises EOFError, OSError when the process is gone; the session is of no use then, nor after a cancellation.
        """
        if self._streams is None:
            self._streams = await asyncio.open_unix_connection(sock=self._connection, limit=1 << 20)
        request.trials, request.afresh = news(self._sent, trials)
        reader, writer = self._streams
        writer.write(messages.framed(request))
        await writer.drain()
        (size,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
        reply = messages.decode_reply(await reader.readexactly(size))
        self._sent = list(trials)
        return reply

    def close(self) -> None:
        """The process ends when it notices."""
        if self._streams is not None:
            self._streams[1].close()
        else:
            self._connection.close()


def news(known: Sequence[TrialRecord], trials: Sequence[TrialRecord]) -> tuple[tuple[TrialRecord, ...], bool]:
    """What somebody who knows `known` must be told, and whether that is everything: where the order is another or one
    is gone, that is quicker than to say how."""
    if len(trials) < len(known):
        return tuple(trials), True
    # Most are the very same, and thousands of those are passed over in no time.
    others = [(known[place], trials[place]) for place in compress(count(), map(is_not, known, trials))]
    if any(old.name != new.name for old, new in others):
        return tuple(trials), True
    changed = [new for old, new in others if not _same(old, new)]
    return (*changed, *trials[len(known) :]), False


def _same(old: TrialRecord, new: TrialRecord) -> bool:
    if old.condition in _FINAL and old.condition == new.condition:
        # What has ended changes no more, and is most of a long experiment.
        return old.completion_time == new.completion_time and len(old.metrics) == len(new.metrics)
    return old == new
