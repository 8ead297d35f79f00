"""Pods that ask for containers on a machine that has no podman, or one that does not work."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (None, "podman is not installed here: install it"),
        (
            "echo 'Error: no subuid ranges found' >&2; exit 125",
            "cannot run containers here: no subuid ranges",
        ),
    ],
)
def test_the_pod_says_why_it_waits(
    machine: Any,
    node_kit: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    script: str | None,
    words: str,
) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "sh").symlink_to("/bin/sh")
    if script is not None:
        (folder / "podman").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "podman").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))

    async def main() -> None:
        async with machine.up() as node:
            await node.create("p", ["true"], runtimeClassName="podman")
            pod = await node.until("p", lambda each: node_kit.waiting_reason(each) == "ErrImagePull")
            assert words in pod["status"]["containerStatuses"][0]["state"]["waiting"]["message"]
            # Others do not mind.
            pod = await node.run("q", ["sh", "-c", "exit 0"])
            assert node_kit.terminated(pod)["exitCode"] == 0

    asyncio.run(main())
