"""Questions about this machine that the command line asks without a server: doctor, images, a Python with kfp.

What answers them loads when it is asked: most commands only talk to a server.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sampan.app.settings import Settings

if TYPE_CHECKING:
    from sampan.cluster.node.capabilities import Probe
    from sampan.cluster.node.environments import Entry, Environments

T = TypeVar("T")

KFP_VERSION = "2.17.0"
"""The SDK that compiles a pipeline file where the user has none installed."""


class MachineError(Exception):
    """What was asked for cannot be had. The message says why and what to do."""


def probe(settings: Settings) -> list[Probe]:
    from sampan.cluster.node.capabilities import probe_machine

    probes = probe_machine(settings.home, index_url=settings.environments.index_url)
    return [*probes, *_database(settings), *_byte_code()]


def _byte_code() -> list[Probe]:
    """Only where there is none: each start then compiles all that it loads, which is more than half of it."""
    from sampan.cluster.node.capabilities import Probe

    # This module is loaded: where byte code is kept, its own is there by now.
    kept = __spec__.cached if __spec__ is not None else None
    if kept is None or Path(kept).exists():
        return []
    return [
        Probe(
            "byte code",
            False,
            "none is kept (PYTHONDONTWRITEBYTECODE, or a folder that cannot be written): "
            "commands and the server start in twice the time",
            f"{sys.executable} -m compileall -q {Path(__file__).parents[2]}",
        )
    ]


def _database(settings: Settings) -> list[Probe]:
    from sampan.app import repair
    from sampan.cluster.node.capabilities import Probe

    findings = repair.check(settings)
    if findings is None:
        return []
    if not findings:
        return [Probe("database", True, "sound")]
    return [
        Probe("database", False, finding, "stop the server, then `sampan doctor --repair`")
        for finding in findings
    ]


@dataclass(frozen=True, slots=True)
class ImageAnswer:
    """What one image would become here, in words."""

    becomes: str
    packages: tuple[str, ...]
    built: str
    because_of: str
    notes: tuple[str, ...]


def explain_image(settings: Settings, image: str) -> ImageAnswer:
    """Builds nothing. Raises MachineError for an image that is invalid or unknown."""
    found = _ask(settings, lambda environments: environments.explain(image))
    because_of = f"{found.plan.entry} ({found.plan.source})"
    if found.plan.system:
        return ImageAnswer("the machine's own tools: no environment is made", (), "", because_of, found.notes)
    return ImageAnswer(
        f"a virtual environment with Python {found.python}",
        found.plan.requirements,
        f"yes, in {found.prefix}" if found.is_built else "not yet: at its first use",
        because_of,
        found.notes,
    )


@dataclass(frozen=True, slots=True)
class ImageLine:
    """One entry of the catalogue, as `sampan images` lists it."""

    pattern: str
    becomes: str
    built_in: bool


def list_images(settings: Settings) -> list[ImageLine]:
    """The catalogue in force, the user's entries first. Raises MachineError for a bad images.toml."""

    async def entries(environments: Environments) -> list[ImageLine]:
        # Entries for the same images differ by tag: the first one stands for them.
        by_images: dict[tuple[str, ...], list[Entry]] = {}
        for entry in environments.catalogue():
            by_images.setdefault(entry.patterns, []).append(entry)
        return [
            ImageLine(
                ", ".join(patterns),
                _summary(entries[0]) + (" (or as the tag says)" if len(entries) > 1 else ""),
                entries[0].source == "built-in",
            )
            for patterns, entries in by_images.items()
        ]

    return _ask(settings, entries)


def kfp_python(settings: Settings) -> Path:
    """An interpreter with the kfp SDK, built if need be. Raises MachineError."""
    from sampan.cluster.node.environments import PipInstall

    async def build(environments: Environments) -> Path:
        base = await environments.for_image("python:3.11")
        environment = await environments.with_installs(base, (PipInstall((f"kfp=={KFP_VERSION}",)),))
        return environment.python

    return _ask(settings, build)


def _summary(entry: Entry) -> str:
    if entry.system:
        return "the machine's own tools"
    python = "Python" if not entry.python else f"Python {entry.python}"
    return ", ".join((python.replace("{python}", "of the tag"), *entry.requirements))


def _ask(settings: Settings, question: Callable[[Environments], Awaitable[T]]) -> T:
    from sampan.cluster.node.environments import Environments, EnvironmentsError

    async def main() -> T:
        environments = Environments(settings.home, settings.environments)
        try:
            return await question(environments)
        finally:
            await environments.close()

    try:
        return asyncio.run(main())
    except EnvironmentsError as error:
        raise MachineError(error.message) from error
