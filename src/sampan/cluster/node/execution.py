"""Commands that the node itself runs in containers: exec probes and exec hooks, by way of the runtime.

Made by `agent`; called by `handlers`.
"""

from __future__ import annotations

from collections.abc import Sequence

from sampan.cluster.node.handlers import HandlerError
from sampan.cluster.node.runtimes.protocol import ContainerRuntime

MAX_OUTPUT_BYTES = 10 * 1024


class RuntimeExecutor:
    """Implements `handlers.Executor`."""

    def __init__(self, runtime: ContainerRuntime) -> None:
        self._runtime = runtime

    async def __call__(self, container: str, argv: Sequence[str], seconds: float) -> tuple[int, bytes]:
        raise HandlerError("the container runtime cannot run commands in containers")
