"""Environments instead of images: the one object that the node agent and the command line talk to.

Made by the composition root. It chooses (catalogue, interpreters), has built what is missing (builder), and
remembers what is there. What it answers from memory costs some microseconds.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sampan.cluster.node.environments.build import Builder, BuildOptions, Recipe
from sampan.cluster.node.environments.bytecode import ByteCode
from sampan.cluster.node.environments.catalogue import Catalogue, ImagePlan, load_catalogue
from sampan.cluster.node.environments.errors import (
    EnvironmentBuildError,
    EnvironmentsError,
    UnknownImageError,
)
from sampan.cluster.node.environments.flavours import Flavour, flavours
from sampan.cluster.node.environments.index import (
    IndexOptions,
    read_pip_configuration,
    resolution_inputs,
    uv_configures_indexes,
    uv_variables,
    without_credentials,
)
from sampan.cluster.node.environments.install import PipInstall
from sampan.cluster.node.environments.interpreter import Choice, Interpreter, Interpreters
from sampan.cluster.node.environments.layer import make_layer
from sampan.cluster.node.environments.model import SYSTEM_KEY, Environment, Manifest, base_key, derived_key
from sampan.cluster.node.environments.pod_configuration import write_pod_configuration
from sampan.cluster.node.environments.programs import (
    IMAGE_VARIABLES,
    OPENSSH,
    PROGRAMS,
    package_folder,
    program_folder,
    program_places,
)
from sampan.cluster.node.environments.shells import shell_folder
from sampan.cluster.node.environments.store import EnvironmentStore
from sampan.cluster.node.environments.uv import Uv
from sampan.cluster.node.gpus import detect
from sampan.cluster.node.settings import EnvironmentSettings
from sampan.lib.log import get_logger
from sampan.lib.tasks import TaskSet

log = get_logger(__name__)

_TOUCH_SECONDS = 60.0
_DEFAULT_INDEX = "https://pypi.org/simple"
_UNUSED_SECONDS = 30 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class ImageExplanation:
    """What `sampan images IMAGE` shows."""

    plan: ImagePlan
    python: str = ""
    """The version that would be used; empty for the machine's own tools."""
    key: str = ""
    is_built: bool = False
    prefix: Path | None = None
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Held:
    """A whole environment that was asked for."""

    environment: Environment
    manifest: Manifest
    touched_at: float = 0.0


class Environments:
    """For one event loop.

    `home` is Sampan's home, `environ` the server's own variables; `has_gpu` is asked of the driver unless it is told.
    """

    def __init__(
        self,
        home: Path,
        settings: EnvironmentSettings | None = None,
        environ: Mapping[str, str] | None = None,
        *,
        has_gpu: bool | None = None,
    ) -> None:
        self._environ = dict(os.environ if environ is None else environ)
        self._settings = settings = settings or EnvironmentSettings()
        # A link there may lead to another disk; pods are told where the files really are.
        self._store = EnvironmentStore((home / "envs").resolve())
        self._user_file = home / "images.toml"
        self._options = _index_options(self._environ, settings)
        self._inputs = resolution_inputs(self._environ)
        self._uv = Uv(uv_variables(self._environ, self._options, offline=settings.offline))
        self._interpreters = Interpreters(
            self._uv, self._environ, self._store.root / "pythons.json",
            download=settings.download_python and not settings.offline,
        )  # fmt: skip
        build = BuildOptions(settings.offline, settings.build_timeout_seconds)
        self._builder = Builder(self._store, self._uv, self._environ, self._options, build)
        self._has_gpu = bool(detect()) if has_gpu is None else has_gpu
        self._byte_code = ByteCode()
        self._catalogue: tuple[float, Catalogue] | None = None
        self._by_image: dict[str, tuple[Environment, tuple[str, ...]]] = {}
        self._by_installs: dict[tuple[str, tuple[PipInstall, ...]], str] = {}
        self._held: dict[str, _Held] = {}
        self._building: dict[str, asyncio.Task[Manifest | EnvironmentBuildError]] = {}
        self._tasks = TaskSet("environments")
        self._pod_variables: dict[str, str] | None = None

    async def for_image(self, image: str) -> Environment:
        """Built if it is not there yet. Raises EnvironmentsError: invalid, unknown or unbuildable."""
        catalogue = self._current_catalogue()
        known = self._by_image.get(image)
        if known is not None and self._is_there(known[0]):
            return known[0]
        plan = catalogue.plan(image)
        if plan.system:
            environment, notes = await self._system(plan), plan.notes
        else:
            choice = await self._interpreters.choose(plan.python)
            environment = await self._base(plan, choice)
            notes = (*plan.notes, choice.note) if choice.note else plan.notes
        environment = await asyncio.to_thread(self._with_extras, environment, plan)
        self._by_image[image] = environment, notes
        return environment

    def is_known(self, image: str) -> bool:
        """Whether the catalogue has it. What else may be wrong with either is told elsewhere."""
        try:
            self._current_catalogue().plan(image)
        except UnknownImageError:
            return False
        except EnvironmentsError:
            return True
        return True

    async def is_present(self, image: str) -> bool:
        """Whether `for_image` would answer without building. Raises as `for_image`."""
        self._current_catalogue()
        known = self._by_image.get(image)
        if known is not None and self._is_there(known[0]):
            return True
        return (await self.explain(image)).is_built

    async def with_installs(self, base: Environment, installs: Sequence[PipInstall]) -> Environment:
        """`base` with the installs done one after the other, as pip would. Raises EnvironmentBuildError."""
        wanted = tuple(installs)
        if not wanted:
            return base
        if base.key == SYSTEM_KEY:
            raise EnvironmentBuildError(
                "The image has no Python of its own, so packages cannot be installed into it: "
                "name a Python image, such as python:3.11."
            )
        key = self._by_installs.get((base.key, wanted))
        if key is None:
            key = derived_key(base.key, wanted, self._options, self._inputs)
            self._by_installs[base.key, wanted] = key
        if (held := self._held.get(key)) is not None and self._is_there(held.environment):
            return _like(base, held.environment)
        manifest = await self._manifest(base.key)
        recipe = Recipe(key, _title(wanted), manifest.interpreter, base=base.key, installs=wanted)
        return _like(base, await self._built(recipe))

    def pod_layer(self, env: Environment, folder: Path) -> Environment:
        """A private venv over `env` in `folder`, which must not exist. The machine's own tools get none.

        Raises OSError, or EnvironmentBuildError when `env` was removed meanwhile.
        """
        if env.key == SYSTEM_KEY:
            return env
        held = self._held.get(env.key)
        if held is None:
            raise EnvironmentBuildError(f"The environment {env.key} is gone: ask for its image again.")
        return _like(env, make_layer(held.environment, held.manifest, folder))

    def warm_modules(self, env: Environment) -> tuple[str, ...]:
        """Worth importing before the first fork, with `_KFP_RUNTIME=true` set. They start no threads."""
        held = self._held.get(env.key)
        return held.manifest.warm_modules if held else ()

    def notes(self, image: str) -> tuple[str, ...]:
        """What the user should know about an image that `for_image` answered: for an Event. Mostly empty."""
        known = self._by_image.get(image)
        return known[1] if known else ()

    def requirements(self, env: Environment) -> tuple[str, ...]:
        """What was installed, one line a step."""
        held = self._held.get(env.key)
        return held.manifest.requirements if held else ()

    async def explain(self, image: str) -> ImageExplanation:
        """What the image would become, without building it. Raises as `for_image`."""
        plan = self._current_catalogue().plan(image)
        if plan.system:
            return ImageExplanation(plan, key=SYSTEM_KEY, is_built=True, notes=plan.notes)
        choice = await self._interpreters.choose(plan.python)
        key = base_key(choice.interpreter, self._flavours(plan), self._options, self._inputs)
        is_built = await asyncio.to_thread(self._store.load, key) is not None
        notes = (*plan.notes, choice.note) if choice.note else plan.notes
        return ImageExplanation(plan, choice.interpreter.version, key, is_built, self._store.path(key), notes)

    def catalogue(self) -> Catalogue:
        """The entries in force, the user's first. Raises CatalogueError."""
        return self._current_catalogue()

    async def interpreters(self) -> list[Interpreter]:
        """The Pythons of this machine. Takes a second or more the first time."""
        return await self._interpreters.installed()

    def index_url(self) -> str:
        """Where packages come from first, for `sampan doctor`; empty when only local wheels count."""
        if self._options.no_index or self._settings.offline:
            return ""
        return without_credentials(self._options.index_url or _DEFAULT_INDEX)

    async def prune(self, keep: Collection[str] = (), unused_seconds: float = _UNUSED_SECONDS) -> list[str]:
        """Removes environments unused for so long; `keep` names those of running pods. The keys removed."""
        building = set(self._building)
        removed = await self._store.prune({*keep, *building}, unused_seconds)
        for key in removed:
            self._held.pop(key, None)
        await self._store.sweep()
        return removed

    def start(self) -> None:
        """Removes, beside everything else, what builders have left that were killed."""
        self._tasks.spawn(self._store.sweep(), name="sweep")

    async def close(self) -> None:
        """Ends what is being built; nothing half-built stays."""
        await self._tasks.close()

    def _current_catalogue(self) -> Catalogue:
        """Read again when the user's file changed, so that the remedy in an error message works at once."""
        try:
            changed_at = os.stat(self._user_file).st_mtime
        except OSError:
            changed_at = 0.0
        if self._catalogue is None or self._catalogue[0] != changed_at:
            self._catalogue = changed_at, load_catalogue(self._user_file)
            self._by_image.clear()
        return self._catalogue[1]

    async def _base(self, plan: ImagePlan, choice: Choice) -> Environment:
        ways = self._flavours(plan)
        key = base_key(choice.interpreter, ways, self._options, self._inputs)
        return await self._built(Recipe(key, f'the image "{plan.image}"', choice.interpreter, ways))

    def _flavours(self, plan: ImagePlan) -> tuple[Flavour, ...]:
        from_pypi = not (self._settings.offline or any(self._options.identity()) or self._inputs)
        from_pypi = from_pypi and not uv_configures_indexes(self._environ)
        return flavours(plan.requirements, has_gpu=self._has_gpu, from_pypi=from_pypi)

    async def _built(self, recipe: Recipe) -> Environment:
        held = self._held.get(recipe.key)
        if held is None or not self._is_there(held.environment):
            manifest = await asyncio.to_thread(self._store.load, recipe.key)
            if manifest is None:
                manifest = await self._build_once(recipe)
            held = await self._hold(manifest)
        self._touch(held)
        return held.environment

    async def _build_once(self, recipe: Recipe) -> Manifest:
        task = self._building.get(recipe.key)
        if task is None:
            task = self._tasks.spawn(self._outcome(recipe), name=recipe.key)
            self._building[recipe.key] = task
            task.add_done_callback(lambda _: self._building.pop(recipe.key, None))
        # Who waits may go away; the others, and the next run, still want it.
        outcome = await asyncio.shield(task)
        if isinstance(outcome, EnvironmentBuildError):
            # A new one for each who waits: raising one object twice would join their tracebacks.
            raise EnvironmentBuildError(outcome.message) from outcome
        return outcome

    async def _outcome(self, recipe: Recipe) -> Manifest | EnvironmentBuildError:
        # A build that fails is the user's news, told to each who waits, not a fault of the background task.
        try:
            manifest = await self._builder.build(recipe)
        except EnvironmentBuildError as error:
            return error
        prefix = self._store.path(manifest.key)
        compiling = self._byte_code.compile(prefix / "bin" / "python3", prefix / manifest.site_packages)
        self._tasks.spawn(compiling, name=f"byte code of {manifest.key}")
        return manifest

    async def _manifest(self, key: str) -> Manifest:
        if (held := self._held.get(key)) is not None:
            return held.manifest
        manifest = await asyncio.to_thread(self._store.load, key)
        if manifest is None:
            raise EnvironmentBuildError(f"The environment {key} is gone: ask for its image again.")
        return manifest

    async def _hold(self, manifest: Manifest) -> _Held:
        prefix = self._store.path(manifest.key)
        variables = {**await self._variables(), **manifest.variables}
        python = prefix / "bin" / "python3"
        environment = Environment(manifest.key, prefix, python, (prefix / "bin",), variables)
        held = _Held(environment, manifest)
        self._held[manifest.key] = held
        return held

    def _is_there(self, environment: Environment) -> bool:
        if environment.key == SYSTEM_KEY:
            return True
        held = self._held.get(environment.key)
        if held is None or not os.path.exists(environment.python):
            self._held.pop(environment.key, None)
            return False
        self._touch(held)
        return True

    def _touch(self, held: _Held) -> None:
        now = time.monotonic()
        if now - held.touched_at >= _TOUCH_SECONDS:
            held.touched_at = now
            self._store.touch(held.manifest.key)

    async def _system(self, plan: ImagePlan) -> Environment:
        # pip would write into the machine's own Python; in an image of this kind there is none.
        variables = {**await self._variables(), "PIP_REQUIRE_VIRTUALENV": "true"}
        path = self._environ.get("PATH")
        for name in plan.extras.needs:
            if shutil.which(name, path=path) is None:
                raise UnknownImageError(
                    f'The image "{plan.image}" stands for this machine\'s own {name}, which is not installed here: '
                    f"install {name}, or run the image with the container runtime (docs/images.md)."
                )
        python = Path(shutil.which("python3", path=path) or sys.executable)
        folder = shell_folder(self._store.root / "shells", plan.shell, path) if plan.shell else None
        return Environment(SYSTEM_KEY, Path("/"), python, (folder,) if folder else (), variables)

    def _with_extras(self, environment: Environment, plan: ImagePlan) -> Environment:
        """With what the image has beside its packages. Raises UnknownImageError, OSError."""
        extras, root = plan.extras, self._store.root / "programs"
        for target, source in extras.files.items():
            if not os.path.exists(source):
                raise UnknownImageError(
                    f'For the image "{plan.image}", {plan.source} shows {source} at {target}, '
                    "but there is no such file."
                )
        places: dict[str, str] = {}
        variables: dict[str, str] = {}
        for name in extras.programs:
            places.update(program_places(root, name))
            variables.update(PROGRAMS[name].env)
        variables.update(extras.env)
        if OPENSSH in extras.programs:
            variables[IMAGE_VARIABLES] = " ".join(variables)
        # To show one in the root folder itself would take a new root: there it is found as a command only.
        shown = {path: real for path, real in places.items() if path.count("/") > 1}
        return replace(
            environment,
            extra_dirs=tuple(program_folder(root, name) for name in extras.programs if PROGRAMS[name].files),
            packages=tuple(filter(None, (package_folder(root, name) for name in extras.programs))),
            preload=extras.preload,
            commands=extras.commands,
            extra_env=variables,
            entrypoint=extras.entrypoint,
            cmd=extras.cmd,
            programs=places,
            files={**shown, **extras.files},
            workdir=extras.workdir,
        )

    async def _variables(self) -> dict[str, str]:
        if self._pod_variables is None:
            self._pod_variables = await asyncio.to_thread(
                write_pod_configuration,
                self._store.root,
                self._environ,
                self._options,
                offline=self._settings.offline,
            )
        return self._pod_variables


def _like(image: Environment, made: Environment) -> Environment:
    """`made` of `image`, with what that has beside its packages."""
    return replace(
        made,
        extra_dirs=image.extra_dirs,
        extra_env=image.extra_env,
        entrypoint=image.entrypoint,
        cmd=image.cmd,
        programs=image.programs,
        files=image.files,
        workdir=image.workdir,
        packages=image.packages,
        preload=image.preload,
        commands=image.commands,
    )


def _index_options(environ: Mapping[str, str], settings: EnvironmentSettings) -> IndexOptions:
    options = IndexOptions() if uv_configures_indexes(environ) else read_pip_configuration(environ)
    return (
        options.with_install(PipInstall((), index_url=settings.index_url)) if settings.index_url else options
    )


def _title(installs: Sequence[PipInstall]) -> str:
    names = [
        requirement.partition(";")[0].strip() for install in installs for requirement in install.requirements
    ]
    return f"pip install {' '.join(names)}"
