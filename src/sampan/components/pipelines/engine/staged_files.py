"""`StepFiles` where artifacts may lie in object stores: brought here before a step, taken there after it.

A step sees them where the SDK looks for them (`s3://b/k` at `/s3/b/k`), in a folder of its attempt, mounted there:

    HOME/pipelines/stage/<run>/<task>/<attempt>/{s3,minio,gcs}/<bucket>/<key>

Everything that its program does there stays there, as in the container that upstream's launcher downloads into. Inputs
from the web, for which the SDK knows no place, lie where their URI leads as a relative path; the step starts there.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sampan.client.protocol import Client
from sampan.components.pipelines.api.errors import (
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    UnavailableError,
)
from sampan.components.pipelines.engine.artifact_stores import SCHEMES, ArtifactStores, Opened
from sampan.components.pipelines.engine.errors import StepError
from sampan.components.pipelines.engine.placeholders import local_path
from sampan.components.pipelines.engine.results import ArtifactDraft, StepResult
from sampan.components.pipelines.engine.step_files import (
    LocalStepFiles,
    Places,
    StepOutputs,
    StepPaths,
    lies_at,
    segment,
)
from sampan.components.pipelines.store.artifacts import ArtifactRow
from sampan.lib.threads import check_wanted
from sampan.store.artifacts import measuring, trees, uris
from sampan.store.artifacts.cache import ReadCache
from sampan.store.artifacts.measuring import Measure
from sampan.store.artifacts.protocol import (
    AccessRefusedError,
    ObjectMissingError,
    StoredObject,
    StoreError,
    StoreUnavailableError,
    StoreUnusableError,
)
from sampan.store.artifacts.trees import Limits

MOUNTS = {"s3": "/s3", "minio": "/minio", "gs": "/gcs"}
_JOURNAL = ".uploaded"
_FETCHED = ".fetched"

T = TypeVar("T")


class WebSource(Protocol):
    """Brings what lies elsewhere than in object stores: `web_sources.WebSources`."""

    def knows(self, uri: str) -> bool: ...

    def fetch(self, uri: str, target: Path) -> None:
        """Blocks. Raises StoreError."""
        ...


class StagedStepFiles(LocalStepFiles):
    def __init__(
        self,
        home: Path,
        stores: ArtifactStores,
        web: WebSource,
        cache: ReadCache,
        limits: Limits,
        pod_places: Callable[[Any], Awaitable[Places]] | None = None,
    ) -> None:
        super().__init__(home, pod_places)
        self._stages = home / "pipelines" / "stage"
        self._stores = stores
        self._web = web
        self._cache = cache
        self._limits = limits

    async def learn(self, client: Client, namespace: str) -> None:
        await self._stores.refresh(client, namespace)

    # Laying out: pure

    def artifact_root(self, requested: str, namespace: str, pipeline: str) -> str:
        wanted = requested or self._stores.default_root(namespace, segment(pipeline))
        scheme, _, rest = wanted.partition("://")
        if scheme not in SCHEMES or not self._stores.serves(wanted, namespace):
            return self.pipeline_root(wanted, namespace, pipeline)
        parts = [part for part in rest.partition("?")[0].split("/") if part]
        if any(part in (".", "..") for part in parts):
            return self.pipeline_root(wanted, namespace, pipeline)
        return f"{scheme}://{'/'.join(parts)}"

    def layout(
        self, root: str, run_id: str, scope_path: str, attempt: int, outputs: StepOutputs
    ) -> StepPaths:
        remote = root.partition("://")[0] in SCHEMES
        paths = super().layout(root, run_id, scope_path, attempt, outputs)
        task = "/".join(segment(part) for part in scope_path.split("/")[1:])
        stage = f"{self._stages}/{segment(run_id)}/{task}/{attempt}"
        if not remote:
            return replace(paths, stage=stage)
        place = local_path(paths.output_file.rpartition("/")[0])
        return replace(
            paths,
            stage=stage,
            output_file=local_path(paths.output_file),
            folders=(f"{stage}{place}", *paths.folders[1:]),
            roots=paths.roots[1:],
        )

    def remote(self, inputs: Sequence[str]) -> tuple[str, ...]:
        return tuple(
            dict.fromkeys(uri for uri in inputs if uri.partition("://")[0] in SCHEMES or self._web.knows(uri))
        )

    def attach(self, pod: dict[str, Any], paths: StepPaths, inputs: Sequence[str]) -> None:
        super().attach(pod, paths, inputs)
        remote = self.remote(inputs)
        shown = {uri.partition("://")[0] for uri in remote} | _schemes(paths)
        spec = pod["spec"]
        for scheme in sorted(shown.intersection(MOUNTS)):
            _mount(spec, f"sampan-{scheme}", f"{paths.stage}{MOUNTS[scheme]}", MOUNTS[scheme])
        if any(self._web.knows(uri) for uri in remote):
            folder = web_folder(paths)
            _mount(spec, "sampan-web", folder, folder)
            spec["containers"][0].setdefault("workingDir", folder)

    # Before the step

    def fetch(self, paths: StepPaths, namespace: str, inputs: Sequence[str]) -> list[str]:
        notes = []
        for uri in inputs:
            check_wanted()
            try:
                self._bring(paths, namespace, uri)
            except StoreUnusableError as error:
                raise StepError(f"its input {uri} cannot be fetched: {error.message}") from error
            except _NotFetchedError as error:
                notes.append(f"its input {uri} was not fetched: {error.message}")
            except StoreUnavailableError as error:
                raise StoreUnavailableError(f"its input {uri}: {error.message}") from error
            except StoreError as error:
                raise StepError(f"its input {uri} cannot be fetched: {error.message}") from error
        return notes

    def _bring(self, paths: StepPaths, namespace: str, uri: str) -> None:
        """Raises StoreError, _NotFetchedError, OSError."""
        if self._web.knows(uri):
            target = Path(web_folder(paths), uris.file_name(_relative(uri)))
            if not _is_there(paths, target):
                with _only_tried(False):
                    self._web.fetch(uri, target)
                _note_there(paths, target)
            return
        opened = self._opened(uri, namespace)
        target = self._staged(paths, uri)
        if _is_there(paths, target):
            return

        def get(item: StoredObject, place: Path) -> None:
            self._cache.get(opened.store, opened.bucket, item, place)

        # What lies in our own stores is as large as a step made it.
        limits = None if opened.is_configured else self._limits
        with _only_tried(opened.is_configured):
            trees.fetch(opened.store, opened.key, target, limits, get)
        _note_there(paths, target)

    def _opened(self, uri: str, namespace: str) -> Opened:
        with _only_tried(self._stores.serves(uri, namespace)):
            try:
                return self._stores.open(uri, namespace)
            except StoreUnusableError as error:
                if self._stores.serves(uri, namespace):
                    raise
                raise StoreUnavailableError(error.message) from error

    def _staged(self, paths: StepPaths, uri: str) -> Path:
        """Where an artifact of an object store lies in the attempt's folder. Raises StoreUnusableError."""
        parsed = uris.parse(uri)
        return Path(f"{paths.stage}{MOUNTS[parsed.scheme]}", uris.file_name(f"{parsed.bucket}/{parsed.key}"))

    # After the step

    def place(self, paths: StepPaths, path: str) -> str:
        """A path that the step sees, as one of this machine. Raises StepError for one that leads elsewhere."""
        scheme = next((name for name, mount in MOUNTS.items() if path.startswith(f"{mount}/")), "")
        if not scheme or not paths.stage:
            return path
        mount = Path(f"{paths.stage}{MOUNTS[scheme]}")
        found = mount / path[len(MOUNTS[scheme]) + 1 :]
        if ".." in found.parts or not found.resolve().is_relative_to(mount.resolve()):
            raise StepError(f"{path} leads out of the step's own files")
        return str(found)

    def measure(self, uri: str) -> Measure | None:
        if not uri.startswith(f"{self._stages}/"):
            return super().measure(uri)
        # It is read once more anyway, to be taken away.
        with contextlib.suppress(OSError):
            return measuring.measure(Path(uri))
        return None

    def deliver(self, paths: StepPaths, namespace: str, result: StepResult) -> StepResult:
        """Takes output artifacts to their stores. What was taken before a crash is not taken again.

        Raises StoreUnavailableError, StepError.
        """
        delivered = {
            name: [self._delivered(paths, namespace, draft) for draft in drafts]
            for name, drafts in result.artifacts.items()
        }
        return replace_artifacts(result, delivered)

    def _delivered(self, paths: StepPaths, namespace: str, draft: ArtifactDraft) -> ArtifactDraft:
        if draft.uri.partition("://")[0] not in SCHEMES or not draft.stored:
            return draft
        source = Path(self.place(paths, local_path(draft.uri)))
        journal = _Journal(Path(paths.stage, _JOURNAL))
        try:
            opened = self._stores.open(draft.uri, namespace)
            if not opened.is_configured:
                raise StoreUnusableError(f"{draft.uri}: no store is configured for it")

            def upload(key: str, file: Path) -> StoredObject:
                return journal.known(key, file) or journal.noted(opened.store.upload(file, key), file)

            objects = trees.push(opened.store, source, opened.key, upload)
        except StoreUnavailableError as error:
            raise StoreUnavailableError(f'its output "{draft.output}": {error.message}') from error
        except StoreError as error:
            raise StepError(f'output artifact "{draft.output}" cannot be stored: {error.message}') from error
        finally:
            journal.close()
        is_file = source.is_file()
        for item in objects:
            file = source if is_file else source / item.key[len(opened.key) + 1 :]
            self._cache.put(opened.bucket, item, file)
        measure = draft.measure
        if measure is not None:
            measure = replace(measure, mark=trees.mark_of(objects, opened.key, is_file=is_file))
        return replace(draft, measure=measure, stored=bool(objects))

    def tidy(self, paths: StepPaths) -> None:
        if paths.stage:
            shutil.rmtree(paths.stage, ignore_errors=True)

    async def end(self, run_id: str) -> None:
        if (stage := self._stages / segment(run_id)).exists():
            await asyncio.to_thread(shutil.rmtree, stage, ignore_errors=True)

    def forget(self, run_id: str) -> None:
        super().forget(run_id)
        shutil.rmtree(self._stages / segment(run_id), ignore_errors=True)

    def remove(self, uri: str, namespace: str, kept: Sequence[str]) -> None:
        if uri.partition("://")[0] not in SCHEMES:
            super().remove(uri, namespace, kept)
            return
        if any(lies_at(uri, other) for other in kept) or not self._stores.serves(uri, namespace):
            return
        opened = self._stores.open(uri, namespace)
        base = uri[: len(uri) - len(opened.key)]

        def is_kept(key: str) -> bool:
            return any(lies_at(f"{base}{key}", other) for other in kept)

        try:
            trees.remove(opened.store, opened.key, is_kept)
        except ObjectMissingError:
            return  # the bucket is gone

    def remote_files(self, uri: str, namespace: str, most: int) -> list[tuple[str, int]] | None:
        if uri.partition("://")[0] not in SCHEMES or not self._stores.serves(uri, namespace):
            return None
        return list(_told(self._objects(uri, namespace, most)))

    def _objects(self, uri: str, namespace: str, most: int) -> Iterator[tuple[str, int]]:
        opened = self._stores.open(uri, namespace)
        exact = opened.store.stat(opened.key) if opened.key else None
        if exact is not None:
            yield "", exact.size
            return
        prefix = f"{opened.key}/" if opened.key else ""
        for found in islice(opened.store.list(opened.key), most):
            yield found.key.removeprefix(prefix), found.size

    def remote_content(self, uri: str, namespace: str, limit: int | None) -> Iterator[bytes] | None:
        if uri.partition("://")[0] not in SCHEMES or not self._stores.serves(uri, namespace):
            return None
        return _told(self._pieces(uri, namespace, limit))

    def _pieces(self, uri: str, namespace: str, limit: int | None) -> Iterator[bytes]:
        opened = self._stores.open(uri, namespace)
        yield from opened.store.read(opened.key, 0, limit)

    # Whether artifacts are what they were

    def exists(self, uri: str) -> bool:
        if uri.partition("://")[0] not in SCHEMES:
            return super().exists(uri)
        return self._mark(uri, "") is not None

    def glance(self, artifact: ArtifactRow) -> bool | None:
        return None if artifact.uri.partition("://")[0] in SCHEMES else super().glance(artifact)

    def inspect(self, artifact: ArtifactRow) -> bool:
        if artifact.uri.partition("://")[0] not in SCHEMES:
            return super().inspect(artifact)
        found = self._mark(artifact.uri, artifact.namespace)
        return found is not None and artifact.mark in ("", found)

    def _mark(self, uri: str, namespace: str) -> str | None:
        try:
            opened = self._stores.open(uri, namespace)
            return trees.mark(opened.store, opened.key)
        except StoreError:
            return None


def _told(pieces: Iterator[T]) -> Iterator[T]:
    """The store's errors as those of the API."""
    try:
        yield from pieces
    except ObjectMissingError as error:
        raise NotFoundError("the artifact has no file, or it is gone") from error
    except AccessRefusedError as error:
        raise PermissionDeniedError(error.message) from error
    except StoreUnavailableError as error:
        raise UnavailableError(error.message) from error
    except StoreUnusableError as error:
        raise InvalidArgumentError(error.message) from error


class _NotFetchedError(StoreError):
    """Of a store that nobody has configured, and that cannot be reached: the step may not need the file at all."""


@contextlib.contextmanager
def _only_tried(is_configured: bool) -> Any:
    try:
        yield
    except StoreUnavailableError as error:
        if is_configured:
            raise
        raise _NotFetchedError(error.message) from error


class _Journal:
    """What of an attempt's outputs is in the store already, line by line: a crash costs one file at most."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._known: dict[str, list[Any]] = {}
        with contextlib.suppress(OSError):
            for line in file.read_text(encoding="utf-8").splitlines():
                with contextlib.suppress(ValueError, IndexError):
                    entry = json.loads(line)
                    self._known[entry[0]] = entry
        file.parent.mkdir(parents=True, exist_ok=True)
        self._stream = file.open("a", encoding="utf-8")

    def known(self, key: str, file: Path) -> StoredObject | None:
        found = file.stat()
        entry = self._known.get(key)
        if entry is None or entry[1:3] != [found.st_size, found.st_mtime_ns]:
            return None
        return StoredObject(key, found.st_size, entry[3])

    def noted(self, item: StoredObject, file: Path) -> StoredObject:
        line = json.dumps([item.key, item.size, file.stat().st_mtime_ns, item.etag])
        with self._lock:
            self._stream.write(f"{line}\n")
            self._stream.flush()
        return item

    def close(self) -> None:
        self._stream.close()


def web_folder(paths: StepPaths) -> str:
    return f"{paths.stage}/web"


def staged_place(paths: StepPaths, uri: str) -> str:
    """Where a fetched input lies in the attempt's folder. Pure."""
    scheme, _, rest = uri.partition("://")
    if scheme in MOUNTS:
        return f"{paths.stage}{MOUNTS[scheme]}/{rest}"
    return f"{web_folder(paths)}/{_relative(uri)}"


def replace_artifacts(result: StepResult, artifacts: Mapping[str, list[ArtifactDraft]]) -> StepResult:
    return replace(result, artifacts=dict(artifacts))


def _relative(uri: str) -> str:
    """`https://host/x` as the system reads it as a relative path: slashes that follow each other are one."""
    return "/".join(part for part in uri.split("/") if part)


def _schemes(paths: StepPaths) -> set[str]:
    return {uri.partition("://")[0] for uri in paths.artifacts.values()} | {
        scheme for scheme, mount in MOUNTS.items() if paths.output_file.startswith(f"{mount}/")
    }


def _mount(spec: dict[str, Any], name: str, folder: str, path: str) -> None:
    source = {"path": folder, "type": "DirectoryOrCreate"}
    spec.setdefault("volumes", []).append({"name": name, "hostPath": source})
    for container in spec["containers"]:
        container.setdefault("volumeMounts", []).append({"name": name, "mountPath": path})


def _is_there(paths: StepPaths, target: Path) -> bool:
    """Whether it was brought completely. What was brought by halves goes."""
    if _marker(paths, target).exists():
        return True
    if target.is_dir():
        shutil.rmtree(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    return False


def _note_there(paths: StepPaths, target: Path) -> None:
    marker = _marker(paths, target)
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.touch()


def _marker(paths: StepPaths, target: Path) -> Path:
    return Path(paths.stage, _FETCHED, segment(os.path.relpath(target, paths.stage)))
