"""The models of one process: which there are, what state they are in, loading and unloading.

Two ways, as upstream's servers have them: one model in the folder, by its name; or a folder of models, each loaded by
its name when it is asked for (`POST /v2/repository/models/NAME/load`, sent by the agent for TrainedModels).
Source: kserve 0.20 python/kserve/kserve/model_repository.py, python/sklearnserver/sklearnserver/__main__.py;
triton-inference-server/server docs/protocol/extension_model_repository.md (the states).
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sampan.components.serving.engine.programs.modelserver.batching import Lane
from sampan.components.serving.engine.programs.modelserver.contract import (
    Loader,
    LoadError,
    Metadata,
    ModelMissingError,
    Opaque,
    Runtime,
    Source,
)
from sampan.components.serving.engine.programs.modelserver.errors import (
    bad,
    not_ready,
    told,
    unknown_model,
    without_paths,
)
from sampan.components.serving.engine.programs.modelserver.extension import Extension
from sampan.components.serving.engine.programs.modelserver.statistics import Statistics

READY, LOADING, UNAVAILABLE = "READY", "LOADING", "UNAVAILABLE"
_OK = "OK"


@dataclass(slots=True)
class Served:
    """One model. `lane` is there where the model is a Runtime, and is how it is asked."""

    name: str
    model: Runtime | Opaque | None = None
    state: str = LOADING
    reason: str = ""
    lane: Lane | None = None
    statistics: Statistics = field(default_factory=Statistics)

    @property
    def metadata(self) -> Metadata:
        assert self.model is not None
        return self.model.metadata


_NOT_THERE = "There is no such model."


class Repository:
    """For one event loop, in which models are used; they are loaded in a thread."""

    def __init__(
        self, loader: Loader | None, folder: str = "", options: Mapping[str, str] | None = None
    ) -> None:
        self._loader = loader
        self._folder = folder
        self._options = dict(options or {})
        self._models: dict[str, Served] = {}
        self._loading: dict[str, asyncio.Lock] = {}
        self.aliases: dict[str, str] = {}
        """Further names of models, each with the name that it stands for."""
        self.on_change: Callable[[], None] = lambda: None
        self.extension: Extension | None = None
        """Another server's API, beside this one's."""

    def names(self) -> list[str]:
        return list(self._models)

    def models(self) -> list[Served]:
        return list(self._models.values())

    def add(self, name: str, model: Runtime | Opaque) -> Served:
        served = self._models.setdefault(name, Served(name))
        before, lane = served.model, served.lane
        served.model, served.state, served.reason = model, READY, ""
        served.lane = None if is_opaque(model) else Lane(model, served.statistics)  # type: ignore[arg-type]
        if before is not None and before is not model:
            _close(before, lane)
        self.on_change()
        return served

    def knows(self, name: str) -> bool:
        return name in self._models or name in self.aliases

    def find(self, name: str) -> Served | None:
        return self._models.get(name)

    def show(self, name: str, served: Served | None) -> None:
        """What another keeps, which closes it too; None for a model that is there no more."""
        if served is not None:
            self._models[name] = served
        else:
            self._models.pop(name, None)
        self.on_change()

    def known(self, name: str) -> Served:
        """Raises RequestError, 404."""
        served = self._models.get(name)
        if served is None:
            raise unknown_model(name)
        return served

    def ready(self, name: str) -> Served:
        """Raises RequestError: 404, or 503 with why."""
        served = self._models.get(self.aliases.get(name, name))
        if served is None:
            raise unknown_model(name)
        if served.state is not READY and served.model is None:
            raise not_ready(name, served.reason)
        if not is_healthy(served):
            raise not_ready(name)
        return served

    def described(self, name: str) -> Served:
        """What is known of a model does not wait for its being ready. Raises RequestError: 404, or 503 with why."""
        served = self._models.get(self.aliases.get(name, name))
        return self.ready(name) if served is None or served.model is None else served

    def is_ready(self) -> bool:
        """One model that cannot be served takes no others away: each says for itself whether it is ready."""
        models = self._models.values()
        return not models or any(served.state == READY and is_healthy(served) for served in models)

    def index(self, *, only_ready: bool = False) -> list[dict[str, str]]:
        found = []
        for served in self._models.values():
            is_ready = served.state == READY and is_healthy(served)
            if is_ready or not only_ready:
                state = READY if is_ready else served.state if served.state != READY else UNAVAILABLE
                found.append({"name": served.name, "version": "1", "state": state, "reason": served.reason})
        if not only_ready:
            found += [
                {"name": name, "version": "1", "state": UNAVAILABLE, "reason": "not loaded"}
                for name in self._folders()
                if name not in self._models
            ]
        return found

    async def load(self, name: str) -> Served:
        """From the folder of its name, anew where it is there. Raises RequestError, 503: of one that is not there
        too, as upstream (model_repository_extension.py)."""
        if self._loader is None:
            # Of a program of the user's: what it serves is loaded already.
            if (served := self._models.get(name)) is None or not is_healthy(served):
                raise not_ready(name)
            return served
        if not _is_name(name):
            raise not_ready(name, _NOT_THERE)
        async with self._loading.setdefault(name, asyncio.Lock()):
            folder = self._folder_of(name)
            served = self._models.setdefault(name, Served(name))
            if served.model is None:
                served.state = LOADING
            try:
                model = await asyncio.to_thread(self._loader, Source(name, folder, self._options))
            except Exception as error:
                why = _why(error)
                print(f"model {name} could not be loaded: {why}", file=sys.stderr, flush=True)
                served.reason = without_paths(why)
                if served.model is None:
                    served.state = UNAVAILABLE
                raise not_ready(name, served.reason) from None
            if self._models.get(name) is not served:
                model.close()
                raise not_ready(name, "It was unloaded while it was being loaded.")
            return self.add(name, model)

    def _folder_of(self, name: str) -> str:
        """Raises RequestError where there is none."""
        folder = os.path.join(self._folder, name)
        if os.path.isdir(folder):
            return folder
        served = self._models.get(name)
        if served is None or served.model is None:
            raise not_ready(name, _NOT_THERE)
        # The only model, which lies in the folder itself.
        return self._folder

    def load_first(self, name: str) -> None:
        """At the start, before anything is served: the model, or those of the folder. Raises LoadError."""
        if self._loader is None:
            return
        try:
            self.add(name, self._loader(Source(name, self._folder, self._options)))
        except ModelMissingError:
            if self._has_files():
                raise
            loaded = [self._load_early(each) for each in self._folders()]
            if loaded and not any(loaded):
                raise

    def _load_early(self, name: str) -> bool:
        assert self._loader is not None
        try:
            self.add(name, self._loader(Source(name, os.path.join(self._folder, name), self._options)))
        except Exception as error:
            why = _why(error)
            print(f"model {name} could not be loaded: {why}", file=sys.stderr, flush=True)
            served = self._models.setdefault(name, Served(name))
            served.state, served.reason = UNAVAILABLE, without_paths(why)
            return False
        return True

    async def unload(self, name: str) -> None:
        """Raises RequestError, 404; 400 where another keeps the models."""
        if self.extension is not None:
            raise bad("models come and go with their folders and the configuration here")
        served = self._models.pop(name, None)
        if served is None:
            raise unknown_model(name)
        self._loading.pop(name, None)
        if served.model is not None:
            _close(served.model, served.lane)
        del served
        gc.collect()
        self.on_change()

    def close(self) -> None:
        for served in self._models.values():
            if served.model is not None:
                _close(served.model, served.lane)
        self._models.clear()

    def _has_files(self) -> bool:
        """Whether the folder holds anything but folders of models: then it is no repository."""
        try:
            return any(not entry.is_dir() for entry in os.scandir(self._folder) if not _is_hidden(entry.name))
        except OSError:
            return False

    def _folders(self) -> list[str]:
        try:
            entries = sorted(os.scandir(self._folder), key=lambda entry: entry.name)
        except OSError:
            return []
        return [entry.name for entry in entries if entry.is_dir() and _is_name(entry.name)]


def is_opaque(model: Any) -> bool:
    return not hasattr(model, "from_instances")


def is_healthy(served: Served) -> bool:
    """What a model of the user's says of itself counts."""
    ready = getattr(served.model, "ready", True)
    return served.model is not None and (bool(ready) if not callable(ready) else True)


def _is_name(name: str) -> bool:
    return bool(name) and "/" not in name and "\\" not in name and "\0" not in name and not _is_hidden(name)


def _is_hidden(name: str) -> bool:
    return name.startswith(".")


def _why(error: BaseException) -> str:
    if isinstance(error, LoadError):
        return str(error)
    # For the log, where whoever wrote the model looks.
    traceback.print_exception(error)
    return told(error)


def _close(model: Runtime | Opaque, lane: Lane | None) -> None:
    if lane is not None:
        lane.close()
    else:
        model.close()
