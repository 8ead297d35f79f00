"""What containers print, read through the API where their logs lie on other machines. As a source of a trial's
values."""

from __future__ import annotations

import asyncio

from sampan.client.protocol import Client, LogOptions
from sampan.components.tuning.api.observing import MetricLog
from sampan.components.tuning.controller.collecting.sources import LineSource, RunKey
from sampan.components.tuning.engine.collecting.wanted import Wanted
from sampan.kube.errors import ApiError

_SECONDS = 30.0
_MOST_BYTES = 32 * 1024 * 1024
"""Of one look."""


class ApiLogSource(LineSource):
    """The last run of a container. What was read is asked for again by the second, and told by its time."""

    def __init__(self, client: Client, wanted: Wanted, run: RunKey) -> None:
        """Raises ValueError."""
        super().__init__(wanted, f"{run.origin}@", run.place)
        self._client, self._run = client, run
        self._last = ""
        self._new: list[MetricLog] = []

    async def look(self) -> None:
        """Asks once; what cannot be had now may be had at the next look."""
        options = LogOptions(container=self._run.container, timestamps=True, since_time=_second(self._last))
        data = bytearray()
        try:
            async with asyncio.timeout(_SECONDS):
                async for piece in self._client.log(self._run.pod, self._wanted.namespace, options):
                    data += piece
                    if len(data) > _MOST_BYTES:
                        break
        except (ApiError, TimeoutError) as error:
            self.problem = f"the log of {self.place} cannot be read: {error or 'no answer'}"
            return
        self.problem = ""
        for line in bytes(data).decode("utf-8", "replace").split("\n")[:-1]:
            time, _, text = line.partition(" ")
            if time > self._last:
                self._last = time
                self._new.extend(self.taken(self.lines.take(text, time), f"{self.key}{time}"))

    def read(self, *, is_over: bool) -> list[MetricLog]:
        del is_over
        found, self._new = self._new, []
        return found

    def close(self) -> None:
        return


def _second(time: str) -> str:
    """Kubernetes' times have whole seconds."""
    return f"{time.partition('.')[0].rstrip('Z')}Z" if time else ""
