"""Volumes at their mount points, and what a pod sees of the machine. Needs a machine that allows mount namespaces."""

from __future__ import annotations

import asyncio
import base64
import os
from pathlib import Path
from typing import Any

import pytest

from sampan.kube.kinds import CONFIG_MAPS, PERSISTENT_VOLUME_CLAIMS, PODS, SECRETS

METADATA = {"name": "data", "namespace": "default"}


@pytest.fixture
def mounting(machine: Any) -> Any:
    async def can_mount() -> bool:
        async with machine.up() as node:
            return bool(node.agent.can_mount)

    if not asyncio.run(can_mount()):
        pytest.skip("this machine allows no mount namespace")
    return machine


def volume_mount(path: str, **fields: Any) -> dict[str, Any]:
    return {"volumeMounts": [{"name": "v", "mountPath": path, **fields}]}


@pytest.mark.parametrize("levels", [0, 1])
def test_a_volume_above_what_containers_need(mounting: Any, tmp_path: Path, levels: int) -> None:
    """At /tmp, where this home is, and at a folder nearer to it."""
    path = "/".join(tmp_path.parts[: levels + 2])[1:]

    async def main() -> None:
        async with mounting.up() as node:
            pod = await node.run(
                "above",
                ["sh", "-c", f"echo kept > {path}/file && cat {path}/file && test -s /etc/hosts"],
                volumes=[{"name": "v", "emptyDir": {}}],
                container=volume_mount(path),
            )
            assert (pod["status"]["phase"], await node.log(pod)) == ("Succeeded", "kept\n")

    asyncio.run(main())


def test_the_machines_own_tmp_as_a_volume(mounting: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A pod has a /tmp of its own; the machine's is what the volume shows, and nothing of it is seen but there."""
    folder = tmp_path_factory.mktemp("machine")
    (folder / "file").write_text("machine")
    shown = f"/shown{folder.as_posix().removeprefix('/tmp')}/file"

    async def main() -> None:
        async with mounting.up() as node:
            pod = await node.run(
                "tmp",
                ["sh", "-c", f"cat {shown}; test ! -e {folder}/file && touch /shown/x || echo ' no'"],
                volumes=[{"name": "v", "hostPath": {"path": "/tmp", "type": "Directory"}}],
                container=volume_mount("/shown", readOnly=True),
            )
            said = await node.log(pod)
            assert "machine" in said
            assert "Read-only file system" in said

    if not folder.is_relative_to("/tmp"):
        pytest.skip("the files of this test are not in /tmp")
    asyncio.run(main())


def test_data_volumes(mounting: Any) -> None:
    async def main() -> None:
        async with mounting.up() as node:
            await node.client.create(CONFIG_MAPS, {"metadata": METADATA, "data": {"a.txt": "A", "b": "B"}})
            secret = {"metadata": METADATA, "data": {"key": base64.b64encode(b"S").decode()}}
            await node.client.create(SECRETS, secret)
            volume = {"name": "v", "configMap": {"name": "data"}}
            pod = await node.run(
                "map",
                ["sh", "-c", "cat /made/up/path/*"],
                volumes=[volume],
                container=volume_mount("/made/up/path"),
            )
            assert await node.log(pod) == "AB"
            volume = {
                "name": "v",
                "configMap": {"name": "data", "items": [{"key": "b", "path": "sub/c", "mode": 384}]},
            }
            pod = await node.run(
                "items",
                ["sh", "-c", "cat /etc/made-up/sub/c; stat -Lc %a /etc/made-up/sub/c; test -e /etc/passwd"],
                volumes=[volume],
                container=volume_mount("/etc/made-up", readOnly=True),
            )
            assert await node.log(pod) == "B600\n"
            assert pod["status"]["phase"] == "Succeeded"
            sources = [
                {"secret": {"name": "data"}},
                {"downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}},
                {"serviceAccountToken": {"path": "token"}},
            ]
            pod = await node.run(
                "projected",
                ["sh", "-c", "cat /p/key /p/name; test -s /p/token"],
                volumes=[{"name": "v", "projected": {"sources": sources}}],
                container=volume_mount("/p"),
            )
            assert await node.log(pod) == "Sprojected"
            assert pod["status"]["phase"] == "Succeeded"
        assert not os.path.exists("/made")
        assert not os.path.exists("/etc/made-up")

    asyncio.run(main())


def test_an_empty_dir_is_shared_by_the_containers_of_a_pod(mounting: Any) -> None:
    async def main() -> None:
        async with mounting.up() as node:
            writer = {
                "name": "writer",
                "image": "busybox",
                "command": ["sh", "-c", "echo hello > /shared/file; echo mine > /tmp/file"],
                **volume_mount("/shared"),
            }
            pod = await node.run(
                "a",
                ["sh", "-c", "cat /elsewhere/file /tmp/file"],
                initContainers=[writer],
                volumes=[{"name": "v", "emptyDir": {}}],
                container=volume_mount("/elsewhere"),
            )
            assert await node.log(pod) == "hello\nmine\n"
            other = await node.run("b", ["sh", "-c", "ls -A /tmp | grep -vx file; test ! -e /tmp/file"])
            assert other["status"]["phase"] == "Succeeded"

    asyncio.run(main())


def test_a_claim_and_a_sub_path(mounting: Any, tmp_path: Path) -> None:
    async def main() -> None:
        async with mounting.up() as node:
            folder = tmp_path / "volume"
            volume = {
                "metadata": {"name": "pv"},
                "spec": {
                    "capacity": {"storage": "1Gi"},
                    "accessModes": ["ReadWriteOnce"],
                    "hostPath": {"path": str(folder)},
                },
            }
            await node.client.create(node.volumes_kind, volume)
            claim = {
                "metadata": METADATA,
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": "1Gi"}},
                    "volumeName": "pv",
                },
            }
            await node.client.create(PERSISTENT_VOLUME_CLAIMS, claim)
            pod = await node.run(
                "a",
                ["sh", "-c", "echo kept > /data/file"],
                volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}],
                container=volume_mount("/data", subPath="inner"),
            )
            assert pod["status"]["phase"] == "Succeeded"
            assert (folder / "inner" / "file").read_text() == "kept\n"

    asyncio.run(main())


def test_a_missing_config_map_is_waited_for(mounting: Any) -> None:
    async def main() -> None:
        async with mounting.up() as node:
            volume = {"name": "v", "configMap": {"name": "data"}}
            await node.create("a", ["cat", "/cfg/a"], volumes=[volume], container=volume_mount("/cfg"))
            await node.until("a", lambda pod: 'configmap "data" not found' in str(pod["status"]))
            await node.reasons("a", "FailedMount")
            await node.client.create(CONFIG_MAPS, {"metadata": METADATA, "data": {"a": "at last"}})
            pod = await node.until("a", lambda pod: pod["status"].get("phase") == "Succeeded")
            assert await node.log(pod) == "at last"

    asyncio.run(main())


def test_a_working_directory_that_the_machine_lacks(mounting: Any) -> None:
    async def main() -> None:
        async with mounting.up() as node:
            pod = await node.run(
                "a", ["sh", "-c", "pwd; touch here"], container={"workingDir": "/made-up/app"}
            )
            assert await node.log(pod) == "/made-up/app\n"
            assert pod["status"]["phase"] == "Succeeded"
        assert not os.path.exists("/made-up")

    asyncio.run(main())


def test_pip_install_leaves_the_environment_as_it_is(mounting: Any) -> None:
    async def main() -> None:
        async with mounting.up() as node:
            site = "__import__('sysconfig').get_paths()['purelib']"
            write = f"open({site} + '/mine.py', 'w').write('x = 1')"
            command = ["sh", "-c", f'python3 -c "{write}"; python3 -c "import mine; print(mine.x)"']
            pod = await node.run("a", command, container={"image": "python:3.11"})
            assert await node.log(pod) == "1\n"
            pod = await node.run("b", ["python3", "-c", "import mine"], container={"image": "python:3.11"})
            assert pod["status"]["phase"] == "Failed"

    asyncio.run(main())


def test_folders_that_a_pod_wants_to_itself(mounting: Any, node_kit: Any) -> None:
    """Where the machine has them, where it has not, and the root; a volume within one is seen."""
    mark = f"sampan-{os.getpid()}"
    script = (
        f"echo a > /mnt/{mark} && echo b > /{mark} && ls -A /mnt && "
        f"ls /{mark} && mkdir /not-here/out && ls /not-here/given"
    )

    async def main() -> None:
        async with mounting.up() as node:
            pod = node.pod(
                "own",
                ["sh", "-c", script],
                volumes=[{"name": "v", "emptyDir": {}}],
                container=volume_mount("/not-here/given"),
            )
            folders = "/mnt,/,/not-here,relative,/a/../b"
            pod["metadata"]["annotations"] = {"sampan.dev/private-folders": folders}
            await node.client.create(PODS, pod)
            pod = await node.until("own", node_kit.is_over)
            assert (pod["status"]["phase"], await node.log(pod)) == ("Succeeded", f"{mark}\n/{mark}\n")
            assert not Path(f"/mnt/{mark}").exists()
            assert not Path(f"/{mark}").exists()
            assert not Path("/not-here").exists()

    asyncio.run(main())
