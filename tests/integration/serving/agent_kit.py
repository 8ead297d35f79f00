"""The agent as it serves, and whoever is told of requests. For tests of the agent."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from sampan.components.serving.engine.programs.agent import arguments
from sampan.components.serving.engine.programs.agent.main import Agent
from sampan.components.serving.engine.programs.agent.probing import probe_of
from sampan.components.serving.engine.programs.wire.server import Request, Response

sys.path.insert(0, str(Path(__file__).parent))
from wire_kit import Got


@contextlib.asynccontextmanager
async def agent(component: str, *args: str, probe: str = "") -> AsyncIterator[str]:
    port = component.rpartition(":")[2]
    options = arguments.read(["--component-port", port, *args])
    made = Agent(options, probe_of(probe, int(port)))
    made.start()
    own = await made.server.listen(0, "127.0.0.1")
    try:
        yield f"http://127.0.0.1:{own}"
    finally:
        await made.server.close(0.2)
        await made.close()


class Sink:
    """Gets events."""

    def __init__(self) -> None:
        self.events: list[Got] = []
        self.answers: list[int] = []

    async def __call__(self, request: Request) -> Response:
        body = await request.read(10**8)
        self.events.append(Got(0, request.headers, body))
        return Response(self.answers.pop(0) if self.answers else 202)

    def kinds(self) -> list[str]:
        return sorted(each.get("ce-type") for each in self.events)
