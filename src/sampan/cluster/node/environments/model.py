"""What an environment is, to its users, and what is remembered of it on disk. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sampan.cluster.node.environments.flavours import Flavour
from sampan.cluster.node.environments.index import IndexOptions
from sampan.cluster.node.environments.install import PipInstall
from sampan.cluster.node.environments.interpreter import Interpreter

SYSTEM_KEY = "system"
"""The key of the environment that is the machine itself."""

_FORMAT = 1
"""Part of every key: raise it when environments made by an older Sampan must not be used any more."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a container's programs come from."""

    key: str
    prefix: Path
    python: Path
    bin_dirs: tuple[Path, ...]
    """For the front of PATH, in this order."""
    env: Mapping[str, str]
    """Variables that the container gets below its own."""
    entrypoint: tuple[str, ...] = ()
    """Of the image, where the catalogue knows it: for a container without a command."""
    cmd: tuple[str, ...] = ()
    programs: Mapping[str, str] = field(default_factory=dict)
    """Where programs really are that the image has at these paths."""
    extra_dirs: tuple[Path, ...] = ()
    """Of those programs, for PATH, before `bin_dirs`."""
    extra_env: Mapping[str, str] = field(default_factory=dict)
    """Variables that the image sets, above `env`."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Where files and folders really are that the image has at these paths: shown there."""
    workdir: str = ""
    """Of the image, for a container that names none."""
    packages: tuple[Path, ...] = ()
    """Folders for the front of PYTHONPATH, whatever the container sets there."""
    preload: tuple[str, ...] = ()
    """Modules worth importing before the first fork of a program of `packages`."""
    commands: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Words that are run in place of these, which are split at blanks."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """`sampan.json` in an environment's folder: it is there when, and only when, the environment is whole."""

    key: str
    interpreter: Interpreter
    site_packages: str
    """Relative to the prefix."""
    requirements: tuple[str, ...]
    """For people: what was installed, one line a step."""
    warm_modules: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    created_at: str = ""

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)

    @staticmethod
    def from_json(text: str) -> Manifest:
        """Raises ValueError or TypeError for anything that `to_json` did not write."""
        data: dict[str, Any] = json.loads(text)
        return Manifest(
            key=str(data["key"]),
            interpreter=Interpreter(**data["interpreter"]),
            site_packages=str(data["site_packages"]),
            requirements=tuple(data["requirements"]),
            warm_modules=tuple(data.get("warm_modules", ())),
            variables=dict(data.get("variables", {})),
            created_at=str(data.get("created_at", "")),
        )


def base_key(
    interpreter: Interpreter, flavours: tuple[Flavour, ...], options: IndexOptions, inputs: tuple[str, ...]
) -> str:
    """The key of an image's environment: of all ways to install it, whichever was possible."""
    ways = [(each.requirements, each.torch_backend) for each in flavours]
    wanted = ways if len(ways) > 1 or ways[0][1] else ways[0][0]
    return _digest("base", interpreter.identity, wanted, options.identity(), inputs)


def derived_key(
    base: str, installs: tuple[PipInstall, ...], options: IndexOptions, inputs: tuple[str, ...]
) -> str:
    """The key of the environment that `installs` make of the one called `base`."""
    steps = [
        (
            *(install.requirements, install.no_deps, install.upgrade, install.pre),
            *options.with_install(install).identity(),
        )
        for install in installs
    ]
    return _digest("derived", base, steps, inputs)


def _digest(*parts: object) -> str:
    # 128 bits: a folder name that people can still tell apart.
    return hashlib.sha256(json.dumps([_FORMAT, *parts]).encode()).hexdigest()[:32]
