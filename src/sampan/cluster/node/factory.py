"""From a container to what runs it: its environment, its variables, its command, its spec for the runtime.

Called by `pod_sync` for each start. The order is the kubelet's: image, then configuration, then the container.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from weakref import WeakValueDictionary

from sampan.client.protocol import Client, Object
from sampan.cluster.network import names
from sampan.cluster.network.pods import PodNetwork
from sampan.cluster.node import choosing, claims, env, references, rights, termination, volumes
from sampan.cluster.node.environments import (
    ANNOUNCED_PACKAGES,
    SYSTEM_KEY,
    Environment,
    ImageNeverPullError,
    PipInstall,
    PythonProgram,
    announced,
    recognise,
    recognise_packaged,
)
from sampan.cluster.node.images import ContainerImage, Images
from sampan.cluster.node.layout import Layout, PodFolder, container_id
from sampan.cluster.node.private_folders import private_folders
from sampan.cluster.node.references import References
from sampan.cluster.node.runtimes.protocol import ContainerSpec, Limits, Mount, Network, WarmProgram
from sampan.cluster.node.settings import NodeSettings
from sampan.cluster.node.tokens import Tokens
from sampan.kube import meta, quantities
from sampan.lib.threads import to_end

_MARK = "HOME"
_TMP = "/tmp"  # noqa: S108


class EnvironmentSource(Protocol):
    """What the node needs of `environments.Environments`."""

    async def for_image(self, image: str) -> Environment:
        """Raises EnvironmentsError."""
        ...

    async def with_installs(self, base: Environment, installs: Sequence[PipInstall]) -> Environment:
        """Raises EnvironmentBuildError."""
        ...

    def pod_layer(self, env: Environment, folder: Path) -> Environment:
        """Raises OSError."""
        ...

    def warm_modules(self, env: Environment) -> tuple[str, ...]: ...

    def notes(self, image: str) -> tuple[str, ...]: ...

    async def is_present(self, image: str) -> bool:
        """Whether `for_image` would answer without building anything. Raises EnvironmentsError."""
        ...

    def is_known(self, image: str) -> bool:
        """Whether the catalogue has it. Raises nothing: what is no image at all counts as known."""
        ...


@dataclass(frozen=True, slots=True)
class Sources:
    """Where containers' files come from."""

    environments: EnvironmentSource
    images: Images


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What containers may learn of the machine, settled at start."""

    capacity: env.Capacity
    gpus: tuple[str, ...] = ()
    has_podman: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """One start of one container."""

    pod: Object
    container: dict[str, Any]
    number: int
    gpus: tuple[str, ...] = ()
    """Those assigned to it."""


class ContainerFactory:
    """Makes ContainerSpecs. For one event loop; what takes long runs in threads."""

    def __init__(
        self,
        client: Client,
        layout: Layout,
        sources: Sources,
        settings: NodeSettings,
        facts: NodeFacts,
        network: PodNetwork,
    ) -> None:
        self._client = client
        self._layout = layout
        self._environments, self._images = sources.environments, sources.images
        self._settings = settings
        self._facts = facts
        self._network = network
        self.tokens: Tokens | None = None
        self._volume_locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """By the uids of pods: containers start together, while what volumes show may change."""

    def is_in_containers(self, pod: Object) -> bool:
        """Whether the pod's images are pulled, not taken for the names of environments."""
        has_podman, is_known = self._facts.has_podman, self._environments.is_known
        return choosing.wants_container(pod, self._settings.runtime, has_podman=has_podman, is_known=is_known)

    async def image(
        self, pod: Object, container: Mapping[str, Any], on_pull: Callable[[], None]
    ) -> ContainerImage:
        """`on_pull` is called before something is downloaded. Raises EnvironmentsError."""
        return await self._images.get(pod, container, on_pull)

    async def environment(self, container: Mapping[str, Any]) -> Environment:
        """What the image stands for, built if the pull policy allows. Raises EnvironmentsError."""
        image = str(container.get("image") or "")
        if container.get("imagePullPolicy") == "Never" and not await self._environments.is_present(image):
            raise ImageNeverPullError(f'Container image "{image}" is not present with pull policy of Never')
        return await self._environments.for_image(image)

    def notes(self, container: Mapping[str, Any]) -> tuple[str, ...]:
        """What the user should know about the environment of the image."""
        return self._environments.notes(str(container.get("image") or ""))

    async def spec(
        self, run: Run, image: Environment | ContainerImage, *, can_mount: bool, can_overlay: bool
    ) -> ContainerSpec:
        """Raises ContainerConfigError, VolumeNotReadyError, EnvironmentsError, ApiError, OSError."""
        await claims.check(self._client, run.pod)
        found = await references.fetch(self._client, run.pod, self.tokens)
        if isinstance(image, ContainerImage):
            return await self._in_image(run, image, found)
        uid, name = meta.uid(run.pod), str(run.container["name"])
        folder = self._layout.pod(uid)
        places = await self._volumes(run.pod, folder, found)
        host_network = bool(meta.spec(run.pod).get("hostNetwork"))
        private = can_mount and self._settings.private_tmp
        tmp = "/tmp" if private else str(folder.tmp)  # noqa: S108
        values = self._env(run, image, tmp, found)
        mounts = volumes.mounts(run.container, places, can_mount=can_mount, values=values)
        own = folder.container(name, run.number)
        private_mounts = private_folders(run.pod, own / "private", mounts) if can_mount else []
        mounts = (*mounts, *private_mounts)
        if can_mount and not host_network:
            mounts = (*mounts, *self._files(run.pod, folder, mounts))
        argv = env.command(run.container, values, image.entrypoint, image.cmd)
        argv = env.replaced(argv, image.commands)
        argv = (image.programs.get(argv[0], argv[0]), *argv[1:])
        if can_mount:
            mounts = (*mounts, *_image_files(image, mounts))
        else:
            argv = tuple(image.files.get(word, word) for word in argv)
        program = self._recognise(run.container, argv, values)
        environment = image
        install = announced(argv, _own_variables(run.container)) if program is None else None
        if program is not None:
            environment = await self._environments.with_installs(image, program.installs)
        elif install is not None:
            environment = await self._environments.with_installs(image, (install,))
        # Either way a pod may `pip install` without changing the environment for others.
        overlay = environment.prefix if can_overlay and environment.key != SYSTEM_KEY else None
        layer = environment if overlay else await to_end(self._layer, environment, own / "python")
        wanted = str(run.container.get("workingDir") or (image.workdir if can_mount else ""))
        cwd, mounts = _working_directory(wanted, own / "work", mounts, can_mount=can_mount)
        values = self._env(run, layer, tmp, found)
        if install is not None:
            values[ANNOUNCED_PACKAGES] = ""
        # A shell sets it: so a program finds the same variables whether a shell was before it or not.
        values.setdefault("PWD", cwd)
        if run.container.get("tty"):
            # As container runtimes do.
            values.setdefault("TERM", "xterm")
        return ContainerSpec(
            id=container_id(uid, name, run.number),
            folder=own,
            log=self._layout.log(meta.namespace(run.pod), uid, name, run.number),
            argv=argv,
            env=values if program is None else {**values, **program.setenv},
            cwd=cwd,
            scratch=folder.scratch,
            folders=(folder.home, folder.tmp, own / "work", *(mount.source for mount in private_mounts)),
            overlay=overlay,
            mounts=mounts,
            private_tmp=folder.tmp if private else None,
            visible=self._visible(environment, mounts) if can_mount else (),
            termination=termination.mount_of(run.container, own) if can_mount else None,
            hostname="" if host_network else names.hostname(run.pod),
            network=self._sockets(run.pod) if self._network.has_addresses else None,
            mark=f"{_MARK}={values[_MARK]}",
            limits=_limits(run.container),
            stdin=bool(run.container.get("stdin")),
            stdin_once=bool(run.container.get("stdinOnce")),
            tty=bool(run.container.get("tty")),
            program=self._warm(environment, layer, program),
        )

    async def _in_image(self, run: Run, image: ContainerImage, found: References) -> ContainerSpec:
        """The spec of a container whose files, variables and command are its image's, where the pod says nothing."""
        pod, container = run.pod, run.container
        allowed = self._settings.allow_privileged
        own_rights = rights.image_run(pod, container, image, run.gpus, allow_privileged=allowed)
        uid, name = meta.uid(pod), str(container["name"])
        folder = self._layout.pod(uid)
        places = await self._volumes(pod, folder, found)
        values = {**self._network.links(pod), **env.api_variables(self._network.api)}
        values = env.compose(pod, container, values, found, self._facts.capacity)
        mounts = volumes.mounts(container, places, can_mount=True, sees_machine=False, values=values)
        host_network = bool(meta.spec(pod).get("hostNetwork"))
        if not host_network:
            mounts = (*mounts, *self._files(pod, folder, mounts))
            values.setdefault("HOSTNAME", names.hostname(pod))
        own = folder.container(name, run.number)
        return ContainerSpec(
            id=container_id(uid, name, run.number),
            folder=own,
            log=self._layout.log(meta.namespace(pod), uid, name, run.number),
            argv=tuple(env.expand(word, values) for word in rights.argv(container, image)),
            env=values,
            cwd=str(container.get("workingDir") or ""),
            scratch=folder.scratch,
            mounts=mounts,
            termination=termination.mount_of(container, own),
            hostname="" if host_network else names.hostname(pod),
            network=self._sockets(pod) if self._network.has_addresses else None,
            limits=_limits(container),
            stdin=bool(container.get("stdin")),
            stdin_once=bool(container.get("stdinOnce")),
            tty=bool(container.get("tty")),
            image=own_rights,
        )

    def folder(self, pod: Object, container: str, run: int) -> Path:
        """Of one run of a container."""
        return self._layout.pod(meta.uid(pod)).container(container, run)

    async def refresh(self, pod: Object) -> None:
        """Brings the pod's volumes of data up to date. Raises ApiError."""
        folder = self._layout.pod(meta.uid(pod))
        if folder.path.exists():
            found = await references.fetch(self._client, pod, self.tokens)
            async with self._volume_lock(pod):
                await to_end(volumes.refresh, pod, folder, found, self._facts.capacity)

    def _files(self, pod: Object, folder: PodFolder, others: Sequence[Mount]) -> list[Mount]:
        """Those that say who the pod is, save where a volume takes their place."""
        taken = {mount.target.rstrip("/") for mount in others}
        found = self._network.files(pod, folder.network)
        return [Mount(path, target) for target, path in found.items() if target not in taken]

    def _sockets(self, pod: Object) -> Network:
        address = str(meta.status(pod).get("podIP") or "")
        return Network("" if meta.spec(pod).get("hostNetwork") else address, self._layout.routes)

    def _recognise(
        self, container: Mapping[str, Any], argv: Sequence[str], values: Mapping[str, str]
    ) -> PythonProgram | None:
        if not self._settings.warm or container.get("stdin") or container.get("tty"):
            # The standard streams of a warm interpreter were made for other files.
            return None
        if (packaged := recognise_packaged(argv, values)) is not None:
            return packaged
        own = _own_variables(container)
        if container.get("envFrom"):
            # Which variables those are is not worth finding out: they could steer pip.
            return None
        program = recognise(argv, own)
        return None if program is None or program.venv else program

    def _layer(self, environment: Environment, folder: Path) -> Environment:
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        return self._environments.pod_layer(environment, folder)

    async def _volumes(self, pod: Object, folder: PodFolder, found: References) -> dict[str, Path]:
        if not meta.spec(pod).get("volumes"):
            return {}
        async with self._volume_lock(pod):
            return await to_end(volumes.prepare, pod, folder, found, self._facts.capacity)

    def _volume_lock(self, pod: Object) -> asyncio.Lock:
        return self._volume_locks.setdefault(meta.uid(pod), asyncio.Lock())

    def _env(self, run: Run, environment: Environment, tmp: str, found: References) -> dict[str, str]:
        home = str(self._layout.pod(meta.uid(run.pod)).home)
        bins = [str(each) for each in (*environment.extra_dirs, *environment.bin_dirs)]
        values = self._network.links(run.pod)
        values.update(env.base(home, tmp, names.hostname(run.pod), self._network.api, bins))
        values.update({**environment.env, **environment.extra_env})
        if self._facts.gpus:
            values["CUDA_VISIBLE_DEVICES"] = ",".join(run.gpus)
        values = env.compose(run.pod, run.container, values, found, self._facts.capacity)
        return env.with_packages(values, environment.packages)

    def _warm(
        self, environment: Environment, layer: Environment, program: PythonProgram | None
    ) -> WarmProgram | None:
        if program is None:
            return None
        return WarmProgram(
            environment=environment.key,
            python=environment.python,
            preload=(*environment.preload, *self._environments.warm_modules(environment)),
            module=program.module,
            argv=program.argv,
            source=program.source,
            source_name=program.source_name,
            executable=str(layer.python),
            prefix=str(layer.prefix) if layer.prefix != environment.prefix else "",
            shell=bool(program.installs) or program.source is not None,
            key_env=program.setenv,
            is_dear=bool(environment.preload),
        )

    def _visible(self, environment: Environment, mounts: Sequence[Mount]) -> tuple[str, ...]:
        """The folders that containers need, whatever is mounted above them."""
        needed = {
            str(self._layout.home),
            # Elsewhere where it is a link.
            os.path.realpath(self._layout.home / "envs"),
            str(environment.prefix),
            sys.prefix,
            sys.base_prefix,
            str(Path(__file__).parent),
        }
        needed.update(str(each) for each in (*environment.extra_dirs, *environment.packages))
        needed.update(environment.env.get(name, "") for name in ("PIP_CACHE_DIR", "UV_CACHE_DIR"))
        # The machine's /tmp as a volume is shown as such, and does not stand for what lies in it.
        needed.update(str(mount.source) for mount in mounts if str(mount.source) != _TMP)
        found = sorted(path for path in needed if path.strip("/") and os.path.isdir(path))
        return tuple(
            path for path in found if not any(path != top and path.startswith(top + "/") for top in found)
        )


def _own_variables(container: Mapping[str, Any]) -> dict[str, str]:
    """What the pod's author set, as it stands there."""
    return {str(each.get("name")): str(each.get("value") or "") for each in container.get("env") or ()}


def _image_files(image: Environment, others: Sequence[Mount]) -> list[Mount]:
    """What the image has and the machine does not, save where a volume takes its place."""
    volumes_at = tuple(f"{mount.target.rstrip('/')}/" for mount in others)
    return [
        Mount(Path(source), target, read_only=True)
        for target, source in image.files.items()
        if not f"{target}/".startswith(volumes_at)
    ]


def _working_directory(
    wanted: str, own: Path, mounts: tuple[Mount, ...], *, can_mount: bool
) -> tuple[str, tuple[Mount, ...]]:
    """A container's own folder, unless it or its image names one; that is shown where the machine lacks it."""
    if not wanted:
        return str(own), mounts
    inside = any(
        wanted == mount.target or wanted.startswith(mount.target.rstrip("/") + "/") for mount in mounts
    )
    if can_mount and not inside and not os.path.isdir(wanted):
        mounts = (*mounts, Mount(own, wanted))
    return wanted, mounts


def _limits(container: Mapping[str, Any]) -> Limits:
    limits = (container.get("resources") or {}).get("limits") or {}
    memory, cpu = limits.get("memory"), limits.get("cpu")
    return Limits(
        memory_bytes=quantities.whole(memory) if memory is not None else 0,
        cpu_millis=quantities.millis(cpu) if cpu is not None else 0,
    )
