"""What images of Argo's examples start by themselves: needed where a shell is put around the program.

Argo has the same table in its controller's configuration (`images`), for images whose registry it cannot ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_ENTRYPOINTS: Mapping[str, tuple[list[str], list[str]]] = {
    "argoproj/argosay:v1": (["cowsay"], []),
    "argoproj/argosay": (["argosay"], ["echo", "hello argo!"]),
    "docker/whalesay": ([], ["/bin/bash"]),
    "python": ([], ["python3"]),
    "busybox": ([], ["sh"]),
    "alpine": ([], ["/bin/sh"]),
    "debian": ([], ["bash"]),
    "ubuntu": ([], ["bash"]),
    "bash": ([], ["bash"]),
    "node": ([], ["node"]),
}
"""Entry point and default arguments, by image; the longest name that fits counts."""


def program_of(container: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """The container's command and arguments; the image's own where that is known, else no command."""
    command = [str(item) for item in container.get("command") or ()]
    args = [str(item) for item in container.get("args") or ()]
    if command:
        return command, args
    image = str(container.get("image", "")).removeprefix("docker.io/").removeprefix("library/")
    for name in (image, image.partition(":")[0]):
        if name in _ENTRYPOINTS:
            entrypoint, default = _ENTRYPOINTS[name]
            words = [*entrypoint, *(args or default)]
            return words[:1], words[1:]
    return [], args
