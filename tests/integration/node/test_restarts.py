"""The server goes away, in good order or by a kill, and comes back: nothing that ran is lost or run twice."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from sampan.client.protocol import DeleteOptions
from sampan.kube.kinds import PODS


def test_a_running_pod_is_adopted(machine: Any, node_kit: Any, tmp_path: Path) -> None:
    script = f"echo start >> {tmp_path}/starts; for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.1; done; exit 7"

    async def main() -> None:
        async with machine.up(crash=True) as node:
            await node.create("a", ["sh", "-c", script])
            await node.until("a", node_kit.is_running)
        async with machine.up() as node:
            pod = await node.until("a", node_kit.is_over)
            assert node_kit.terminated(pod)["exitCode"] == 7
            assert (await node.log(pod)).split() == [str(i) for i in range(1, 9)]
            assert (tmp_path / "starts").read_text() == "start\n"

    asyncio.run(main())


def test_an_end_that_nobody_saw(machine: Any, node_kit: Any, tmp_path: Path) -> None:
    async def main() -> None:
        async with machine.up(crash=True) as node:
            await node.create("a", ["sh", "-c", f"echo run >> {tmp_path}/runs; sleep 0.3; echo done; exit 5"])
            await node.until("a", node_kit.is_running)
        await asyncio.sleep(0.8)
        async with machine.up() as node:
            pod = await node.until("a", node_kit.is_over)
            assert node_kit.terminated(pod)["exitCode"] == 5
            assert await node.log(pod) == "done\n"
            assert (tmp_path / "runs").read_text() == "run\n"

    asyncio.run(main())


def test_a_pod_that_was_deleted_meanwhile_is_ended(machine: Any, node_kit: Any, tmp_path: Path) -> None:
    async def main() -> None:
        async with machine.up(crash=True) as node:
            await node.create("a", ["sh", "-c", f"echo $$$$ > {tmp_path}/pid; exec sleep 1000"])
            await node.until("a", node_kit.is_running)
            while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().strip():
                await asyncio.sleep(0.01)
            uid = (await node.client.get(PODS, "a", "default"))["metadata"]["uid"]
            # The agent is gone before the deletion, which takes effect at once.
            await node.agent.stop(keep_pods=True)
            await node.client.delete(PODS, "a", "default", DeleteOptions(grace_period_seconds=0))
        async with machine.up() as node:
            pid = int((tmp_path / "pid").read_text())
            assert not _is_running(pid)
            async with asyncio.timeout(60):
                while (machine.home / "pods" / uid).exists():
                    await asyncio.sleep(0.02)

    asyncio.run(main())


def test_a_graceful_stop_fails_pods_so_that_they_can_run_again(machine: Any, node_kit: Any) -> None:
    async def main() -> None:
        async with machine.up(shutdown_grace_seconds=2) as node:
            await node.create("a", ["sleep", "1000"])
            await node.until("a", node_kit.is_running)
        async with machine.up() as node:
            pod = await node.client.get(PODS, "a", "default")
            assert (pod["status"]["phase"], pod["status"]["reason"]) == ("Failed", "Terminated")
            assert "node shutdown" in pod["status"]["message"]
            assert node_kit.terminated(pod)["exitCode"] == 143

    asyncio.run(main())


def test_a_launcher_that_dies(machine: Any, node_kit: Any, tmp_path: Path) -> None:
    async def main() -> None:
        async with machine.up() as node:
            await node.create("a", ["sh", "-c", f"sleep 1000 & echo $! > {tmp_path}/pid; sleep 1000"])
            pod = await node.until("a", node_kit.is_running)
            started = machine.home / "pods" / pod["metadata"]["uid"] / "main.0" / "started.json"
            while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().strip():
                await asyncio.sleep(0.02)
            os.kill(_parent(json.loads(started.read_text())["pid"]), signal.SIGKILL)
            pod = await node.until("a", node_kit.is_over)
            end = node_kit.terminated(pod)
            assert (end["exitCode"], end["reason"]) == (137, "ContainerStatusUnknown")
            async with asyncio.timeout(60):
                while _is_running(int((tmp_path / "pid").read_text())):
                    await asyncio.sleep(0.02)
            again = await node.run("b", ["echo", "works"])
            assert await node.log(again) == "works\n"

    asyncio.run(main())


def test_launchers_end_when_nobody_needs_them(machine: Any) -> None:
    async def main() -> None:
        async with machine.up() as node:
            await node.run("a", ["true"])
            launchers = _launchers(machine.home)
            assert launchers
        deadline = time.monotonic() + 60
        while _launchers(machine.home) and time.monotonic() < deadline:
            await asyncio.sleep(0.1)
        assert not _launchers(machine.home)

    asyncio.run(main())


def test_a_home_with_a_long_name(machine: Any, tmp_path: Path) -> None:
    """Longer than a Unix socket's path may be."""
    home = tmp_path / ("long-" * 20) / ("name-" * 20)
    home.mkdir(parents=True)

    async def main() -> None:
        async with type(machine)(home).up() as node:
            pod = await node.run("a", ["echo", "hello"])
            assert await node.log(pod) == "hello\n"

    asyncio.run(main())


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _launchers(home: Path) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if str(home / "run").encode() in command and b"launcher" in command:
                found.append(entry.name)
    return found
