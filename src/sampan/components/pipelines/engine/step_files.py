"""Where a step's files are: the seam between the engine and storage, and its local implementation.

`moved_files` is the one for pods on other machines.

Each attempt of a step has folders of its own, so that a second attempt never sees what the first one left:

    HOME/pipelines/work/<run>/<task>/<attempt>/<name>                 output parameter files
    ROOT/<run>/<task>[/<iteration>…]/<attempt>/executor_output.json   the SDK derives `dsl.get_uri` from its folder
    ROOT/<run>/<task>[/<iteration>…]/<attempt>/<artifact>             output artifacts

ROOT is the run's pipeline root, HOME/artifacts/<namespace>/<pipeline> by default. A root on a remote store for which
no store is configured is kept below HOME/artifacts/<scheme>/<bucket>, so that pipelines written for a cloud run here.
Artifact URIs are plain absolute paths: a container sees them at the same path.
"""

from __future__ import annotations

import contextlib
import copy
import os
import re
import shutil
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sampan.client.protocol import Client
from sampan.components.pipelines.engine.errors import StepError
from sampan.components.pipelines.engine.results import StepResult
from sampan.components.pipelines.store.artifacts import ArtifactRow
from sampan.lib import linkless
from sampan.lib.ids import short_hash
from sampan.store.artifacts import measuring
from sampan.store.artifacts.measuring import Measure

_REMOTE_ROOT = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<rest>[^?]*)")
_UNSAFE = re.compile(r"[^\w.\-]")
_LONGEST_SEGMENT = 100

_LARGEST_READ = 64 * 1024 * 1024
"""Bytes of one output parameter or executor output. More belongs into an artifact."""

_SOON_BYTES, _SOON_FILES = 8 * 1024 * 1024, 100
"""What is measured before a step counts as done, within some milliseconds; the rest is measured right after."""
_GLANCE_FILES = 500
"""Whose sizes and times are compared within the event loop."""


Places = Callable[[str], str]
"""From a path as a step's container sees it to where it lies for us; empty for what cannot be seen."""


@dataclass(frozen=True, slots=True)
class StepPaths:
    """The files of one attempt, as the container sees them."""

    output_file: str
    parameters: Mapping[str, str]
    artifacts: Mapping[str, str]
    """URIs by output name."""
    folders: tuple[str, ...]
    """What must exist before the step begins."""
    roots: tuple[str, ...]
    """Folders that the container must see."""
    stage: str = ""
    """A folder of this machine for what comes from object stores and goes there; empty where nothing does."""
    work: str = ""
    """The attempt's own folder for what is no artifact."""
    copies: tuple[tuple[str, str], ...] = ()
    """Files or folders that are copied before the step begins, and where to."""
    contents: tuple[tuple[str, str], ...] = ()
    """Files that are written before the step begins, and what is in them."""
    modes: tuple[tuple[str, int], ...] = ()
    """Rights that copies and contents are given."""

    @property
    def is_staged(self) -> bool:
        """Whether the step writes into the stage, from where its artifacts are taken to a store."""
        return bool(self.stage) and self.folders[0].startswith(self.stage)


class StepFiles(Protocol):
    """Lays out, prepares and reads a step's files.

    Thread-safe. `pipeline_root`, `layout` and `attach` are pure, `prepare`, `exists` and `glance` are so cheap that
    they may be called within the event loop; the others block: call them in a thread.
    """

    owner: str
    """Marks the pods of this home among those of others; empty where there can be no others."""

    async def learn(self, client: Client, namespace: str) -> None:
        """Before a run of the namespace begins: reads what is configured there."""
        ...

    def pipeline_root(self, requested: str, namespace: str, pipeline: str) -> str:
        """The root of a run's artifacts; `requested` is what the user asked for, or empty."""
        ...

    def artifact_root(self, requested: str, namespace: str, pipeline: str) -> str:
        """As `pipeline_root`, but perhaps in an object store, for languages that can deal with that."""
        ...

    def layout(
        self, root: str, run_id: str, scope_path: str, attempt: int, outputs: StepOutputs
    ) -> StepPaths:
        """Pure: the same arguments always give the same paths."""
        ...

    def attach(self, pod: dict[str, Any], paths: StepPaths, inputs: Sequence[str]) -> None:
        """Adds to a new pod what it sees its files through. `inputs` are the URIs of its input artifacts."""
        ...

    def prepare(self, paths: StepPaths) -> None:
        """Makes the folders, and brings the files that must be there. Blocks where there are copies. Raises OSError."""
        ...

    def remote(self, inputs: Sequence[str]) -> tuple[str, ...]:
        """Those of these URIs that must be fetched before a step sees them. Pure."""
        ...

    def fetch(self, paths: StepPaths, namespace: str, inputs: Sequence[str]) -> list[str]:
        """Brings remote inputs to where the step will see them; words about those that it must do without.

        May be repeated. Raises StepError, OSError, and StoreUnavailableError where trying again later may help.
        """
        ...

    def place(self, paths: StepPaths, path: str) -> str:
        """A path that the step sees, as one of this machine. Raises StepError for one that leads elsewhere."""
        ...

    def deliver(self, paths: StepPaths, namespace: str, result: StepResult) -> StepResult:
        """Takes outputs to where their URIs say. May be repeated. Raises as `fetch`."""
        ...

    def tidy(self, paths: StepPaths) -> None:
        """Once the attempt's end is committed: removes what only it needed."""
        ...

    async def end(self, run_id: str) -> None:
        """The run is over: removes what its attempts have left of that."""
        ...

    def remove(self, uri: str, namespace: str, kept: Sequence[str]) -> None:
        """Removes what lies at the URI and below, but what lies at one of `kept`, below it or above it.

        Blocks. Nothing is done twice that was done. Raises OSError, StoreError.
        """
        ...

    def remote_files(self, uri: str, namespace: str, most: int) -> list[tuple[str, int]] | None:
        """Of a configured object store: names, from the URI on, and sizes of what lies below it, or of it alone with an
        empty name. At most `most`. None for what lies elsewhere. Blocks. Raises PipelinesError.
        """
        ...

    def remote_content(self, uri: str, namespace: str, limit: int | None) -> Iterator[bytes] | None:
        """The bytes of an artifact in a configured object store, at most `limit`; None for what lies elsewhere.

        The iterator blocks too. Both raise PipelinesError.
        """
        ...

    def read(self, path: str) -> bytes | None:
        """A file that the step may have written; None when there is none. OSError; ValueError when too big."""
        ...

    def exists(self, uri: str) -> bool:
        """Whether something lies at the URI."""
        ...

    def glance(self, artifact: ArtifactRow) -> bool | None:
        """Whether the artifact is still what was recorded; None where that takes a closer look."""
        ...

    def inspect(self, artifact: ArtifactRow) -> bool:
        """The closer look: at every byte, if need be. False where it cannot be read."""
        ...

    def measure(self, uri: str) -> Measure | None:
        """What lies at the URI, where that is soon known; None where there is nothing, or much."""
        ...

    async def of_pod(self, pod: Mapping[str, Any]) -> StepFiles:
        """As the pod's first container sees files: for `publish`, once it has ended. Raises ApiError."""
        ...

    def publish(self, custom_path: str, uri: str, paths: StepPaths) -> bool:
        """Brings what a step wrote at a path of its own to the artifact's URI. False when nothing is there.

        Raises StepError for a URI that is not within the step's own folders; OSError.
        """
        ...

    def forget(self, run_id: str) -> None:
        """Removes a run's working files, not its artifacts."""
        ...


@dataclass(frozen=True, slots=True)
class StepOutputs:
    parameters: tuple[str, ...]
    artifacts: tuple[str, ...]


class LocalStepFiles:
    """`StepFiles` in this machine's file system. `pod_places` is that of `sampan.components.Services`."""

    owner = ""

    def __init__(self, home: Path, pod_places: Callable[[Any], Awaitable[Places]] | None = None) -> None:
        self._pod_places = pod_places
        self._seen: Places = os.path.realpath
        self._artifacts = home / "artifacts"
        self._work = home / "pipelines" / "work"

    async def learn(self, client: Client, namespace: str) -> None:
        return

    def pipeline_root(self, requested: str, namespace: str, pipeline: str) -> str:
        if requested.startswith("file://"):
            requested = requested.removeprefix("file://")
        if requested.startswith("/"):
            return requested.rstrip("/")
        if remote := _REMOTE_ROOT.fullmatch(requested):
            parts = [segment(part) for part in remote["rest"].split("/") if part]
            return str(self._artifacts.joinpath(segment(remote["scheme"]), *parts))
        return str(self._artifacts / segment(namespace) / segment(pipeline))

    def artifact_root(self, requested: str, namespace: str, pipeline: str) -> str:
        return self.pipeline_root(requested, namespace, pipeline)

    def layout(
        self, root: str, run_id: str, scope_path: str, attempt: int, outputs: StepOutputs
    ) -> StepPaths:
        # Texts, not Paths: this is done for every step.
        task = "/".join(segment(part) for part in scope_path.split("/")[1:])
        run = segment(run_id)
        place = f"{root}/{run}/{task}/{attempt}"
        work = f"{self._work}/{run}"
        parameters = f"{work}/{task}/{attempt}"
        return StepPaths(
            output_file=f"{place}/executor_output.json",
            parameters={name: f"{parameters}/{segment(name)}" for name in outputs.parameters},
            artifacts={name: f"{place}/{segment(name)}" for name in outputs.artifacts},
            folders=(place, parameters) if outputs.parameters else (place,),
            roots=(root, str(self._artifacts), work),
            work=parameters,
        )

    def attach(self, pod: dict[str, Any], paths: StepPaths, inputs: Sequence[str]) -> None:
        # All artifacts lie below the folders that are mounted anyway.
        pod_spec, roots = pod["spec"], outermost(paths.roots)
        for index, root in enumerate(roots):
            name = f"sampan-files-{index}"
            source = {"path": root, "type": "DirectoryOrCreate"}
            pod_spec.setdefault("volumes", []).append({"name": name, "hostPath": source})
            for container in pod_spec["containers"]:
                container.setdefault("volumeMounts", []).append({"name": name, "mountPath": root})

    def prepare(self, paths: StepPaths) -> None:
        for folder in paths.folders:
            os.makedirs(folder, exist_ok=True)
        for path, text in paths.contents:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            Path(path).write_text(text, encoding="utf-8")
            os.chmod(path, 0o755)  # noqa: S103  a script may be run by its path
        for source, target in paths.copies:
            self._check_inside(source)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if os.path.isdir(source):
                shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
            else:
                shutil.copyfile(source, target)
        for path, mode in paths.modes:
            os.chmod(path, mode)

    def _check_inside(self, source: str) -> None:
        """A step may have made a link of what it gave. Raises OSError."""
        base, real = os.path.realpath(self._artifacts), os.path.realpath(source)
        if source.startswith(f"{self._artifacts}/") and not real.startswith(f"{base}/"):
            raise OSError(f"{source} leads out of the artifacts")

    def remote(self, inputs: Sequence[str]) -> tuple[str, ...]:
        return ()

    def fetch(self, paths: StepPaths, namespace: str, inputs: Sequence[str]) -> list[str]:
        return []

    def place(self, paths: StepPaths, path: str) -> str:
        return path

    def deliver(self, paths: StepPaths, namespace: str, result: StepResult) -> StepResult:
        return result

    def tidy(self, paths: StepPaths) -> None:
        return

    async def end(self, run_id: str) -> None:
        return

    def remove(self, uri: str, namespace: str, kept: Sequence[str]) -> None:
        if not uri.startswith("/") or any(lies_at(uri, other) for other in kept):
            return
        target = Path(uri)
        if target.is_dir() and not target.is_symlink():
            for where, _, names in os.walk(target, topdown=False):
                for name in names:
                    if not any(lies_at(f"{where}/{name}", other) for other in kept):
                        os.unlink(f"{where}/{name}")
                for name in os.listdir(where):
                    # Links to folders are listed as folders.
                    if os.path.islink(f"{where}/{name}") and not any(
                        lies_at(f"{where}/{name}", other) for other in kept
                    ):
                        os.unlink(f"{where}/{name}")
                with contextlib.suppress(OSError):
                    os.rmdir(where)
        else:
            target.unlink(missing_ok=True)

    def remote_files(self, uri: str, namespace: str, most: int) -> list[tuple[str, int]] | None:
        return None

    def remote_content(self, uri: str, namespace: str, limit: int | None) -> Iterator[bytes] | None:
        return None

    def read(self, path: str) -> bytes | None:
        try:
            above, name = os.path.split(self._linkless(path))
            with linkless.folder(above) as place, open(linkless.opened(name, place), "rb") as file:
                if os.fstat(file.fileno()).st_size > _LARGEST_READ:
                    limit = _LARGEST_READ // 1024**2
                    raise ValueError(f"{path} holds more than {limit} MiB; write it as an artifact instead")
                return file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _linkless(self, path: str) -> str:
        """`path` with none but the step's own links in it."""
        ours = (str(self._artifacts), str(self._work.parent))
        base = next((each for each in ours if path.startswith(f"{each}/")), os.path.dirname(path))
        return os.path.realpath(base) + path[len(base) :]

    def exists(self, uri: str) -> bool:
        return uri.startswith("/") and Path(uri).exists()

    def glance(self, artifact: ArtifactRow) -> bool | None:
        if not artifact.uri.startswith("/"):
            return False
        try:
            found = measuring.mark(Path(artifact.uri), most_files=_GLANCE_FILES)
        except measuring.TooLargeError:
            return None
        except OSError:
            return False
        if found is None:
            return False
        return True if not artifact.mark or found == artifact.mark else None

    def inspect(self, artifact: ArtifactRow) -> bool:
        try:
            found = measuring.measure(Path(artifact.uri)) if artifact.uri.startswith("/") else None
        except OSError:
            return False
        return found is not None and artifact.digest in ("", found.digest)

    def measure(self, uri: str) -> Measure | None:
        if not uri.startswith("/"):
            return None
        try:
            return measuring.measure(Path(uri), most_bytes=_SOON_BYTES, most_files=_SOON_FILES)
        except (measuring.TooLargeError, OSError):
            return None

    async def of_pod(self, pod: Mapping[str, Any]) -> StepFiles:
        if self._pod_places is None:
            return self
        view = copy.copy(self)
        view._seen = await self._pod_places(pod)
        return view

    def publish(self, custom_path: str, uri: str, paths: StepPaths) -> bool:
        place = self._seen(custom_path)
        if not place or not os.path.exists(place):
            return False
        target = _plain(os.path.normpath(uri), paths)
        if place != target:
            linkless.copy(place, target)
        return True

    def forget(self, run_id: str) -> None:
        shutil.rmtree(self._work / segment(run_id), ignore_errors=True)


def _plain(path: str, paths: StepPaths) -> str:
    """`path` with none but the step's own links in it, for it lies in a folder that the step sees. Raises StepError."""
    for root in outermost(each for each in (*paths.roots, paths.stage) if each):
        if path.startswith(f"{root}/"):
            return os.path.realpath(root) + path[len(root) :]
    raise StepError(f"{path} leads out of the step's own files")


def lies_at(path: str, place: str) -> bool:
    """Whether `path` is `place`, or lies in it."""
    return path == place or path.startswith(f"{place}/")


def segment(name: str) -> str:
    """`name` as one component of a path: names come from users, and may not lead elsewhere.

    Two names that differ stay different, even where what was unsafe in them is gone.
    """
    safe = _UNSAFE.sub("_", name)[:_LONGEST_SEGMENT]
    if safe != name or not safe.strip("."):
        safe = f"{safe.strip('.') or 'x'}-{short_hash(name)}"
    return safe


def outermost(folders: Iterable[str]) -> list[str]:
    """`folders` without those that lie in another one."""
    kept: list[str] = []
    for folder in sorted(set(folders), key=len):
        if not any(folder == other or folder.startswith(f"{other}/") for other in kept):
            kept.append(folder)
    return kept
