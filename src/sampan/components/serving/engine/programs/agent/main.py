"""The agent as a program: what a request passes on its way to the model server, and how it all ends.

Source: kserve 0.20 cmd/agent/main.go (buildServer): the logger comes before the batcher, so that what is logged is what
each caller has sent and got.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from sampan.components.serving.engine.programs.agent import arguments, probing
from sampan.components.serving.engine.programs.agent.arguments import LoggerOptions, Options
from sampan.components.serving.engine.programs.agent.batching import Batcher
from sampan.components.serving.engine.programs.agent.delivery import CloudEvents, Queue
from sampan.components.serving.engine.programs.agent.logging import Logger
from sampan.components.serving.engine.programs.agent.proxy import Next, Proxy
from sampan.components.serving.engine.programs.agent.storing import Store, is_store
from sampan.components.serving.engine.programs.puller.puller import Puller
from sampan.components.serving.engine.programs.wire.running import Server, run, serve
from sampan.components.serving.engine.programs.wire.server import Request, Response, Take, Tunnel


class Agent:
    """Answers requests. For one event loop."""

    def __init__(self, options: Options, probe: probing.Probe) -> None:
        """Raises ValueError for options that cannot be followed."""
        self._probe = probe
        self._proxy = Proxy(options.component_port)
        self._batcher: Batcher | None = None
        self._queue: Queue | None = None
        self._sink: CloudEvents | Store | None = None
        self._puller: Puller | None = None
        if (pulled := options.puller) is not None:
            folders = Path(pulled.config_folder), Path(pulled.model_folder)
            self._puller = Puller(*folders, options.component_port, os.environ)
        self._first: Next = self._proxy
        take: Take = self._proxy.http2
        if options.batcher is not None:
            self._first = self._batcher = Batcher(options.batcher, self._proxy, self._first)
        if options.logger is not None:
            logger = self._logging(options.logger, self._first)
            self._first = logger
            take = partial(logger.http2, self._proxy)
        self.server = Server(self.handle, http2=take)

    def _logging(self, options: LoggerOptions, following: Next) -> Logger:
        self._sink = Store(options) if is_store(options.url) else CloudEvents(options)
        self._queue = Queue(self._sink.deliver, options.workers)
        return Logger(options, self._queue.put, following)

    def start(self) -> None:
        if self._queue is not None:
            self._queue.start()
        if self._puller is not None:
            self._puller.start()

    async def handle(self, request: Request) -> Response | Tunnel:
        if probing.is_probe(request):
            return await probing.answered(request, self._probe, is_draining=self.server.is_draining)
        return await self._first(request, request.parts() if request.has_body else b"")

    async def close(self) -> None:
        """After the server has ended."""
        if self._puller is not None:
            await self._puller.close()
        if self._batcher is not None:
            await self._batcher.close()
        if self._queue is not None:
            await self._queue.close()
        if self._sink is not None:
            await self._sink.close()
        await self._proxy.close()


def main(argv: Sequence[str]) -> int:
    options = arguments.read(argv)
    logging.basicConfig(format="%(asctime)s %(name)s %(levelname)s %(message)s", level=logging.INFO)

    async def begin() -> int:
        try:
            probe = probing.probe_of(os.environ.get(probing.VARIABLE, ""), options.component_port)
            agent = Agent(options, probe)
        except ValueError as error:
            print(f"the agent cannot do what it is told to: {error}", file=sys.stderr, flush=True)
            return 1
        agent.start()
        return await serve(agent.server, options.port, before_end=agent.close)

    return run(begin)
