"""Every runtime against the one class of what a runtime must do. Podman's where podman is, with a small image."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sampan.cluster.node.runtimes.container import PodmanRuntime
from sampan.cluster.node.runtimes.mixed import Runtimes
from sampan.cluster.node.runtimes.podman import Podman
from sampan.cluster.node.runtimes.process import ProcessRuntime
from sampan.cluster.node.runtimes.protocol import ContainerRuntime, ContainerSpec, ImageRun
from sampan.cluster.node.settings import NodeSettings
from sampan.lib.clock import SystemClock
from sampan.testing.runtime_conformance import RuntimeConformance


def _spec(folder: Path, name: str, argv: tuple[str, ...], more: dict[str, Any]) -> ContainerSpec:
    env = {**more.pop("env", {})}
    return ContainerSpec(
        id=f"pod/{name}/0",
        folder=folder / f"{name}.0",
        log=folder / "logs" / f"{name}.log",
        argv=argv,
        env=env,
        cwd=str(folder),
        scratch=folder / "scratch",
        **more,
    )


class TestProcesses(RuntimeConformance):
    @asynccontextmanager
    async def open(self, folder: Path) -> AsyncIterator[ContainerRuntime]:
        runtime = ProcessRuntime(folder / "run", SystemClock(), NodeSettings())
        await runtime.open()
        try:
            yield runtime
        finally:
            await runtime.close()

    def spec(self, folder: Path, name: str, *argv: str, **more: Any) -> ContainerSpec:
        more["env"] = {"PATH": os.environ["PATH"], **more.get("env", {})}
        return _spec(folder, name, argv, more)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("podman") is None, reason="podman is not installed")
class TestPodman(RuntimeConformance):
    @pytest.fixture(autouse=True)
    def _with_an_image(self, podman_image: str) -> None:
        self.image = podman_image

    @asynccontextmanager
    async def open(self, folder: Path) -> AsyncIterator[ContainerRuntime]:
        processes = ProcessRuntime(folder / "run", SystemClock(), NodeSettings())
        podman = Podman(folder / "run/podman")
        runtime = Runtimes(processes, PodmanRuntime(processes, folder / "run/podman", podman))
        await runtime.open()
        try:
            yield runtime
        finally:
            await runtime.close()

    def spec(self, folder: Path, name: str, *argv: str, **more: Any) -> ContainerSpec:
        return _spec(folder, name, argv, {**more, "image": ImageRun(self.image)})
