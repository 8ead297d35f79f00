"""Builds environments with uv.

Called by the facade, once for each key at a time. A build happens in a staging folder and is published by a
rename; a failed one leaves nothing behind but an EnvironmentBuildError.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sampan.cluster.node.environments.distributions import installed_versions, write_stand_ins
from sampan.cluster.node.environments.errors import EnvironmentBuildError
from sampan.cluster.node.environments.flavours import Flavour, unlike_torch
from sampan.cluster.node.environments.index import IndexOptions, uv_variables
from sampan.cluster.node.environments.install import PipInstall
from sampan.cluster.node.environments.interpreter import Interpreter
from sampan.cluster.node.environments.layer import VENV_HOOK, call_venv_hook, with_layered_python
from sampan.cluster.node.environments.model import Manifest
from sampan.cluster.node.environments.skeleton import make_skeleton, site_packages
from sampan.cluster.node.environments.store import MANIFEST, EnvironmentStore
from sampan.cluster.node.environments.uv import Uv, UvError
from sampan.lib.files import replace_bytes
from sampan.lib.log import get_logger

log = get_logger(__name__)

_EXECUTORS = ("kfp.dsl.executor_main", "kfp.components.executor_main")
# What the executor imports only while it runs: 2 ms a step, most of it for the compression libraries.
_LATE_IMPORTS = ("locale", "shutil")
# Console scripts are a few hundred bytes; programs in machine code are left alone.
_MAX_SCRIPT = 64 * 1024
# uv itself uses every core; more at once would only cost memory.
_MAX_BUILDS = 4
_BEST_EFFORT_SECONDS = 5.0
# Python's images hold setuptools and wheel up to 3.11, pip always.
_LAST_WITH_SETUPTOOLS = (3, 11)


@dataclass(frozen=True, slots=True)
class Recipe:
    """One environment to build."""

    key: str
    title: str
    """How messages name it."""
    interpreter: Interpreter
    flavours: tuple[Flavour, ...] = ()
    """The image's packages, installed together: by the first way that is possible."""
    base: str = ""
    """The key of the environment that this one starts as a copy of; then there are no `flavours`."""
    installs: tuple[PipInstall, ...] = ()
    """Added one after the other, so that a later one may upgrade what an earlier one brought."""


@dataclass(frozen=True, slots=True)
class BuildOptions:
    offline: bool
    timeout_seconds: float


class Builder:
    """For use in one event loop; several recipes may be built at once."""

    def __init__(
        self,
        store: EnvironmentStore,
        uv: Uv,
        environ: Mapping[str, str],
        options: IndexOptions,
        build: BuildOptions,
    ) -> None:
        self._store = store
        self._uv = uv
        self._environ = dict(environ)
        self._options = options
        self._build = build
        self._slots = asyncio.Semaphore(_MAX_BUILDS)

    async def build(self, recipe: Recipe) -> Manifest:
        """Raises EnvironmentBuildError."""
        try:
            async with self._store.lock(recipe.key):
                # Another process may have built it while this one waited.
                existing = await asyncio.to_thread(self._store.load, recipe.key)
                if existing is not None:
                    return existing
                async with self._slots:
                    return await self._build_locked(recipe)
        except UvError as error:
            raise EnvironmentBuildError(
                f"Cannot build the environment for {recipe.title}: {error.reason}."
            ) from error
        except OSError as error:
            reason = f"{error.strerror or error} ({error.filename or self._store.root})"
            raise EnvironmentBuildError(
                f"Cannot build the environment for {recipe.title}: {reason}."
            ) from error

    async def _build_locked(self, recipe: Recipe) -> Manifest:
        started = asyncio.get_running_loop().time()
        staged = self._store.stage(recipe.key)
        try:
            manifest = await self._fill(staged, recipe)
            await self._store.publish(staged, manifest)
        except BaseException:
            await asyncio.shield(self._store.discard(staged))
            raise
        seconds = round(asyncio.get_running_loop().time() - started, 3)
        log.info("environment built", key=recipe.key, title=recipe.title, seconds=seconds)
        return manifest

    async def _fill(self, staged: Path, recipe: Recipe) -> Manifest:
        before: tuple[str, ...] = ()
        if recipe.base:
            base = self._store.path(recipe.base)
            held = self._store.load(recipe.base)
            before = held.requirements if held else ()
            await _in_thread(_clone, base, staged)
        else:
            await _in_thread(_make_base, staged, recipe.interpreter)
            await self._seed(staged, recipe.interpreter)
        site = site_packages(recipe.interpreter)
        steps = (
            [PipInstall(await self._install_image(staged, recipe, staged / site))] if recipe.flavours else []
        )
        for install in recipe.installs:
            await self._install(staged, install)
        await _in_thread(_adapt_scripts, staged / "bin")
        return Manifest(
            key=recipe.key,
            interpreter=recipe.interpreter,
            site_packages=site,
            requirements=(*before, *filter(None, map(str, (*steps, *recipe.installs)))),
            warm_modules=await asyncio.to_thread(_warm_modules, staged / site),
            variables=await asyncio.to_thread(_data_variables, staged, self._store.path(recipe.key)),
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    async def _seed(self, staged: Path, interpreter: Interpreter) -> None:
        """pip, and what else the image's Python brings: from the interpreter itself, so without any network."""
        wheels = await asyncio.to_thread(_bundled_wheels, interpreter)
        if "pip" in wheels:
            await self._uv_install(staged, ["--no-deps", "--no-index", *wheels.values()], self._options)
        else:
            # Debian's Python has no wheels in it.
            await self._uv_install(staged, ["pip"], self._options)
        if interpreter.minor <= _LAST_WITH_SETUPTOOLS:
            await self._seed_wheel(staged)

    async def _seed_wheel(self, staged: Path) -> None:
        try:
            async with asyncio.timeout(_BEST_EFFORT_SECONDS):
                await self._uv_install(staged, ["setuptools<80", "wheel<0.46"], self._options)
        except (UvError, TimeoutError):
            # Without the index: few builds of old packages need `wheel`, and those will ask for it.
            log.warning("environment has no wheel package: the package index did not answer")

    async def _install_image(self, staged: Path, recipe: Recipe, site: Path) -> tuple[str, ...]:
        """What was installed, in the words of the flavour that was possible."""
        for flavour in recipe.flavours[:-1]:
            try:
                await self._install_flavour(staged, flavour, site)
                return flavour.requirements
            except UvError as error:
                log.info("not available here", wanted=list(flavour.requirements), reason=error.reason)
        await self._install_flavour(staged, recipe.flavours[-1], site)
        return recipe.flavours[-1].requirements

    async def _install_flavour(self, staged: Path, flavour: Flavour, site: Path) -> None:
        if not flavour.requirements:
            return
        environ = self._environ
        arguments = [*flavour.requirements]
        if flavour.torch_backend:
            arguments += ["--torch-backend", flavour.torch_backend]
            # An index that is out of reach is given up soon: there is another way.
            environ = {"UV_HTTP_RETRIES": "1", **environ}
        if flavour.overrides:
            overrides = staged.with_suffix(".overrides")
            await asyncio.to_thread(overrides.write_text, "\n".join(flavour.overrides) + "\n")
            arguments += ["--overrides", str(overrides)]
        try:
            await self._uv_install(staged, arguments, self._options, environ)
            if fitting := unlike_torch(await asyncio.to_thread(installed_versions, site)):
                await self._uv_install(staged, [*arguments, fitting], self._options, environ)
        finally:
            if flavour.overrides:
                overrides.unlink(missing_ok=True)
        await asyncio.to_thread(write_stand_ins, site, flavour.stands_for)

    async def _install(self, staged: Path, install: PipInstall) -> None:
        arguments = [*install.requirements]
        for option, on in (("--no-deps", install.no_deps), ("--upgrade", install.upgrade)):
            if on:
                arguments.append(option)
        if install.pre:
            arguments += ["--prerelease", "allow"]
        await self._uv_install(staged, arguments, self._options.with_install(install))

    async def _uv_install(
        self,
        staged: Path,
        arguments: list[str],
        options: IndexOptions,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        environ = uv_variables(
            self._environ if environ is None else environ, options, offline=self._build.offline
        )
        command = ["pip", "install", "--python", str(staged / "bin" / "python"), *arguments]
        await self._uv.run(command, environ, timeout_seconds=self._build.timeout_seconds)


async def _in_thread(write: Callable[..., None], *arguments: Any) -> None:
    """To its end also when cancelled: a thread goes on, and would write into a folder that is being removed."""
    writing = asyncio.ensure_future(asyncio.to_thread(write, *arguments))
    try:
        await asyncio.shield(writing)
    except asyncio.CancelledError:
        await asyncio.wait((writing,))
        raise


def _make_base(staged: Path, interpreter: Interpreter) -> None:
    make_skeleton(staged, interpreter)
    hook = Path(__file__).with_name("venv_hook.py")
    packages = staged / site_packages(interpreter)
    shutil.copyfile(hook, packages / f"{VENV_HOOK}.py")
    # For pods that write into the environment itself, by a mount of their own, and have no layer.
    (packages / f"{VENV_HOOK}.pth").write_text(f"import sys; {call_venv_hook()}\n")


def _bundled_wheels(interpreter: Interpreter) -> dict[str, str]:
    """The newest wheel of each package in ensurepip; distributions that update it may leave the old ones."""
    found = Path(interpreter.stdlib, "ensurepip", "_bundled").glob("*.whl")
    return {path.name.partition("-")[0]: str(path) for path in sorted(found, key=_wheel_version)}


def _wheel_version(path: Path) -> tuple[int, ...]:
    return tuple(int(digits) for digits in re.findall(r"\d+", path.name.split("-")[1]))


def _clone(base: Path, staged: Path) -> None:
    """The same files under another folder, by hard links: uv and pip replace files, they never write into one."""
    shutil.copytree(base, staged, symlinks=True, copy_function=_link, ignore=_is_not_cloned)
    # `copytree` links; the manifest is the clone's own.
    (staged / MANIFEST).unlink(missing_ok=True)


def _is_not_cloned(folder: str, names: list[str]) -> list[str]:
    # Byte code may be in the making there: finished files have their own name, and are replaced, never written into.
    return [name for name in names if not name.endswith(".pyc")] if folder.endswith("__pycache__") else []


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        # A file system without hard links.
        shutil.copy2(source, target)


def _adapt_scripts(folder: Path) -> None:
    for entry in os.scandir(folder):
        if entry.is_symlink() or not entry.is_file() or entry.stat().st_size > _MAX_SCRIPT:
            continue
        script = Path(entry.path).read_bytes()
        if (adapted := with_layered_python(script)) != script:
            replace_bytes(Path(entry.path), adapted, 0o755)


def _warm_modules(site: Path) -> tuple[str, ...]:
    """The executor of KFP, where it is installed: 33 ms a step. It needs the standard library, and no threads."""
    for name in _EXECUTORS:
        if Path(site, *name.split(".")).with_suffix(".py").is_file():
            return (name, *_LATE_IMPORTS)
    return ()


def _data_variables(staged: Path, final: Path) -> dict[str, str]:
    """Jupyter looks for its kernels and extensions below the prefix, which in a pod's layer is empty."""
    variables = {}
    for name, folder in (("JUPYTER_PATH", "share/jupyter"), ("JUPYTER_CONFIG_PATH", "etc/jupyter")):
        if (staged / folder).is_dir():
            variables[name] = str(final / folder)
    return variables
