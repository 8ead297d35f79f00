"""What an image holds of its own: files of this machine that images.toml names are shown at the image's paths."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Any

IMAGES = """
[[image]]
match = "registry.example/team/train"
system = true
entrypoint = ["sh", "say.sh"]
workdir = "/srv-of-the-image/app"
env = { GREETING = "hello", OVERRIDDEN = "no" }
[image.files]
"/srv-of-the-image/app/say.sh" = "say.sh"
"/data-of-the-image" = "data"

[[image]]
match = "registry.example/team/lost"
system = true
files = { "/app/x" = "absent" }
"""


def test_files_variables_and_the_working_directory_of_an_image(machine: Any, tmp_path: Path) -> None:
    async def main() -> None:
        async with machine.up() as node:
            (node.home / "images.toml").write_text(IMAGES)
            (node.home / "say.sh").write_text(
                "echo $GREETING $OVERRIDDEN from $PWD; cat /data-of-the-image/f; touch own\n"
            )
            (node.home / "data").mkdir()
            (node.home / "data" / "f").write_text("of the data\n")
            image = {"image": "registry.example/team/train", "env": [{"name": "OVERRIDDEN", "value": "yes"}]}
            pod = node.pod("a", [], container=image)
            del pod["spec"]["containers"][0]["command"]
            await node.client.create(node.pods_kind, pod)
            ended = await node.until("a", lambda pod: pod["status"].get("phase") in ("Succeeded", "Failed"))
            assert (await node.log(ended)).splitlines() == [
                "hello yes from /srv-of-the-image/app",
                "of the data",
            ]
            assert ended["status"]["phase"] == "Succeeded"
            # They are the machine's own: a container may not change them.
            script = "echo x > /data-of-the-image/f || echo refused"
            changing = await node.run("b", ["sh", "-c", script], container=image)
            assert "refused" in await node.log(changing)
            assert (node.home / "data" / "f").read_text() == "of the data\n"

    asyncio.run(main())


def test_a_volume_comes_before_the_files_of_the_image(machine: Any) -> None:
    async def main() -> None:
        async with machine.up() as node:
            (node.home / "images.toml").write_text(IMAGES)
            (node.home / "say.sh").write_text("")
            (node.home / "data").mkdir()
            (node.home / "data" / "f").write_text("of the image")
            mount = {"name": "v", "mountPath": "/data-of-the-image"}
            container = {"image": "registry.example/team/train", "volumeMounts": [mount]}
            volumes = [{"name": "v", "emptyDir": {}}]
            pod = await node.run("a", ["ls", "/data-of-the-image"], container=container, volumes=volumes)
            assert await node.log(pod) == ""
            assert pod["status"]["phase"] == "Succeeded"

    asyncio.run(main())


def test_a_file_in_tmp_is_shown_though_the_pods_tmp_is_another(machine: Any) -> None:
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    (folder / "of-the-image").write_text("from /tmp")
    (folder / "beside").write_text("not shown")

    async def main() -> None:
        async with machine.up() as node:
            table = f'[image.files]\n"/x-of-the-image" = "{folder}/of-the-image"\n'
            (node.home / "images.toml").write_text(f'[[image]]\nmatch = "team/tmp"\nsystem = true\n{table}')
            command = ["sh", "-c", f"cat /x-of-the-image; ls {folder}/beside || true"]
            pod = await node.run("a", command, container={"image": "team/tmp"})
            assert "from /tmp" in await node.log(pod)
            assert "No such file" in await node.log(pod)

    try:
        asyncio.run(main())
    finally:
        shutil.rmtree(folder)


def test_a_file_that_is_not_there_is_named(machine: Any) -> None:
    async def main() -> None:
        async with machine.up() as node:
            (node.home / "images.toml").write_text(IMAGES)
            await node.create("a", ["true"], container={"image": "registry.example/team/lost"})
            pod = await node.until("a", waiting)
            assert f"{node.home}/absent at /app/x, but there is no such file" in waiting(pod)["message"]

    def waiting(pod: Any) -> Any:
        statuses = pod["status"].get("containerStatuses") or [{}]
        return (statuses[0].get("state") or {}).get("waiting", {}).get("message") and statuses[0]["state"][
            "waiting"
        ]

    asyncio.run(main())
