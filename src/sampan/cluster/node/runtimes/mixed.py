"""Both runtimes as one: containers with an image by podman, the others as processes. Made by the agent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from signal import SIGTERM

from sampan.client.streams import Execution
from sampan.cluster.node.runtimes.container import PodmanRuntime
from sampan.cluster.node.runtimes.process import ProcessRuntime
from sampan.cluster.node.runtimes.protocol import AttachSpec, ContainerRuntime, ContainerSpec, ExecSpec, Exit


class Runtimes:
    """Implements ContainerRuntime. Whose a container is, is settled at its start."""

    def __init__(self, processes: ProcessRuntime, containers: PodmanRuntime) -> None:
        self._processes = processes
        self._containers = containers

    @property
    def can_mount(self) -> bool:
        return self._processes.can_mount

    @property
    def can_overlay(self) -> bool:
        return self._processes.can_overlay

    @property
    def can_network(self) -> bool:
        return self._processes.can_network

    async def open(self) -> None:
        await self._processes.open()
        await self._containers.open()

    async def close(self) -> None:
        await self._containers.close()
        await self._processes.close()

    async def kill_strays(self, pods: Iterable[str]) -> None:
        """Ends what earlier launchers, killed with all they knew, left of these pods."""
        await self._processes.kill_strays(pods)

    def running(self) -> Sequence[str]:
        return self._processes.running()

    async def start(self, spec: ContainerSpec) -> str:
        runtime: ContainerRuntime = self._processes if spec.image is None else self._containers
        return await runtime.start(spec)

    async def wait(self, container: str) -> Exit:
        return await self._of(container).wait(container)

    async def stop(self, container: str, grace_seconds: float, number: int = SIGTERM) -> None:
        await self._of(container).stop(container, grace_seconds, number)

    async def exec(self, container: str, spec: ExecSpec) -> Execution:
        return await self._of(container).exec(container, spec)

    async def attach(self, container: str, spec: AttachSpec) -> Execution:
        return await self._of(container).attach(container, spec)

    def _of(self, container: str) -> ContainerRuntime:
        return self._containers if self._containers.owns(container) else self._processes
