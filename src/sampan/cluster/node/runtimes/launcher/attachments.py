"""Who listens to a running container's output besides its log, and commands that were started in it.

The launcher's loop (`server`) owns both: an attachment gets what the container writes from now on, an execution is a
process in the container's view that lives as long as the container and the connection that asked for it.
"""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Any

STALLED_SECONDS = 60.0
"""How long one who listens may keep the container from writing by not reading; then it is cut off."""


class Attachment:
    """`outputs` maps the names of streams to pipes that do not block. `held_since` is 0 while nothing is left over."""

    def __init__(self, client: Any, outputs: dict[str, int]) -> None:
        self.client = client
        self.outputs = outputs
        self.held_since = 0.0
        self._left: dict[str, bytes] = {}

    def feed(self, stream: str, data: bytes, now: float) -> None:
        """To be called only while it is not held: so no more than one read is ever left over."""
        if stream in self.outputs:
            self._left[stream] = data
            self.flush(now)

    def flush(self, now: float) -> None:
        for stream, data in list(self._left.items()):
            try:
                data = data[os.write(self.outputs[stream], data) :]
            except BlockingIOError:
                pass
            except OSError:
                # It has gone.
                data = b""
                os.close(self.outputs.pop(stream))
            if data:
                self._left[stream] = data
            else:
                del self._left[stream]
        self.held_since = (self.held_since or now) if self._left else 0.0

    def blocked(self) -> list[int]:
        """The pipes that took no more."""
        return [self.outputs[stream] for stream in self._left]

    def close(self) -> None:
        self._left.clear()
        self.held_since = 0.0
        while self.outputs:
            os.close(self.outputs.popitem()[1])


class Execution:
    """A command in the container whose first process is `container`."""

    def __init__(self, client: Any, pid: int, container: int) -> None:
        self.client = client
        self.pid = pid
        self.container = container

    def kill(self, number: int = signal.SIGKILL) -> None:
        # It may be over, or have no group yet.
        with contextlib.suppress(OSError):
            os.killpg(self.pid, number)


def exit_code(status: int) -> int:
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
