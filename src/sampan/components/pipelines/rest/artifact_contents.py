"""What an artifact holds, by its id: its files, and the beginning or the whole of one of them.

Of pages that show artifacts, and of programs that want no more than the id. The record says where the artifact lies;
names within it are the caller's, and lead nowhere else.
"""

from __future__ import annotations

import asyncio
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from sampan.components.pipelines.api.errors import InvalidArgumentError, NotFoundError
from sampan.components.pipelines.api.wire import present
from sampan.components.pipelines.rest import artifact_files
from sampan.components.pipelines.rest.dispatch import Call, answer
from sampan.components.pipelines.rest.scopes import not_found
from sampan.components.pipelines.store import artifacts
from sampan.components.pipelines.store.artifacts import ArtifactRow

_MOST_FILES = 1000
_MOST_ENTRIES = 20_000
"""Of one folder that are looked at."""
_WEB = ("http://", "https://")
_UNUSUAL = re.compile(r"[^A-Za-z0-9._ -]")


async def list_files(call: Call) -> Response:
    """What lies at the artifact, or at `path` within it: `kind` is FILE, FOLDER, or REMOTE for what is elsewhere.

    Of a folder the first thousand `files` by name, folders first; `more` where there are others.
    """
    row, path = await _row(call), _inner_path(call)
    if row.uri.startswith(_WEB):
        return answer(present(kind="REMOTE", uri=row.uri))
    if "://" in row.uri and not row.uri.startswith("file://"):
        engine = await call.backend.engine()
        found = await call.backend.asking.run(
            engine.remote_files, _below(row.uri, path), call.namespace, _MOST_FILES
        )
        if found is not None:
            await artifact_files.check_owner(call, row.uri)
            return answer(_of_remote(found))
    folder = await _place(call, row, path)
    return answer(await asyncio.to_thread(_looked_at, folder))


async def read_file(call: Call) -> Response:
    """The artifact's file, or the one at `path` within it: all of it, or the first `peek` bytes."""
    row, path = await _row(call), _inner_path(call)
    uri, peek = _below(row.uri, path), max(0, call.query_int("peek")) or None
    response: Response
    if row.uri.startswith(_WEB):
        response = await artifact_files.from_the_web(call, uri)
    else:
        pieces = await artifact_files.remote_content(call, uri, peek)
        if pieces is None:
            pieces = await artifact_files.content(call, str(await _place(call, row, path)), peek)
        response = StreamingResponse(
            pieces, media_type="application/octet-stream", headers=artifact_files.INERT
        )
    response.headers["Content-Disposition"] = _disposition(row, path)
    return response


async def _row(call: Call) -> ArtifactRow:
    key = call.params["artifact_id"]
    row = await call.backend.database.read(lambda connection: artifacts.get(connection, key))
    if row is None:
        raise not_found("artifact", key)
    if not row.uri:
        raise NotFoundError("the artifact says of no place where it lies")
    return row


def _inner_path(call: Call) -> str:
    path = call.query.get("path", "").strip("/")
    if "\0" in path or "\\" in path or any(part in ("", ".", "..") for part in path.split("/") if path):
        raise InvalidArgumentError("path must name a file within the artifact, from its own folder on")
    return path


def _below(uri: str, path: str) -> str:
    return f"{uri.rstrip('/')}/{path}" if path else uri


async def _place(call: Call, row: ArtifactRow, path: str) -> Path:
    """Below the artifact itself, whatever links lie there. Raises PipelinesError."""
    home = call.backend.home
    own = await asyncio.to_thread(artifact_files.find_artifact, home, row.uri)
    await artifact_files.check_owner(call, row.uri)
    if not path:
        return own
    found = await asyncio.to_thread(artifact_files.find_artifact, home, str(own / path))
    if not found.is_relative_to(own):
        raise NotFoundError("the artifact has no such file")
    return found


def _looked_at(place: Path) -> dict[str, Any]:
    try:
        about = place.stat()
        if not stat.S_ISDIR(about.st_mode):
            return {"kind": "FILE", "size": str(about.st_size)}
        entries = sorted(_entries(place), key=lambda each: (each["kind"] != "FOLDER", each["name"]))
    except OSError as error:
        raise NotFoundError(artifact_files.GONE) from error
    return present(kind="FOLDER", files=entries[:_MOST_FILES], more=len(entries) > _MOST_FILES)


def _entries(folder: Path) -> Iterator[dict[str, Any]]:
    with os.scandir(folder) as found:
        for at, entry in enumerate(found):
            if at >= _MOST_ENTRIES:
                return
            # A link is said to be one, and is followed only within the artifact.
            about = entry.stat(follow_symlinks=False)
            kind = "FOLDER" if entry.is_dir() else "FILE"
            name = entry.name.encode(errors="replace").decode(errors="replace")
            yield {"name": name, "kind": kind} | ({} if kind == "FOLDER" else {"size": str(about.st_size)})


def _of_remote(found: list[tuple[str, int]]) -> dict[str, Any]:
    """Objects below a key, as folders and files; of an object of exactly this key the name is empty."""
    if [name for name, _ in found] == [""]:
        return {"kind": "FILE", "size": str(found[0][1])}
    folders = sorted({name.partition("/")[0] for name, _ in found if "/" in name})
    files = sorted((name, size) for name, size in found if name and "/" not in name)
    entries: list[dict[str, Any]] = [{"name": name, "kind": "FOLDER"} for name in folders]
    entries += [{"name": name, "kind": "FILE", "size": str(size)} for name, size in files]
    if not entries:
        raise NotFoundError(artifact_files.GONE)
    return present(kind="FOLDER", files=entries[:_MOST_FILES], more=len(found) >= _MOST_FILES)


def _disposition(row: ArtifactRow, path: str) -> str:
    """A name to save it under: what it is called where it lies."""
    name = (path or row.uri).rstrip("/").rpartition("/")[2] or "artifact"
    plain = _UNUSUAL.sub("_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
