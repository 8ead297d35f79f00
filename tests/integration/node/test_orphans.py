"""What has left its container's session, and even its variables, still ends with it: daemons, workers of torchrun."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from sampan.kube.kinds import PODS

# A session of its own, no variables, and a parent that is gone: nothing of its container's that is easily seen.
_DAEMON = "env -i setsid sh -c 'sleep 1000 & echo $! > {folder}/{name}'"


def daemon(folder: Path, name: str) -> str:
    return _DAEMON.format(folder=folder, name=name)


async def pid_of(file: Path) -> int:
    async with asyncio.timeout(60):
        while not (file.exists() and file.read_text().strip()):
            await asyncio.sleep(0.02)
    return int(file.read_text())


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def dies(pid: int) -> None:
    async with asyncio.timeout(60):
        while is_alive(pid):
            await asyncio.sleep(0.02)


def launcher_of(home: Path, pod: Any, container: str = "main") -> int:
    started = home / "pods" / pod["metadata"]["uid"] / f"{container}.0" / "started.json"
    pid = json.loads(started.read_text())["pid"]
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.fixture(autouse=True)
def _views(machine: Any) -> None:
    """Without views of their own, such processes cannot be told from others': a known limit."""

    async def look() -> bool:
        async with machine.up() as node:
            return bool(node.agent.can_mount)

    if not asyncio.run(look()):
        pytest.skip("no mount namespaces here")


def test_of_two_containers_each_has_its_own(machine: Any, node_kit: Any, tmp_path: Path) -> None:
    side = {
        "name": "side",
        "image": "busybox",
        "command": [
            "sh",
            "-c",
            f"{daemon(tmp_path, 'side')}; while [ ! -e {tmp_path}/end ]; do sleep 0.05; done",
        ],
    }

    async def main() -> None:
        async with machine.up() as node:
            pod = node.pod("a", ["sh", "-c", f"{daemon(tmp_path, 'main')}; sleep 0.3"])
            pod["spec"]["containers"].append(side)
            await node.client.create(PODS, pod)
            first, other = await pid_of(tmp_path / "main"), await pid_of(tmp_path / "side")
            await node.until("a", lambda pod: node_kit.has_ended(pod, "main"))
            await dies(first)
            assert is_alive(other)
            (tmp_path / "end").touch()
            await node.until("a", node_kit.is_over)
            await dies(other)

    asyncio.run(main())


def test_the_launcher_is_killed_and_the_container_starts_again(
    machine: Any, node_kit: Any, tmp_path: Path
) -> None:
    # The second run says whether what the first one left is still there.
    script = (
        f"if [ -e {tmp_path}/left ]; then grep -q sleep /proc/$(cat {tmp_path}/left)/cmdline && exit 4; exit 0; fi; "
        f"{daemon(tmp_path, 'left')}; sleep 1000"
    )

    async def main() -> None:
        async with machine.up() as node:
            await node.create("a", ["sh", "-c", script], restartPolicy="OnFailure")
            pod = await node.until("a", node_kit.is_running)
            left = await pid_of(tmp_path / "left")
            assert is_alive(left)
            os.kill(launcher_of(machine.home, pod), signal.SIGKILL)
            pod = await node.until("a", node_kit.is_over)
            assert (pod["status"]["phase"], node_kit.terminated(pod)["exitCode"]) == ("Succeeded", 0)
            assert pod["status"]["containerStatuses"][0]["restartCount"] == 1
            assert not is_alive(left)

    asyncio.run(main())


def test_server_and_launcher_are_killed_together(machine: Any, node_kit: Any, tmp_path: Path) -> None:
    async def main() -> None:
        async with machine.up(crash=True) as node:
            await node.create("a", ["sh", "-c", f"{daemon(tmp_path, 'left')}; sleep 1000"])
            pod = await node.until("a", node_kit.is_running)
            left, launcher = await pid_of(tmp_path / "left"), launcher_of(machine.home, pod)
        os.kill(launcher, signal.SIGKILL)
        await asyncio.sleep(0.1)
        assert is_alive(left)
        async with machine.up() as node:
            assert not is_alive(left)
            pod = await node.until("a", node_kit.is_over)
            end = node_kit.terminated(pod)
            assert (end["exitCode"], end["reason"]) == (137, "ContainerStatusUnknown")

    asyncio.run(main())


def test_what_runs_on_below_a_launcher_is_left_alone(machine: Any, node_kit: Any, tmp_path: Path) -> None:
    async def main() -> None:
        async with machine.up(crash=True) as node:
            await node.create("a", ["sh", "-c", f"{daemon(tmp_path, 'own')}; sleep 1000"])
            await node.until("a", node_kit.is_running)
            own = await pid_of(tmp_path / "own")
        async with machine.up() as node:
            await node.until("a", node_kit.is_running)
            assert is_alive(own)

    asyncio.run(main())


def test_what_the_kernel_allows_is_known_while_no_launcher_runs(
    machine: Any, node_kit: Any, tmp_path: Path
) -> None:
    # A volume at a place of its own needs a view of its own, also for the run that the killed launcher leads to.
    script = f"echo run >> {tmp_path}/runs; [ $(wc -l < {tmp_path}/runs) -gt 1 ] || sleep 1000; ls /there"
    mounted = {"volumeMounts": [{"name": "v", "mountPath": "/there"}]}

    async def main() -> None:
        async with machine.up() as node:
            pod = node.pod("a", ["sh", "-c", script], container=mounted, restartPolicy="OnFailure")
            pod["spec"]["volumes"] = [{"name": "v", "emptyDir": {}}]
            await node.client.create(PODS, pod)
            pod = await node.until("a", node_kit.is_running)
            async with asyncio.timeout(60):
                while not (tmp_path / "runs").exists():
                    await asyncio.sleep(0.02)
            os.kill(launcher_of(machine.home, pod), signal.SIGKILL)
            pod = await node.until("a", node_kit.is_over)
            assert pod["status"]["phase"] == "Succeeded"
            assert "Failed" not in await node.reasons("a")

    asyncio.run(main())
