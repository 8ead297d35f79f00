"""Commands that the node itself runs in containers: exec probes and exec hooks, by way of the runtime.

Made by `agent`; called by `handlers`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sampan.cluster.node.handlers import HandlerError
from sampan.cluster.node.runtimes.protocol import (
    ContainerRuntime,
    ExecFailedError,
    ExecSpec,
    RuntimeFailureError,
    output_of,
)

MAX_OUTPUT_BYTES = 10 * 1024


class RuntimeExecutor:
    """Implements `handlers.Executor`."""

    def __init__(self, runtime: ContainerRuntime) -> None:
        self._runtime = runtime

    async def __call__(self, container: str, argv: Sequence[str], seconds: float) -> tuple[int, bytes]:
        try:
            execution = await self._runtime.exec(container, ExecSpec(tuple(argv)))
        except ExecFailedError as error:
            # A command that is missing is an answer of the container, not a fault of the node.
            return error.exit_code, error.message.encode()
        except RuntimeFailureError as error:
            raise HandlerError(error.message) from error
        async with asyncio.timeout(seconds):
            return await output_of(execution, MAX_OUTPUT_BYTES)
