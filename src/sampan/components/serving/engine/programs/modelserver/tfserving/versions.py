"""The versions of models: which lie in the folders, which are served, what became of each. Made by `start`.

A folder whose name is a number is a version. Those that the configuration wants are loaded, in a thread; one that it no
longer wants goes only when one that it wants is there, and answers what it was asked before. The newest that is served
is also the repository's model of that name, so that V2 and readiness speak of it.
Source: tensorflow/serving 2.19 tensorflow_serving/sources/storage_path/file_system_storage_path_source.cc,
core/availability_preserving_policy.cc, core/loader_harness.cc (states, retries), model_servers/server_core.cc.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sampan.components.serving.engine.programs.modelserver.batching import Lane
from sampan.components.serving.engine.programs.modelserver.contract import (
    Loader,
    LoadError,
    ModelMissingError,
    Runtime,
    Source,
)
from sampan.components.serving.engine.programs.modelserver.errors import told, without_paths
from sampan.components.serving.engine.programs.modelserver.repository import READY, Repository, Served
from sampan.components.serving.engine.programs.modelserver.tfserving import signatures
from sampan.components.serving.engine.programs.modelserver.tfserving.configuration import (
    Model,
    Settings,
    check_change,
)
from sampan.components.serving.engine.programs.modelserver.tfserving.errors import StatusError, invalid

START, LOADING, AVAILABLE, UNLOADING, END = "START", "LOADING", "AVAILABLE", "UNLOADING", "END"
_MODEL_FILES = ("saved_model.pb", "saved_model.pbtxt")
_KERAS = (".keras", ".h5")
_MAX_VERSION = 2**63 - 1


@dataclass(slots=True)
class Version:
    number: int
    folder: str
    state: str = START
    error: str = ""
    served: Served | None = None
    signatures: Mapping[str, Any] = field(default_factory=dict)
    attempts: int = 0
    tried_at: float = 0.0
    seen: object = None
    """What the folder was like when it was tried."""

    def signature(self, name: str) -> Any:
        return self.signatures.get(name or signatures.DEFAULT)


class Versions:
    """For one event loop."""

    def __init__(
        self, loader: Loader, options: Mapping[str, str], settings: Settings, repository: Repository
    ) -> None:
        self._loader = loader
        self._options = dict(options)
        self._settings = settings
        self._repository = repository
        self._models: dict[str, Model] = {}
        self._versions: dict[str, dict[int, Version]] = {}
        self._labels: dict[str, dict[str, int]] = {}
        self._changing = asyncio.Lock()

    # What is asked

    def serving(self, name: str, number: int | None = None, label: str = "") -> Version:
        """Raises StatusError."""
        if not name:
            raise invalid("ModelSpec has no name specified.")
        if label:
            number = self._labels.get(name, {}).get(label)
            if number is None:
                raise invalid(f"Unrecognized servable version label: {label}")
        found = self._versions.get(name, {})
        if number is None:
            there = [each for each in found.values() if each.state == AVAILABLE]
            if not there:
                raise StatusError("NOT_FOUND", f"Servable not found for request: Latest({name})")
            return max(there, key=lambda each: each.number)
        version = found.get(number)
        if version is None or version.state != AVAILABLE:
            raise StatusError("NOT_FOUND", f"Servable not found for request: Specific({name}, {number})")
        return version

    def states(self, name: str, number: int | None = None) -> list[Version]:
        """Raises StatusError."""
        found = self._versions.get(name, {})
        if number is not None:
            if number not in found:
                raise StatusError("NOT_FOUND", f"Could not find version {number} of model {name}")
            return [found[number]]
        if not found:
            raise StatusError("NOT_FOUND", f"Could not find any versions of model {name}")
        # Upstream's order is that of the newest first.
        return sorted(found.values(), key=lambda each: -each.number)

    # What changes it

    def load_first(self, models: Sequence[Model]) -> None:
        """At the start, before anything is served. Raises LoadError."""
        for model in models:
            self._models[model.name] = model
            there = _folders(model.base_path)
            wanted = model.wanted(list(there or {}))
            if not wanted:
                raise ModelMissingError(_nothing(model, there))
            for number in wanted:
                version = self._begin(model.name, number, there[number])  # type: ignore[index]
                self._settle(model.name, version, _tried(self._loader, self._source(model.name, version)))
            found = self._versions[model.name]
            failed = [each for each in found.values() if each.state == END]
            if failed:
                raise LoadError(f"version {failed[0].number}: {failed[0].error}")
        self._labels = {each.name: dict(each.labels) for each in models}

    async def apply(self, models: Sequence[Model]) -> None:
        """Another configuration, which is all that counts from then on. Raises StatusError."""
        async with self._changing:
            check_change(list(self._models.values()), models)
            labels = self._checked_labels(models)
            new = [each.name for each in models if each.name not in self._models]
            self._models = {each.name: each for each in models}
            self._labels = labels
            await self._converge()
            failed = [each for name in new for each in self._failures(name)]
        if failed:
            raise StatusError(
                "UNKNOWN", f"{len(failed)} servable(s) did not become available: {{{', '.join(failed)}}}"
            )

    async def look(self) -> None:
        """At the folders, for what came and went."""
        async with self._changing:
            await self._converge()

    def close(self) -> None:
        for found in self._versions.values():
            for version in found.values():
                self._end(version)

    def _failures(self, name: str) -> list[str]:
        """Of a model that is new."""
        found = self._versions.get(name, {})
        if not found:
            model = self._models[name]
            return [f"{{name: {name}}} due to error: {_nothing(model, _folders(model.base_path))}"]
        return [
            f"{{name: {name} version: {each.number}}} due to error: {each.error}"
            for each in found.values()
            if each.error
        ]

    def _checked_labels(self, models: Sequence[Model]) -> dict[str, dict[str, int]]:
        for model in models:
            for label, number in model.labels.items():
                has = self._labels.get(model.name, {}).get(label)
                if self._settings.allow_labels_for_unavailable and has in (None, number):
                    continue
                version = self._versions.get(model.name, {}).get(number)
                if version is None or version.state != AVAILABLE:
                    raise StatusError(
                        "FAILED_PRECONDITION",
                        f"Request to assign label to version {number} of model {model.name}, "
                        "which is not currently available for inference",
                    )
        return {each.name: dict(each.labels) for each in models}

    async def _converge(self) -> None:
        for name in list(self._versions):
            if name not in self._models:
                for version in list(self._versions[name].values()):
                    self._unload(name, version)
                self._labels.pop(name, None)
        for model in list(self._models.values()):
            there = await asyncio.to_thread(_folders, model.base_path)
            if there is None:
                # Not to be read at the moment: what is served goes on.
                continue
            wanted = model.wanted(list(there))
            for number in wanted:
                await self._load(model.name, number, there[number])
            self._let_go(model.name, wanted)

    async def _load(self, name: str, number: int, folder: str) -> None:
        version = self._versions.get(name, {}).get(number)
        if version is not None and version.state == AVAILABLE:
            return
        if version is not None and version.state == END and version.error:
            seen = await asyncio.to_thread(_seen, folder)
            waits = version.attempts > self._settings.retries
            waits = waits or time.monotonic() < version.tried_at + self._settings.retry_seconds
            if seen == version.seen and waits:
                return
        version = self._begin(name, number, folder)
        self._settle(
            name, version, await asyncio.to_thread(_tried, self._loader, self._source(name, version))
        )

    def _begin(self, name: str, number: int, folder: str) -> Version:
        found = self._versions.setdefault(name, {})
        version = found.get(number)
        if version is None or version.folder != folder or not version.error:
            version = found[number] = Version(number, folder)
        version.state, version.seen = LOADING, _seen(folder)
        version.attempts += 1
        version.tried_at = time.monotonic()
        return version

    def _source(self, name: str, version: Version) -> Source:
        return Source(name, version.folder, self._options)

    def _settle(self, name: str, version: Version, outcome: Any) -> None:
        if isinstance(outcome, BaseException):
            version.state, version.error = END, _why(outcome)
            print(
                f"version {version.number} of model {name} could not be loaded: {version.error}",
                file=sys.stderr,
                flush=True,
            )
            return
        runtime, version.signatures = outcome
        served = Served(name, runtime, READY)
        served.lane = Lane(runtime, served.statistics)
        before = self._repository.find(name)
        if before is not None:
            # The counts are the model's, of whichever version.
            served.statistics = before.statistics
            served.lane = Lane(runtime, before.statistics)
        version.served, version.state, version.error = served, AVAILABLE, ""
        self._show(name)

    def _let_go(self, name: str, wanted: Sequence[int]) -> None:
        found = self._versions.get(name, {})
        is_safe = not wanted or any(found[each].state == AVAILABLE for each in wanted)
        for version in list(found.values()):
            if version.number not in wanted and (is_safe or version.state != AVAILABLE):
                self._unload(name, version)

    def _unload(self, name: str, version: Version) -> None:
        """Its state stays to be told, as it does upstream, until the folder is served again."""
        if version.state == END and not version.error:
            return
        version.state, version.error = END, ""
        self._show(name)
        self._end(version)

    def _end(self, version: Version) -> None:
        served, version.served = version.served, None
        if served is not None and served.lane is not None:
            served.lane.close()

    def _show(self, name: str) -> None:
        """The newest, as the repository's model."""
        try:
            served = self.serving(name).served
        except StatusError:
            served = None
        self._repository.show(name, served)


def _tried(loader: Loader, source: Source) -> tuple[Runtime, Mapping[str, Any]] | BaseException:
    try:
        runtime: Any = loader(source)
        if hasattr(runtime, "take_any_shape"):
            runtime.take_any_shape()
        with contextlib.suppress(NotImplementedError):
            return runtime, signatures.of_model(source.folder, runtime.metadata)
        return runtime, {}
    except Exception as error:
        return error


def _folders(base: str) -> dict[int, str] | None:
    """By version; None where the folder cannot be read. One that is itself a model is version 1."""
    try:
        entries = list(os.scandir(base))
    except OSError:
        return None
    found: dict[int, str] = {}
    for entry in sorted(entries, key=lambda each: each.name):
        name = entry.name
        if name.isascii() and name.isdecimal() and int(name) <= _MAX_VERSION and entry.is_dir():
            found.setdefault(int(name), entry.path)
    if not found and any(each.name in _MODEL_FILES or each.name.endswith(_KERAS) for each in entries):
        return {1: base}
    return found


def _seen(folder: str) -> object:
    """What changes when a copy goes on: names, sizes and times, two levels deep."""
    found: list[tuple[str, int, int]] = []
    for place in (folder, os.path.join(folder, "variables")):
        with contextlib.suppress(OSError):
            for entry in os.scandir(place):
                told_of = entry.stat()
                found.append((entry.path, told_of.st_size, told_of.st_mtime_ns))
    return sorted(found)


def _why(error: BaseException) -> str:
    if isinstance(error, LoadError):
        return without_paths(str(error))
    traceback.print_exception(error, file=sys.stderr)
    return told(error)


def _nothing(model: Model, there: Mapping[int, str] | None) -> str:
    if there is None:
        return f"Could not find base path {model.base_path} for servable {model.name}"
    if not there:
        return (
            f"No versions of servable {model.name} found under base path {model.base_path}. "
            "Did you forget to name your leaf directory as a number (eg. '/1/')?"
        )
    return (
        f"None of the versions that the configuration names is under base path {model.base_path}: "
        f"there are {', '.join(map(str, sorted(there)))}"
    )
