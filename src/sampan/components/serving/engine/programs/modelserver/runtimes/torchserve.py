"""TorchServe's archives (`.mar`), by the handlers that they name: TorchServe's own or the archive's.

An archive's handler is code of whoever made it, and runs in the pod of who serves it. TorchServe's Python package loads
and calls it, as its own workers do; what is around them (the Java front, its management API) is not there. V1's
instances are the rows that a handler gets; of V2 each input is one.
Source: pytorch/serve 0.12 ts/model_loader.py, ts/torch_handler/request_envelope/{kserve,kservev2}.py,
model-archiver/README.md.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import stat
import sys
import tempfile
import zipfile
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sampan.components.serving.engine.programs.modelserver.contract import (
    LoadError,
    Metadata,
    ModelError,
    Source,
    Tensor,
)
from sampan.components.serving.engine.programs.modelserver.runtimes import rows
from sampan.components.serving.engine.programs.modelserver.runtimes.model_files import model_file

_MANIFEST = "MAR-INF/MANIFEST.json"
_MOST_BYTES = 64 * 1024**3
_MOST_FILES = 100_000


def load(source: Source) -> Archive:
    told = source.options.get("archive", "")
    if told and Path(told).name != told:
        raise LoadError(f"The archive {told} is no file of the model store.")
    file = Path(source.folder) / told if told else model_file(source.folder, ((".mar",),), "TorchServe")
    folder = unpacked(file)
    manifest = _manifest(folder)
    handler = str(manifest.get("model", {}).get("handler", ""))
    if not handler:
        raise LoadError(f"{file.name} names no handler in {_MANIFEST}.")
    sys.path.insert(0, str(folder))
    try:
        loader = importlib.import_module("ts.model_loader").TsModelLoader()
        service = loader.load(source.name, str(folder), handler, None, 1, metrics_cache=_Nothing())
    except ModuleNotFoundError as error:
        raise LoadError(
            f"The handler {handler} needs the Python module {error.name!r}, which this environment does not have: "
            "use an image of your own (docs/images.md)."
        ) from error
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        raise LoadError(f"{file.name}: the handler {handler} cannot be made: {why}") from error
    return Archive(source.name, service)


class Archive:
    """An Opaque. Handlers are asked for one request at a time."""

    def __init__(self, name: str, service: Any) -> None:
        self.metadata = Metadata(name, "torchserve")
        self._handle, self._context = service._entry_point, service.context
        self._processor = importlib.import_module("ts.context").RequestProcessor
        self._lock = asyncio.Lock()

    async def v1(self, verb: str, body: Any, headers: Mapping[str, str]) -> Any:
        instances = body.get("instances", body.get("inputs")) if isinstance(body, Mapping) else None
        if not isinstance(instances, list) or not instances:
            raise ModelError('"instances" must be a list of one or more')
        told = [each if isinstance(each, Mapping) else {"data": each} for each in instances]
        answer = await self._ask(told, {"explain": "True"} if verb == "explain" else {})
        return {"explanations" if verb == "explain" else "predictions": answer}

    async def v2(
        self, inputs: Sequence[Tensor], parameters: Mapping[str, Any], headers: Mapping[str, str]
    ) -> Sequence[Tensor]:
        told = [
            {
                "name": each.name,
                "shape": list(each.data.shape),
                "datatype": each.datatype,
                "data": _text(each) if each.datatype == "BYTES" else each.data.tolist(),
            }
            for each in inputs
        ]
        answers = await self._ask(told, {})
        return [
            rows.tensor(each.name, rows.as_bytes(np.array(answer).ravel()))
            for each, answer in zip(inputs, answers, strict=False)
        ]

    async def openai(
        self, route: str, body: Mapping[str, Any], headers: Mapping[str, str]
    ) -> Mapping[str, Any] | AsyncIterator[bytes]:
        raise ModelError("the model is no language model")

    def close(self) -> None:
        pass

    async def _ask(self, told: list[Any], headers: Mapping[str, str]) -> Any:
        async with self._lock:
            return await asyncio.to_thread(self._asked, told, headers)

    def _asked(self, told: list[Any], headers: Mapping[str, str]) -> Any:
        context = self._context
        context.request_processor = [self._processor(dict(headers)) for _ in told]
        context.request_ids = {place: str(place) for place in range(len(told))}
        try:
            answer = self._handle(told, context)
        except Exception as error:
            raise ModelError(f"{type(error).__name__}: {error}"[:1000]) from error
        status, _ = context.get_response_status(0)
        if status >= 400:
            raise ModelError(str(answer)[:1000])
        return answer


class _Nothing:
    """In the place of TorchServe's metrics: this server keeps its own."""

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments, **options: None


def unpacked(file: Path) -> Path:
    """Its files in a new folder. Raises LoadError, also for an archive that writes beside that, or without end."""
    folder = Path(tempfile.mkdtemp(prefix="mar-")).resolve()
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            if len(entries) > _MOST_FILES or sum(each.file_size for each in entries) > _MOST_BYTES:
                raise LoadError(f"{file.name} unpacks to more than a model has.")
            for each in entries:
                target = (folder / each.filename).resolve()
                if not target.is_relative_to(folder) or stat.S_ISLNK(each.external_attr >> 16):
                    raise LoadError(
                        f"{file.name} holds {each.filename!r}, which is no file of its own folder."
                    )
            archive.extractall(folder)
    except (OSError, zipfile.BadZipFile, RuntimeError, ValueError) as error:
        raise LoadError(f"{file.name} is not an archive of TorchServe's: {error}") from error
    return folder


def _manifest(folder: Path) -> Mapping[str, Any]:
    try:
        found = json.loads((folder / _MANIFEST).read_bytes())
    except (OSError, ValueError) as error:
        raise LoadError(f"The archive has no {_MANIFEST} that can be read: {error}") from error
    if not isinstance(found, dict) or not isinstance(found.get("model", {}), dict):
        raise LoadError(f"The archive's {_MANIFEST} is not TorchServe's.")
    return found


def _text(tensor: Tensor) -> Any:
    """As the envelope gives it: the first element, as text or bytes."""
    found = rows.texts(tensor.data).ravel()
    return found[0] if found.size else ""
