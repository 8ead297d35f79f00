"""What the node does in threads: never twice at once with the same files, and to its end before what comes after."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from sampan.client.protocol import Object
from sampan.cluster.node import images, volumes
from sampan.cluster.node.environments.image import parse_image
from sampan.cluster.node.images import Images
from sampan.cluster.node.runtimes.podman import Podman
from sampan.kube.kinds import CONFIG_MAPS

SHOWN = {"name": "v", "configMap": {"name": "data"}}


async def make_data(node: Any) -> None:
    data = {"metadata": {"name": "data", "namespace": "default"}, "data": {"key": "value"}}
    await node.client.create(CONFIG_MAPS, data)


def test_containers_that_start_together_do_not_make_their_volumes_at_once(
    machine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They wrote the same files; the second's pod waited a second, with the Event FailedMount."""
    prepare, within, most = volumes.prepare, threading.Semaphore(1), list[bool]()

    def slowly(*arguments: Any) -> Any:
        is_alone = within.acquire(timeout=0.5)
        most.append(is_alone)
        try:
            if len(most) == 1:
                # For as long as the other one takes that does not wait.
                overtaken.wait(0.7)
            else:
                overtaken.set()
            return prepare(*arguments)
        finally:
            if is_alone:
                within.release()

    overtaken = threading.Event()
    monkeypatch.setattr(volumes, "prepare", slowly)

    async def main() -> None:
        async with machine.up() as node:
            await make_data(node)
            containers = [{"name": name, "image": "busybox", "command": ["true"]} for name in ("one", "two")]
            pod = await node.run("p", ["true"], volumes=[SHOWN], containers=containers)
            assert pod["status"]["phase"] == "Succeeded"
            assert most == [True, True]
            assert "FailedMount" not in await node.reasons("p", "Started")

    asyncio.run(main())


def test_a_pod_is_gone_when_nothing_writes_its_files_any_more(
    machine: Any, node_kit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare, order = volumes.prepare, list[str]()
    began, gone = threading.Event(), threading.Event()

    def slowly(*arguments: Any) -> Any:
        began.set()
        gone.wait(1)
        order.append("written")
        return prepare(*arguments)

    monkeypatch.setattr(volumes, "prepare", slowly)

    async def main() -> None:
        async with machine.up() as node:
            await make_data(node)
            await node.create("p", ["true"], volumes=[SHOWN])
            await asyncio.to_thread(began.wait, 60)
            await node.client.delete(node.pods_kind, "p", "default", node_kit.grace(1))
            await node.gone("p")
            order.append("gone")
            gone.set()

    asyncio.run(main())
    assert order == ["written", "gone"]


def test_credentials_of_a_pull_that_is_given_up_do_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, began, cancelled = images._write_secret, threading.Event(), threading.Event()

    def slowly(path: Path, text: str) -> None:
        began.set()
        assert cancelled.wait(60)
        write(path, text)

    class Secrets:
        async def get(self, *_: Any) -> Object:
            auths = {"registry.example": {"auth": "c2VjcmV0"}}
            text = json.dumps({"auths": auths})
            return {"data": {".dockerconfigjson": base64.b64encode(text.encode()).decode()}}

    monkeypatch.setattr(images, "_write_secret", slowly)
    client: Any = Secrets()
    folder = tmp_path / "podman"
    pod = {"metadata": {"namespace": "ns"}, "spec": {"imagePullSecrets": [{"name": "s"}]}}

    async def main() -> None:
        reference = parse_image("registry.example/image")
        pulling = asyncio.create_task(
            Images(Podman(folder), client, folder)._pull(pod, "registry.example/image", reference)
        )
        await asyncio.to_thread(began.wait, 60)
        pulling.cancel()
        asyncio.get_running_loop().call_later(0.05, cancelled.set)
        with pytest.raises(asyncio.CancelledError):
            await pulling

    # The end of the loop waits for its threads.
    asyncio.run(main())
    assert list(folder.iterdir()) == []
